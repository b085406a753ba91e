/** Real Keras models against official .tflite files of the same networks, run by the same kernels. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { convertGraph } from "../../src/convert/pipeline.ts";
import type { Graph } from "../../src/graph/ir.ts";
import { verifyGraph } from "../../src/graph/verify.ts";
import { importKeras } from "../../src/import/keras.ts";
import type { Model } from "../../src/model/ir.ts";
import { Interpreter } from "../../src/runtime/interpreter.ts";
import { describeWithShared, sharedPath } from "../shared.ts";

const bytesOf = (...path: string[]): Uint8Array =>
  new Uint8Array(readFileSync(sharedPath("models", ...path)));

/** Values between -1 and 1 that look like nothing in particular. */
function noise(count: number, scale = 1): Float32Array {
  return Float32Array.from(
    { length: count },
    (_, i) => scale * Math.sin(12.9898 * (i + 1) + (i % 7)),
  );
}

async function outputsOf(model: Uint8Array | Model, scale: number): Promise<Float32Array[]> {
  const interpreter = await Interpreter.create(model);
  const [input] = interpreter.getInputDetails();
  const count = input!.shape.reduce((product, size) => product * size, 1);
  interpreter.setTensor(input!.index, noise(count, scale));
  await interpreter.invoke();
  const outputs = interpreter
    .getOutputDetails()
    .map(({ index }) => interpreter.getTensor(index) as Float32Array);
  interpreter.dispose();
  return outputs;
}

function converted(graph: Graph): Model {
  verifyGraph(graph);
  return convertGraph(graph).model;
}

function difference(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  const scale = b.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-30);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0) / scale;
}

describeWithShared("real models", () => {
  it("ResNet-8 as .h5 equals its official .tflite", async () => {
    const { graph } = await importKeras(bytesOf("mlperf_tiny", "ic_resnet8_cifar10.h5"));
    const [ours] = await outputsOf(converted(graph), 128);
    const [theirs] = await outputsOf(
      bytesOf("mlperf_tiny", "ic_resnet8_cifar10_float.tflite"),
      128,
    );
    expect(difference(ours!, theirs!)).toBeLessThan(1e-5);
  });
});
