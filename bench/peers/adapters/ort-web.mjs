// onnxruntime-web on the CPU (WebAssembly), on an .onnx file: another format with the same network in it.
import { readFileSync } from "node:fs";
import { join } from "node:path";

export async function open({ file, threads, peers }) {
  const module = await import(
    join(peers, "ort-web", "node_modules", "onnxruntime-web", "dist", "ort.node.min.mjs")
  );
  const ort = module.default ?? module;
  ort.env.wasm.numThreads = threads;
  ort.env.logLevel = "error";
  const session = await ort.InferenceSession.create(new Uint8Array(readFileSync(file)), {
    executionProviders: ["wasm"],
    graphOptimizationLevel: "all",
    intraOpNumThreads: threads,
  });
  const inputs = session.inputMetadata.map(({ name, type, shape }) => ({
    name,
    dtype: type,
    shape: shape.map((size) => (typeof size === "number" ? size : 1)),
  }));
  return {
    inputs,
    async run(values) {
      const feeds = Object.fromEntries(
        inputs.map(({ name, dtype, shape }, at) => [
          name,
          new ort.Tensor(dtype, values[at], shape),
        ]),
      );
      const results = await session.run(feeds);
      return session.outputNames.map((name) => results[name].data.slice());
    },
  };
}
