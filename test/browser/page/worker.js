// A worker of the page that runs a model, with threads of its own. Import maps do not reach workers.
import { runModel } from "/bundle/app.js";

globalThis.addEventListener("message", async ({ data: { source, options } }) => {
  globalThis.postMessage(await runModel(source, options));
});
