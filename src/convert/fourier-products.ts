/** Fourier transforms of the last axis as products with matrices of cosines and sines, on real and imaginary parts. */
import type { ValueRef } from "../graph/ir.ts";
import { attr } from "./attributes.ts";
import type { NodeWriter } from "./node-writer.ts";

/** A complex value. A native one is also there whole: TensorFlow Lite can compute it. */
export interface Parts {
  readonly re: ValueRef;
  readonly im: ValueRef;
  readonly isNative?: boolean;
}

/** Longest transform: its two matrices have twice as many elements as the square of this. */
const MAX_LENGTH = 2048;

/** (a + bi)(c + di). */
export function times(x: Parts, y: Parts, w: NodeWriter): Parts {
  return {
    re: w.sub(w.mul(x.re, y.re), w.mul(x.im, y.im)),
    im: w.add(w.mul(x.re, y.im), w.mul(x.im, y.re)),
  };
}

/** y[t] = (1/n)·Σ w_k·(re_k·cos(2πkt/n) − im_k·sin(2πkt/n)), where w is 1 for k = 0 and k = n/2, and 2 between them. */
export function inverseRealTransform(
  x: Parts,
  length: number | undefined,
  w: NodeWriter,
): ValueRef | undefined {
  const given = w.build.shape(x.re)?.at(-1) ?? -1;
  if (length === undefined || length < 1 || length > MAX_LENGTH || given < 1 || given > MAX_LENGTH)
    return undefined;
  const half = Math.floor(length / 2) + 1;
  // Frequencies beyond half the length are cut off, missing ones are 0.
  const element = (wave: (angle: number) => number) => (k: number, t: number) => {
    const weight = k === 0 || 2 * k === length ? 1 : 2;
    return k < half ? (weight * wave(2 * Math.PI * turn(k, t, length))) / length : 0;
  };
  const cosines = matrix("cosines", given, length, element(Math.cos), w);
  const sines = matrix(
    "sines",
    given,
    length,
    element((angle) => -Math.sin(angle)),
    w,
  );
  return w.add(product(x.re, cosines, w), product(x.im, sines, w));
}

/** X[k] = Σ x[t]·e^{−2πikt/n} of real numbers, for k = 0 … n/2. Numbers beyond n are cut off, missing ones are 0. */
export function realTransform(x: ValueRef, length: number, w: NodeWriter): Parts | undefined {
  const given = w.build.shape(x)?.at(-1) ?? -1;
  if (length < 1 || length > MAX_LENGTH || given < 1 || given > MAX_LENGTH) return undefined;
  const half = Math.floor(length / 2) + 1;
  const element = (wave: (angle: number) => number) => (t: number, k: number) =>
    t < length ? wave(-2 * Math.PI * turn(k, t, length)) : 0;
  return {
    re: product(x, matrix("cosines", given, half, element(Math.cos), w), w),
    im: product(x, matrix("sines", given, half, element(Math.sin), w), w),
  };
}

/** X[k] = Σ x[t]·e^{sign·2πikt/n}, divided by n where the sign is +1. */
export function complexTransform(x: Parts, sign: 1 | -1, w: NodeWriter): Parts | undefined {
  const length = w.build.shape(x.re)?.at(-1) ?? -1;
  if (length < 1 || length > MAX_LENGTH) return undefined;
  const scale = sign > 0 ? 1 / length : 1;
  const angle = (t: number, k: number) => sign * 2 * Math.PI * turn(k, t, length);
  const cosines = matrix("cosines", length, length, (t, k) => scale * Math.cos(angle(t, k)), w);
  const sines = matrix("sines", length, length, (t, k) => scale * Math.sin(angle(t, k)), w);
  return {
    re: w.sub(product(x.re, cosines, w), product(x.im, sines, w)),
    im: w.add(product(x.re, sines, w), product(x.im, cosines, w)),
  };
}

/** kt/n without whole turns, which would cost digits. */
const turn = (k: number, t: number, length: number): number => ((k * t) % length) / length;

function matrix(
  name: string,
  rows: number,
  columns: number,
  element: (row: number, column: number) => number,
  { build, prefix }: NodeWriter,
): ValueRef {
  const data = new Float32Array(rows * columns);
  for (let i = 0; i < data.length; i++) data[i] = element(Math.floor(i / columns), i % columns);
  return build.constant(`${prefix}/${name}`, { dtype: "float32", shape: [rows, columns], data });
}

function product(x: ValueRef, weights: ValueRef, w: NodeWriter): ValueRef {
  const rank = w.build.shape(x)?.length ?? 0;
  if (rank === 1) {
    const size = w.build.shape(weights)?.[1] ?? -1;
    const row = w.node("ExpandDims", [x, w.build.int(0)]);
    return w.reshape(product(row, weights, w), [size]);
  }
  if (rank === 2) {
    const plain = { transpose_a: attr.bool(false), transpose_b: attr.bool(false) };
    return w.node("MatMul", [x, weights], plain);
  }
  return w.node("BatchMatMulV2", [x, weights], {
    adj_x: attr.bool(false),
    adj_y: attr.bool(false),
  });
}
