import { describe, expect, it } from "vitest";
import type { Kernel, KernelContext, KernelNode, OutputView, TensorView } from "../kernel.ts";
import { MEDIAPIPE_LANDMARKS } from "./mediapipe-landmarks.ts";
import { MEDIAPIPE_POOLING } from "./mediapipe-pooling.ts";

function view(shape: number[], values: readonly number[]): TensorView {
  const data = Float32Array.from(values);
  return { name: "x", dtype: "float32", shape, data, isConstant: false, isVariable: false };
}

/** Runs a custom operator on floats and gives its outputs. */
function run(kernel: Kernel, inputs: TensorView[], options: Uint8Array, outputs = 1): TensorView[] {
  const node: KernelNode = {
    op: "custom",
    where: "test",
    version: 2,
    customOptions: options,
    inputs,
    outputs: Array.from({ length: outputs }, () => view([], [])),
  };
  kernel.check(node);
  const shapes = kernel.shapes(
    node,
    () => undefined,
    () => {
      throw new Error("no subgraphs here");
    },
  );
  const results = shapes.map((shape): OutputView => {
    const size = shape!.reduce((product, n) => product * n, 1);
    return {
      ...view([...shape!], new Array<number>(size).fill(7)),
      resize: () => {
        throw new Error("the shape was declared");
      },
    };
  });
  kernel.create({ ...node, outputs: results }, {} as KernelContext)(inputs, results);
  return results;
}

const structure = (...fields: number[]) => new Uint8Array(Int32Array.from(fields).buffer);
const values = (output: TensorView | undefined) => Array.from(output!.data as Float32Array);

/** SAME, strides 2 × 2, window 2 × 2, no activation. */
const POOL = structure(1, 2, 2, 2, 2, 0);
const IMAGE = view([1, 4, 4, 1], [1, 2, 3, 4, 8, 7, 6, 5, 0, 0, 1, 0, 0, 9, 0, 0]);

describe("MediaPipe's pooling operators", () => {
  it("finds the largest element of each window and its place", () => {
    const { MaxPoolingWithArgmax2D } = MEDIAPIPE_POOLING;
    const [largest, places] = run(MaxPoolingWithArgmax2D!, [IMAGE], POOL, 2);
    expect(largest!.shape).toEqual([1, 2, 2, 1]);
    expect(values(largest)).toEqual([8, 6, 9, 1]);
    expect(values(places)).toEqual([2.1, 2.1, 3.1, 0.1].map(Math.fround));
  });

  it("puts pooled elements back to their places", () => {
    const { MaxPoolingWithArgmax2D, MaxUnpooling2D } = MEDIAPIPE_POOLING;
    const pooled = run(MaxPoolingWithArgmax2D!, [IMAGE], POOL, 2);
    const [restored] = run(MaxUnpooling2D!, pooled, POOL);
    expect(values(restored)).toEqual([0, 0, 0, 0, 8, 0, 6, 0, 0, 0, 1, 0, 0, 9, 0, 0]);
  });

  it("refuses a place outside the image", () => {
    const { MaxUnpooling2D } = MEDIAPIPE_POOLING;
    const one = view([1, 1, 1, 1], [5]);
    expect(() => run(MaxUnpooling2D!, [one, view([1, 1, 1, 1], [1e9])], POOL)).toThrow(/place/);
  });

  it("spreads each pixel through the filter and adds the bias", () => {
    const { Convolution2DTransposeBias } = MEDIAPIPE_POOLING;
    const filter = view([1, 2, 2, 1], [1, 10, 100, 1000]);
    const inputs = [view([1, 1, 2, 1], [2, 3]), filter, view([1], [0.5])];
    const [out] = run(Convolution2DTransposeBias!, inputs, structure(2, 2, 2, 0));
    expect(out!.shape).toEqual([1, 2, 4, 1]);
    expect(values(out)).toEqual([2.5, 20.5, 3.5, 30.5, 200.5, 2000.5, 300.5, 3000.5]);
  });
});

/** A FlexBuffers map of small numbers and one list of them, keys in order. */
const DIMENSIONS_2 = Uint8Array.from([
  ...new TextEncoder().encode("dimensions\0"),
  1,
  12,
  1,
  1,
  1,
  2,
  4,
  2,
  36,
  1,
]);

const fromHex = (hex: string) => Uint8Array.from(Buffer.from(hex, "hex"));

/** {output_size: [2, 2]} */
const OUTPUT_2_BY_2 = fromHex("6f75747075745f73697a6500020202040401120101010928022401");

/** A 2 × 2 rectangle around landmarks 0 to 3, level where the line from 0 to 1 is. */
const CROP_2_BY_2 = fromHex(
  "7375627365745f69647873000400010203040404046c6566745f726f746174696f6e5f6964780072696768745f726f746174696f6e5f" +
    "696478007461726765745f726f746174696f6e5f72616469616e73006f75747075745f7769647468006f75747075745f6865696768" +
    "74007363616c655f78007363616c655f79000869202e5a150e844b00000a000000010000000800000000000000020000000200000001" +
    "0000000000803f0000803f9f00000000000000060606060e0e280e282601",
);

describe("MediaPipe's landmark operators", () => {
  it("maps points through the first two rows of the matrix", () => {
    const { TransformLandmarks } = MEDIAPIPE_LANDMARKS;
    const matrix = view([1, 4, 4], [2, 0, 0, 1, 0, 3, 0, -1, 0, 0, 1, 0, 0, 0, 0, 1]);
    const [out] = run(TransformLandmarks!, [view([1, 2, 2], [1, 1, 5, 2]), matrix], DIMENSIONS_2);
    expect(values(out)).toEqual([3, 2, 11, 5]);
  });

  it("finds the rectangle around landmarks and cuts it out of an image", () => {
    const { Landmarks2TransformMatrix, TransformTensorBilinear } = MEDIAPIPE_LANDMARKS;
    const corners = view([1, 4, 3], [0, 0, 9, 2, 0, 9, 0, 2, 9, 2, 2, 9]);
    const [matrix] = run(Landmarks2TransformMatrix!, [corners], CROP_2_BY_2);
    expect(values(matrix).map((entry) => entry + 0)).toEqual([
      1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1,
    ]);
    const [cut] = run(TransformTensorBilinear!, [IMAGE, matrix!], OUTPUT_2_BY_2);
    expect(values(cut)).toEqual([1, 2, 8, 7]);
  });
});
