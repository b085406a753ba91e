// LiteRT.js (@litertjs/core). Made for browsers: it loads its WebAssembly through importScripts and looks at `self`, so
// that in Node both have to be there first. Its threads load the same script as CommonJS (see install.mjs).
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import vm from "node:vm";

/** Runs a script of the package as a browser's worker would, with the little of CommonJS that it asks for. */
function importScripts(address) {
  const file = String(address);
  const wrapped = vm.runInThisContext(
    `(function (require, __dirname, __filename, module, exports) {
      ${readFileSync(file, "utf8")}
      globalThis.ModuleFactory = ModuleFactory;
    })`,
    { filename: file },
  );
  const module = { exports: {} };
  wrapped(createRequire(file), dirname(file), file, module, module.exports);
}

export async function open({ file, threads, peers }) {
  globalThis.self ??= globalThis;
  globalThis.importScripts = importScripts;
  // The runtime reports what it loads on every channel.
  for (const method of ["log", "warn", "error", "info"]) console[method] = () => undefined;
  const { loadLiteRt, loadAndCompile, Tensor } = await import(
    join(peers, "litert", "node_modules", "@litertjs", "core", "dist", "index.js")
  );
  await loadLiteRt(join(peers, "litert", "wasm-commonjs", "/"), { threads: threads > 1 });
  const model = await loadAndCompile(new Uint8Array(readFileSync(file)), {
    accelerator: "wasm",
    cpuOptions: { numThreads: threads },
  });
  const inputs = model.getInputDetails().map(({ dtype, shape }) => ({ dtype, shape: [...shape] }));
  return {
    inputs,
    async run(values) {
      const given = values.map((value, at) => new Tensor(value, inputs[at].shape));
      const results = await model.run(given);
      const outputs = results.map((tensor) => tensor.toTypedArray().slice());
      for (const tensor of [...given, ...results]) tensor.delete();
      return outputs;
    },
  };
}
