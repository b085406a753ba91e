/**
 * Emits hyperbolic tangent and logistic function on four floats, both from `emit-exp.ts`. Near 0 the tangent is an odd
 * polynomial (the coefficients of the Cephes library's tanhf), so that small results keep their relative accuracy.
 * Relative error below 2^-21 where the result is a normal float; NaN stays NaN.
 */
import type { FunctionBuilder, Local } from "../../../wasm/function-builder.ts";
import { emitSplatConstant } from "../emit-basics.ts";
import { type ExpScratch, emitExp, emitPolynomial, expScratch } from "./emit-exp.ts";

const COEFFICIENTS = [
  -5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1,
];
/** Below this the polynomial serves. */
const SMALL = 0.625;

export interface TanhScratch {
  readonly exp: ExpScratch;
  readonly x: Local;
  readonly square: Local;
  readonly large: Local;
}

export function tanhScratch(f: FunctionBuilder): TanhScratch {
  const [x, square, large] = Array.from({ length: 3 }, () => f.local("v128"));
  return { exp: expScratch(f), x, square, large };
}

/** Emits [x] → tanh(x): sign(x)·(1 − 2/(e^(2|x|) + 1)) for large |x|. */
export function emitTanh(f: FunctionBuilder, { exp, x, square, large }: TanhScratch): void {
  f.tee(x);
  f.op("f32x4.abs");
  emitSplatConstant(f, 2);
  f.op("f32x4.mul");
  emitExp(f, exp);
  emitSplatConstant(f, 1);
  f.op("f32x4.add");
  f.set(large);
  emitSplatConstant(f, 1);
  emitSplatConstant(f, 2);
  f.get(large);
  f.op("f32x4.div");
  f.op("f32x4.sub");
  f.get(x);
  f.i32(-(2 ** 31));
  f.op("i32x4.splat");
  f.op("v128.and");
  f.op("v128.or");
  f.set(large);
  f.get(x);
  f.get(x);
  f.op("f32x4.mul");
  f.set(square);
  emitPolynomial(f, square, COEFFICIENTS);
  f.get(square);
  f.op("f32x4.mul");
  f.get(x);
  f.op("f32x4.mul");
  f.get(x);
  f.op("f32x4.add");
  f.get(large);
  f.get(x);
  f.op("f32x4.abs");
  emitSplatConstant(f, SMALL);
  f.op("f32x4.lt");
  f.op("v128.bitselect");
}

/** Emits [x] → 1/(1 + e^−x). */
export function emitLogistic(f: FunctionBuilder, { exp, large }: TanhScratch): void {
  f.op("f32x4.neg");
  emitExp(f, exp);
  emitSplatConstant(f, 1);
  f.op("f32x4.add");
  f.set(large);
  emitSplatConstant(f, 1);
  f.get(large);
  f.op("f32x4.div");
}
