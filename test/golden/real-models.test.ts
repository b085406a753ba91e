/** Real Keras and TF.js models against official .tflite files of the same networks, run by the same kernels. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { convertGraph } from "../../src/convert/pipeline.ts";
import type { Graph } from "../../src/graph/ir.ts";
import { verifyGraph } from "../../src/graph/verify.ts";
import { importKeras } from "../../src/import/keras.ts";
import { importTfjs } from "../../src/import/tfjs.ts";
import type { Model } from "../../src/model/ir.ts";
import { fileTree } from "../../src/node/file-tree.ts";
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

  it("ad01.h5 gives what Keras 3.15 gives (the official file differs from both by 1.4 %)", async () => {
    const { graph } = await importKeras(bytesOf("mlperf_tiny", "ad01.h5"));
    const [ours] = await outputsOf(converted(graph), 1);
    const keras = Float32Array.of(-34.890903, -19.414146, -10.79863, -6.292741, -3.6733873);
    expect(difference(ours!.subarray(0, 5), keras)).toBeLessThan(1e-5);
  });

  it.each(["imagenet/keras_mobilenet_v1_0.25_224.h5", "keras/mnist_cnn.keras"])(
    "%s gives probabilities",
    async (path) => {
      const { graph } = await importKeras(bytesOf(path));
      const [scores] = await outputsOf(converted(graph), 1);
      expect(scores!.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 4);
    },
  );

  it.each([
    ["abalone", "model.json", 1],
    ["doodlenet", "model.json", 345],
  ] as const)("TF.js %s runs", async (folder, file, size) => {
    const { graph } = await importTfjs(fileTree(sharedPath("models", "tfjs", folder)), { file });
    const [output] = await outputsOf(converted(graph), 1);
    expect(output).toHaveLength(size);
    expect(output!.every(Number.isFinite)).toBe(true);
  });

  it("TF.js blazeface runs", async () => {
    const tree = fileTree(sharedPath("models", "tfjs", "human"));
    const { graph } = await importTfjs(tree, { file: "blazeface.json" });
    expect(graph.nodes.some(({ op }) => op.startsWith("_Fused"))).toBe(false);
    const outputs = await outputsOf(converted(graph), 1);
    expect(outputs.map(({ length }) => length).sort((a, b) => a - b)).toEqual([
      384, 512, 6144, 8192,
    ]);
  });
});
