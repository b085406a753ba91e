/**
 * A matrix of weights in linear memory, and products with it: float, hybrid (each row of activations and each column has
 * a scale), or of integers, which leave their sums. Several matrices of one depth can be one, as the gates of a
 * recurrent step are.
 */
import type { WeightMatrix } from "../../reference/recurrent-product.ts";
import type { QuantizedStorage } from "../activations/emit-quantize.ts";
import type { EmittedFunction, FastFeatures, FastPlace, Region } from "../fast-kernel.ts";
import { byteActivations, chooseGemm } from "./choose.ts";
import { emitGemm } from "./emit-gemm.ts";
import {
  columnSums,
  gemmSteps,
  packedByteLength,
  packFloat,
  packGroups,
  stepGroup,
} from "./pack.ts";
import { tileCalls } from "./tile-calls.ts";
import { type GemmVariant, keepsBytes } from "./variants.ts";

/** Weights [units, depth]. Made when they are packed, so that no unpacked copy outlives that. */
type Values = () => Float32Array | Int8Array | Int16Array;

export interface StackedMatrix {
  readonly data: "f32" | "qd8" | "qi8" | "qi16";
  readonly variant: GemmVariant;
  readonly units: number;
  readonly depth: number;
  readonly values: Values;
  /** float32[units], for hybrid products. */
  readonly scales: Float32Array | undefined;
  /** What vectors of hybrid products are quantized to. */
  readonly storage: QuantizedStorage;
}

/** Where a stacked matrix lies. */
export interface PlacedStack {
  readonly stack: StackedMatrix;
  readonly weights: number;
  readonly scales: number;
  /** int32[units], sums of the columns, for products of bytes. */
  readonly sums: number;
}

/** Vectors that meet a stacked matrix: floats, int16 or bytes, and where the results go. Addresses and strides in bytes. */
export interface StackRows {
  readonly a: number;
  /** From one vector to the next; `vectorStride` by default. What follows a vector in its last step is not counted. */
  readonly aStride?: number;
  readonly rows: number;
  /** float32 scale of each row, for hybrid products; `scaleStride` is 4, or 0 where all rows share one. */
  readonly scales?: number;
  readonly scaleStride?: 0 | 4;
  /** int32 zero point of each row, for bytes, as far apart as the scales. */
  readonly zeroPoints?: number;
  readonly out: number;
  /** From one row of results to the next; they follow each other by default. */
  readonly outStride?: number;
  /** float32[units], int32[units] for sums, that is added to each row; may be the one row that is written. */
  readonly bias: number;
}

/** A matrix for products of `rows` vectors at a time, which are floats or int16. */
export function stackOf(
  data: StackedMatrix["data"],
  { units, depth, values, scales }: Pick<StackedMatrix, "units" | "depth" | "values" | "scales">,
  rows: number,
  features: FastFeatures,
): StackedMatrix {
  const variant = chooseGemm(data, { rows, n: units, k: depth }, withoutDot(features));
  return { data, variant, units, depth, values, scales, storage: "int16" };
}

/** Stacks matrices for products of `rows` vectors at a time; undefined where floats and integers are mixed. */
export function stackMatrices(
  matrices: readonly WeightMatrix[],
  rows: number,
  features: FastFeatures,
): StackedMatrix | undefined {
  const depth = matrices[0]?.depth ?? 0;
  const units = matrices.reduce((sum, matrix) => sum + matrix.units, 0);
  const hybrid = matrices.filter(({ scale }) => scale !== undefined).length;
  if ((hybrid !== 0 && hybrid !== matrices.length) || units === 0 || depth === 0) return undefined;
  const values = () => {
    const all = hybrid > 0 ? new Int8Array(units * depth) : new Float32Array(units * depth);
    let row = 0;
    for (const matrix of matrices) {
      all.set(matrix.values, row * depth);
      row += matrix.units;
    }
    return all;
  };
  const scales = Float32Array.from(
    matrices.flatMap(({ scale, units: own }) => new Array<number>(own).fill(scale ?? 1)),
  );
  const data = hybrid > 0 ? "qd8" : "f32";
  return {
    ...{ data, units, depth, values, scales: hybrid > 0 ? scales : undefined },
    variant: chooseGemm(data, { rows, n: units, k: depth }, features),
    storage: vectorStorage(features),
  };
}

