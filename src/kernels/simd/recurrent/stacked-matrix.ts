/**
 * Several weight matrices of one depth as one: the gates of a recurrent step are one product. Each matrix keeps its own
 * scale, because scales belong to columns of the product.
 */
import type { WeightMatrix } from "../../reference/recurrent-product.ts";
import type { EmittedFunction, FastFeatures, FastPlace, Region } from "../fast-kernel.ts";
import { chooseGemm } from "../gemm/choose.ts";
import { emitGemm } from "../gemm/emit-gemm.ts";
import { gemmSteps, packedByteLength, packFloat, packGroups, stepGroup } from "../gemm/pack.ts";
import { tileCalls } from "../gemm/tile-calls.ts";
import type { GemmVariant } from "../gemm/variants.ts";

export interface StackedMatrix {
  readonly matrices: readonly WeightMatrix[];
  readonly variant: GemmVariant;
  readonly isHybrid: boolean;
  readonly units: number;
  readonly depth: number;
}

/** Where a stacked matrix lies. */
export interface PlacedStack {
  readonly stack: StackedMatrix;
  readonly weights: number;
  readonly scales: number;
}

/** Vectors that meet a stacked matrix: floats, or int16 with a scale of its own for each. Addresses in bytes. */
export interface StackRows {
  readonly a: number;
  readonly rows: number;
  /** float32[rows]; unused for floats. */
  readonly scales: number;
  readonly out: number;
  /** float32[units] that is added to each row; may be the row that is written. */
  readonly bias: number;
}

/** Stacks matrices for products of `rows` vectors at a time; undefined where floats and integers are mixed. */
export function stackMatrices(
  matrices: readonly WeightMatrix[],
  rows: number,
  features: FastFeatures,
): StackedMatrix | undefined {
  const [first] = matrices;
  if (first === undefined) return undefined;
  const { depth } = first;
  const isHybrid = first.scale !== undefined;
  const isOneKind = matrices.every((matrix) => (matrix.scale !== undefined) === isHybrid);
  const units = matrices.reduce((sum, matrix) => sum + matrix.units, 0);
  if (!isOneKind || units === 0 || depth === 0) return undefined;
  const variant = chooseGemm(isHybrid ? "qd8" : "f32", { rows, n: units }, withoutDot(features));
  return { matrices, variant, isHybrid, units, depth };
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
export function vectorStride({ isHybrid, variant, depth }: StackedMatrix): number {
  return isHybrid ? gemmSteps(variant, depth) * 4 : depth * 4;
}

/** Floats of a row of results and of whatever is added to it, with room behind for whole panels. */
export function paddedUnits({ units, variant }: StackedMatrix): number {
  return Math.ceil(units / variant.nr) * variant.nr;
}

export function layStack(region: Region, stack: StackedMatrix): PlacedStack {
  return {
    stack,
    weights: region.take(packedByteLength(stack.variant, stack.units, stack.depth)),
    scales: stack.isHybrid ? region.take(paddedUnits(stack) * 4) : 0,
  };
}

/** Packs the weights, and writes a scale for each column. */
export function storeStack(buffer: ArrayBufferLike, { stack, weights, scales }: PlacedStack): void {
  const { matrices, variant, isHybrid, units, depth } = stack;
  const byteLength = packedByteLength(variant, units, depth);
  const values = isHybrid ? new Int8Array(units * depth) : new Float32Array(units * depth);
  let row = 0;
  for (const matrix of matrices) {
    values.set(matrix.values, row * depth);
    if (isHybrid) new Float32Array(buffer, scales + row * 4, matrix.units).fill(matrix.scale ?? 0);
    row += matrix.units;
  }
  if (values instanceof Float32Array) {
    const packed = new Float32Array(buffer, weights, byteLength / 4);
    packFloat(values, units, depth, variant.nr, packed);
  } else {
    const shape = { nr: variant.nr, group: stepGroup(variant) };
    packGroups(values, units, depth, shape, new Int8Array(buffer, weights, byteLength));
  }
}

/** Calls that compute out[r] = stack · a[r] + bias. */
export function stackCalls(
  { threads }: FastPlace,
  { stack, weights, scales }: PlacedStack,
  { a, rows, scales: rowScales, out, bias }: StackRows,
  [low, high]: readonly [low: number, high: number] = [-Infinity, Infinity],
): number[][] {
  const { variant, isHybrid, units: n, depth: k } = stack;
  const aStride = vectorStride(stack);
  const product = { variant, a, aStride, rows, k, n, weights, out, elementBytes: 4, threads };
  return tileCalls(product, (row, column) => {
    const columnBias = bias + column * 4;
    if (!isHybrid) return [columnBias, low, high];
    return [scales + column * 4, rowScales + row * 4, 4, columnBias, low, high];
  });
}
