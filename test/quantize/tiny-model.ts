/** Small models made of a few operators, for tests that ask what becomes of a weight. */
import { bytesOf, type DType } from "../../src/base/dtype.ts";
import { makeOptions } from "../../src/formats/tflite/options.ts";
import type { Model, Operator, Tensor } from "../../src/model/ir.ts";
import { EMPTY_BUFFER, residentBuffer } from "../../src/model/ir.ts";
import { withVersions } from "../../src/model/versions.ts";

export interface TinyTensor {
  readonly shape: readonly number[];
  readonly dtype?: DType;
  /** Constant data; absent for activations. */
  readonly data?: Float32Array | Int32Array;
  /** Index of another tensor whose buffer this one shares. */
  readonly like?: number;
}

export type TinyOperator = Pick<Operator, "op" | "inputs" | "outputs"> & Partial<Operator>;

/** A model of one subgraph; tensors are named t0, t1 … */
export function tinyModel(
  tensors: readonly TinyTensor[],
  operators: readonly TinyOperator[],
  inputs: readonly number[],
  outputs: readonly number[],
): Model {
  const buffers = [EMPTY_BUFFER];
  const places: number[] = [];
  const made = tensors.map(({ shape, dtype = "float32", data, like }, index): Tensor => {
    const shared = like === undefined ? 0 : places[like]!;
    const buffer = data === undefined ? shared : buffers.push(residentBuffer(bytesOf(data))) - 1;
    places.push(buffer);
    return { name: `t${index}`, dtype, shape, buffer, isVariable: false, hasRank: true };
  });
  return withVersions({
    version: 3,
    description: "tiny",
    operatorCodes: [],
    subgraphs: [
      {
        name: "main",
        tensors: made,
        operators: operators.map((operator) => ({ version: 1, ...operator })),
        inputs,
        outputs,
      },
    ],
    buffers,
    metadata: [],
    signatures: [],
  });
}

/** Seeded numbers, uniform in −1 … 1. */
export function randomValues(count: number, seed = 1): Float32Array {
  let state = seed >>> 0;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/** One FULLY_CONNECTED layer: float32[1, columns] to float32[1, rows], without bias. */
export function denseModel(
  rows: number,
  columns: number,
  weights: Float32Array = randomValues(rows * columns),
): Model {
  return tinyModel(
    [{ shape: [1, columns] }, { shape: [rows, columns], data: weights }, { shape: [1, rows] }],
    [
      {
        op: "FULLY_CONNECTED",
        inputs: [0, 1, -1],
        outputs: [2],
        options: makeOptions("FullyConnectedOptions"),
      },
    ],
    [0],
    [2],
  );
}

const CHANNELS = 8;
const SIDE = 6;
export const CHAIN_INPUT_ELEMENTS: number = SIDE * SIDE * CHANNELS;

/** conv 1×1 (RELU6) → depthwise 3×3 (RELU) → conv 1×1; channels of the first two differ widely in scale. */
export function chainModel(): Model {
  const spread = (values: Float32Array) =>
    values.map((value, index) => value * 4 ** (index % CHANNELS) * 0.02);
  const image = { shape: [1, SIDE, SIDE, CHANNELS] };
  const pointwise = randomValues(CHANNELS * CHANNELS, 3);
  return tinyModel(
    [
      image,
      {
        shape: [CHANNELS, 1, 1, CHANNELS],
        data: pointwise.map((value, index) => value * 3 ** Math.floor(index / CHANNELS) * 0.05),
      },
      { shape: [CHANNELS], data: randomValues(CHANNELS, 4) },
      image,
      { shape: [1, 3, 3, CHANNELS], data: spread(randomValues(9 * CHANNELS, 5)) },
      { shape: [CHANNELS], data: randomValues(CHANNELS, 6) },
      image,
      { shape: [4, 1, 1, CHANNELS], data: randomValues(4 * CHANNELS, 7) },
      { shape: [1, SIDE, SIDE, 4] },
    ],
    [
      {
        op: "CONV_2D",
        inputs: [0, 1, 2],
        outputs: [3],
        options: makeOptions("Conv2DOptions", {
          stride_w: 1,
          stride_h: 1,
          fused_activation_function: "RELU6",
        }),
      },
      {
        op: "DEPTHWISE_CONV_2D",
        inputs: [3, 4, 5],
        outputs: [6],
        options: makeOptions("DepthwiseConv2DOptions", {
          stride_w: 1,
          stride_h: 1,
          depth_multiplier: 1,
          fused_activation_function: "RELU",
        }),
      },
      {
        op: "CONV_2D",
        inputs: [6, 7],
        outputs: [8],
        options: makeOptions("Conv2DOptions", { stride_w: 1, stride_h: 1 }),
      },
    ],
    [0],
    [8],
  );
}
