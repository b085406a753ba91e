/**
 * The matrix products of recurrent operators: one batch of vectors times several weight matrices, each product added to
 * a gate in float32. Weights are float, or int8 with one scale (hybrid); then the vectors are quantized row by row, once
 * for all the matrices that they meet.
 */
import type { TensorData } from "../../base/dtype.ts";
import { assert } from "../../base/errors.ts";
import { formatShape } from "../../base/shape.ts";
import type { KernelNode, TensorInfo, TensorView } from "../kernel.ts";
import { inputAt, misshapen, requireType, unsupported } from "../require.ts";
import { dotRows } from "./dot.ts";
import { quantizeVector } from "./hybrid.ts";
import { applyInPlace, type ScalarFunction } from "./vector-activation.ts";
import { hybridWeights } from "./weights.ts";

const { fround } = Math;

/** Weights [units, depth]; hybrid ones have a scale. */
export interface WeightMatrix {
  /** The operand's own elements, by which a packed copy can be found. */
  readonly source: TensorData;
  readonly values: Float32Array | Int8Array;
  readonly units: number;
  readonly depth: number;
  readonly scale: number | undefined;
}

/** The weights of a view of rank 2 (or of a vector, as one column per unit on the diagonal). */
export function weightMatrix(view: TensorView): WeightMatrix {
  const [units, depth] = view.shape;
  if (view.data instanceof Float32Array) {
    return { source: view.data, values: view.data, units, depth, scale: undefined };
  }
  const scale = view.quantization?.scale[0];
  assert(scale !== undefined, `scale of ${view.name}`);
  return { source: view.data, values: hybridWeights(view), units, depth, scale };
}

/** Elements of float weights that are vectors (peepholes): int8 ones are dequantized. */
export function weightVector(view: TensorView): Float32Array {
  if (view.data instanceof Float32Array) return view.data;
  const scale = view.quantization?.scale[0] ?? 1;
  return Float32Array.from(hybridWeights(view), (value) => value * scale);
}

/** A batch of vectors that meets several matrices. */
export interface VectorBatch {
  /** Takes float32[batch, depth]. `source` must not change before the next load. */
  load(source: Float32Array): void;
  /** gate[b, n] += Σ_k matrix[n, k]·vector[b, k], scaled and added in float32. */
  addProduct(matrix: WeightMatrix, gate: Float32Array): void;
}

/** What the steps of recurrent operators compute with. Other forms than the reference's are proved equal to it. */
export interface RecurrentMath {
  vectors(batch: number, depth: number, asymmetric: boolean): VectorBatch;
  /** values[i] = f(values[i]). */
  apply(values: Float32Array, f: ScalarFunction): void;
}

/** Vectors in the two forms that weights ask for; the quantized one is made when first needed. */
class PlainVectors implements VectorBatch {
  readonly batch: number;
  readonly depth: number;
  readonly #asymmetric: boolean;
  readonly #float: Float64Array;
  readonly #centered: Float64Array;
  readonly #scales: Float32Array;
  #source: Float32Array = new Float32Array(0);
  #isQuantized = false;

  constructor(batch: number, depth: number, asymmetric: boolean) {
    this.batch = batch;
    this.depth = depth;
    this.#asymmetric = asymmetric;
    this.#float = new Float64Array(batch * depth);
    this.#centered = new Float64Array(batch * depth);
    this.#scales = new Float32Array(batch);
  }

  load(source: Float32Array): void {
    this.#source = source;
    this.#float.set(source);
    this.#isQuantized = false;
  }

  addProduct(matrix: WeightMatrix, gate: Float32Array): void {
    const { values, units, depth, scale } = matrix;
    const sums = new Float64Array(units);
    if (scale !== undefined) this.#quantize();
    const vectors = scale === undefined ? this.#float : this.#centered;
    for (let b = 0; b < this.batch; b++) {
      const vector = vectors.subarray(b * depth, (b + 1) * depth);
      dotRows(vector, depth, values, 0, units, sums);
      const at = b * units;
      if (scale === undefined) {
        for (let n = 0; n < units; n++) gate[at + n] += sums[n];
        continue;
      }
      const factor = fround(this.#scales[b] * scale);
      for (let n = 0; n < units; n++) gate[at + n] += fround(fround(sums[n]) * factor);
    }
  }

  #quantize(): void {
    if (this.#isQuantized) return;
    for (let b = 0; b < this.batch; b++) {
      const at = b * this.depth;
      const row = this.#centered.subarray(at, at + this.depth);
      this.#scales[b] = quantizeVector(this.#source, at, this.depth, this.#asymmetric, row).scale;
    }
    this.#isQuantized = true;
  }
}

/** The definition of recurrent arithmetic. */
export const PLAIN_MATH: RecurrentMath = {
  vectors: (batch, depth, asymmetric) => new PlainVectors(batch, depth, asymmetric),
  apply: applyInPlace,
};

/** Sets every row of float32[batch, units] to `vector`, or to 0 where there is none. */
export function fillRows(rows: Float32Array, vector: Float32Array | undefined): void {
  if (vector === undefined) {
    rows.fill(0);
    return;
  }
  for (let at = 0; at < rows.length; at += vector.length) rows.set(vector, at);
}

/** Requires weights of float32, int8 or uint8 (as TensorFlow 1.13 stored int8) where the operand is there. */
export function requireWeights(node: KernelNode, indices: readonly number[]): void {
  for (const index of indices) {
    const dtype = node.inputs[index]?.dtype;
    if (dtype === undefined || dtype === "float32") continue;
    if (dtype !== "int8" && dtype !== "uint8") throw unsupported(node, `with weights ${dtype}`);
    if ((node.inputs[index]?.quantization?.scale.length ?? 0) !== 1) {
      throw unsupported(node, "with weights that have not exactly one scale");
    }
  }
}

/** Requires float32 where the operand is there. */
export function requireFloats(node: KernelNode, indices: readonly number[]): void {
  for (const index of indices) {
    const dtype = node.inputs[index]?.dtype;
    if (dtype !== undefined && dtype !== "float32") {
      throw unsupported(node, `with input ${index} ${dtype}`);
    }
  }
}

/** Requires float32 from input to outputs. */
export function requireFloatEnds(node: KernelNode): void {
  requireType(node, inputAt(node, 0), ["float32"], "input");
  for (const output of node.outputs) requireType(node, output, ["float32"], "output");
}

/** Requires the operand, where it is there, to have exactly that shape. */
export function requireShape(
  node: KernelNode,
  operand: TensorInfo | undefined,
  shape: readonly number[],
): void {
  if (operand === undefined) return;
  const fits =
    operand.shape.length === shape.length && operand.shape.every((n, i) => n === shape[i]);
  if (fits) return;
  throw misshapen(
    node,
    `${JSON.stringify(operand.name)} of shape ${formatShape(operand.shape)}`,
    formatShape(shape),
  );
}

/** Requires a variable with as many elements as `count`, whatever its shape. */
export function requireState(node: KernelNode, index: number, count: number): void {
  const state = inputAt(node, index);
  const elements = state.shape.reduce((product, size) => product * size, 1);
  if (elements === count) return;
  throw misshapen(node, `state of shape ${formatShape(state.shape)}`, `${count} elements`);
}
