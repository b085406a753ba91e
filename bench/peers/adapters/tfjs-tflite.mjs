// @tensorflow/tfjs-tflite, on its runner directly: without the copies into and out of TF.js tensors, which is the faster
// way to use it. Made for browsers; one thread is what can be had in Node.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join } from "node:path";
import vm from "node:vm";

const ORIGIN = "http://localhost/";

/** Lets the package find its scripts and its WebAssembly where it would fetch them; returns what undoes the rest. */
function pretendToBeWorker(folder) {
  const fileOf = (address) => join(folder, basename(String(address)));
  globalThis.self = globalThis;
  globalThis.location = { origin: ORIGIN, href: ORIGIN };
  globalThis.importScripts = (address) => {
    const filename = fileOf(address);
    vm.runInThisContext(readFileSync(filename, "utf8"), { filename });
  };
  globalThis.fetch = async (address) => {
    const headers = { "content-type": "application/wasm" };
    return new Response(readFileSync(fileOf(address)), { headers });
  };
  const hidden = globalThis.SharedArrayBuffer;
  globalThis.SharedArrayBuffer = undefined; // with it the package would start web workers
  return () => {
    globalThis.SharedArrayBuffer = hidden;
  };
}

function shapeOf({ shape }) {
  return shape === "" ? [] : shape.split(",").map(Number);
}

export async function open({ file, peers }) {
  const folder = join(peers, "tfjs-tflite");
  const undo = pretendToBeWorker(
    join(folder, "node_modules", "@tensorflow", "tfjs-tflite", "wasm"),
  );
  const require = createRequire(join(folder, "package.json"));
  const tf = require("@tensorflow/tfjs-core");
  require("@tensorflow/tfjs-backend-cpu");
  const tflite = require("@tensorflow/tfjs-tflite");
  tflite.setWasmPath(ORIGIN);
  await tf.setBackend("cpu");
  const { buffer, byteOffset, byteLength } = readFileSync(file);
  const model = await tflite.loadTFLiteModel(buffer.slice(byteOffset, byteOffset + byteLength), {
    numThreads: 1,
  });
  undo();
  const runner = model.modelRunner;
  return {
    inputs: runner
      .getInputs()
      .map((tensor) => ({ dtype: tensor.dataType, shape: shapeOf(tensor) })),
    async run(values) {
      for (const [at, tensor] of runner.getInputs().entries()) tensor.data().set(values[at]);
      if (!runner.infer()) throw new Error("infer() failed");
      // Memory may have moved: tensors must be asked for again.
      return runner.getOutputs().map((tensor) => tensor.data().slice());
    },
  };
}
