// One contender in a process of its own. It opens the model, warms up, and then measures when it is told to; between
// measurements it waits, so that contenders can take turns.
import { channelsFirst, inputValues } from "./inputs.mjs";

const WARM_UP_MS = 500;
const MIN_WARM_UP_RUNS = 2;

let run;

async function open({ adapter, layout, ...settings }) {
  const startedAt = performance.now();
  const { open: openModel } = await import(`./adapters/${adapter}.mjs`);
  const opened = await openModel(settings);
  const openMs = performance.now() - startedAt;
  const values = opened.inputs.map((input, at) => {
    if (layout !== "nchw") return inputValues(input, at);
    const [n, c, h, w] = input.shape;
    return channelsFirst(inputValues({ ...input, shape: [n, h, w, c] }, at), input.shape);
  });
  run = () => opened.run(values);
  const outputs = await run();
  const firstMs = performance.now() - startedAt - openMs;
  await measure({ milliseconds: WARM_UP_MS, minRuns: MIN_WARM_UP_RUNS });
  const { node, v8 } = process.versions;
  return { openMs, firstMs, outputs, node: `v${node}`, v8 };
}

/** Times of whole calls: inputs copied in, computed, outputs copied out. */
async function measure({ milliseconds, minRuns }) {
  const samples = [];
  const end = performance.now() + milliseconds;
  for (;;) {
    const startedAt = performance.now();
    await run();
    const now = performance.now();
    samples.push(now - startedAt);
    if (now >= end && samples.length >= minRuns) return { samples };
  }
}

process.on("message", async ({ command, ...details }) => {
  try {
    process.send(await { open, measure }[command](details));
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    process.send({ error: text.slice(0, 300) });
  }
});
