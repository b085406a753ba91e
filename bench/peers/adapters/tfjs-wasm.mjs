// TF.js with its WebAssembly backend, on a graph model (`model.json`): another format with the same network in it.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** What TF.js calls an IOHandler, for files. */
function fileHandler(file) {
  const { weightsManifest, ...model } = JSON.parse(readFileSync(file, "utf8"));
  const paths = weightsManifest.flatMap((group) => group.paths);
  const bytes = Buffer.concat(paths.map((path) => readFileSync(join(dirname(file), path))));
  const weightData = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  const weightSpecs = weightsManifest.flatMap((group) => group.weights);
  return { load: async () => ({ ...model, weightSpecs, weightData }) };
}

export async function open({ file, peers }) {
  const folder = join(peers, "tfjs");
  const require = createRequire(join(folder, "package.json"));
  const tf = require("@tensorflow/tfjs-core");
  const { loadGraphModel } = require("@tensorflow/tfjs-converter");
  const { setWasmPaths } = require("@tensorflow/tfjs-backend-wasm");
  setWasmPaths(join(folder, "node_modules", "@tensorflow", "tfjs-backend-wasm", "dist", "/"));
  await tf.setBackend("wasm");
  await tf.ready();
  const model = await loadGraphModel(fileHandler(file));
  const inputs = model.inputs.map(({ dtype, shape }) => ({
    dtype,
    shape: shape.map((size) => (size < 0 ? 1 : size)),
  }));
  return {
    inputs,
    async run(values) {
      const given = values.map((value, at) => tf.tensor(value, inputs[at].shape, inputs[at].dtype));
      const results = [model.execute(given)].flat();
      const outputs = await Promise.all(results.map((tensor) => tensor.data()));
      for (const tensor of [...given, ...results]) tensor.dispose();
      return outputs;
    },
  };
}
