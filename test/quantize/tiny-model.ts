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