/** What the vectors of stacked hybrid matrices are quantized to: bytes where an exact dot product of them is there. */
export function vectorStorage(features: FastFeatures): QuantizedStorage {
  return byteActivations("qd8", features) ?? "int16";
}

/** Vectors are int16, without a zero point that each column would have to correct. */
function withoutDot({ dot: _, ...features }: FastFeatures): FastFeatures {
  return features;
}

/** The function that multiplies. */
export function stackFunction({ variant }: StackedMatrix): EmittedFunction {
  return { name: variant.name, emit: (module) => emitGemm(module, variant) };
}

/** Bytes from one vector to the next. */
export function vectorStride({ variant, depth }: StackedMatrix): number {
  return gemmSteps(variant, depth) * 4;
}

/** Numbers of a row of results and of whatever is added to it, with room behind for whole panels. */
export function paddedUnits({ units, variant }: StackedMatrix): number {
  return Math.ceil(units / variant.nr) * variant.nr;
}

/** Whether vectors are bytes that keep their zero points. */
function isDot({ variant }: StackedMatrix): boolean {
  return keepsBytes(variant.isa);
}

export function layStack(region: Region, stack: StackedMatrix): PlacedStack {
  return {
    stack,
    weights: region.take(packedByteLength(stack.variant, stack.units, stack.depth)),
    scales: stack.scales === undefined ? 0 : region.take(paddedUnits(stack) * 4),
    sums: isDot(stack) ? region.take(paddedUnits(stack) * 4) : 0,
  };
}

/** Packs constant weights, unless an earlier binding has, and writes their scales. */
export function storeStack({ memory, isStored }: FastPlace, placed: PlacedStack): void {
  if (!isStored) packStack(memory.buffer, placed);
}

/** Packs the weights, and writes the scales. */
export function packStack(buffer: ArrayBufferLike, placed: PlacedStack): void {
  const { stack, weights, scales, sums } = placed;
  const { variant, units, depth } = stack;
  const byteLength = packedByteLength(variant, units, depth);
  const values = stack.values();
  const shape = { nr: variant.panel, group: stepGroup(variant) };
  if (values instanceof Float32Array) {
    const packed = new Float32Array(buffer, weights, byteLength / 4);
    packFloat(values, units, depth, variant.panel, packed);
  } else if (values instanceof Int16Array) {
    packGroups(values, units, depth, shape, new Int16Array(buffer, weights, byteLength / 2));
  } else {
    packGroups(values, units, depth, shape, new Int8Array(buffer, weights, byteLength));
  }
  if (stack.scales !== undefined) new Float32Array(buffer, scales, units).set(stack.scales);
  if (isDot(stack) && !(values instanceof Float32Array)) {
    new Int32Array(buffer, sums, units).set(columnSums(values, units, depth));
  }
}

/** Calls that compute out[r] = stack · a[r] + bias; the limits are for floats. */
export function stackCalls(
  { threads }: FastPlace,
  { stack, weights, scales, sums }: PlacedStack,
  vectors: StackRows,
  [low, high]: readonly [low: number, high: number] = [-Infinity, Infinity],
): number[][] {
  const { data, variant, units: n, depth: k } = stack;
  const { a, aStride = vectorStride(stack), rows, out, outStride, bias } = vectors;
  const { scales: rowScales = 0, scaleStride = 4, zeroPoints = 0 } = vectors;
  const product = { variant, a, aStride, rows, k, n, weights, out, elementBytes: 4, threads };
  const strided = outStride === undefined ? product : { ...product, outStride };
  return tileCalls(strided, (row, column) => {
    const columnBias = bias + column * 4;
    if (data === "f32") return [columnBias, low, high];
    if (data !== "qd8") return [columnBias];
    const ownScale = rowScales + row * scaleStride;
    const common = [scales + column * 4, ownScale, scaleStride, columnBias, low, high];
    return isDot(stack) ? [...common, sums + column * 4, zeroPoints - rowScales] : common;
  });
}

/** Computes out[r] = stack · a[r] + bias; the limits are for floats. */
export function runStack(
  place: FastPlace,
  placed: PlacedStack,
  vectors: StackRows,
  limits?: readonly [low: number, high: number],
): void {
  const { variant, units, depth } = placed.stack;
  const calls = stackCalls(place, placed, vectors, limits);
  place.callAll(variant.name, calls, vectors.rows * units * depth);
}
