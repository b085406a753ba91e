/**
 * Emits the Gaussian error linear unit on four floats. With Φ the normal distribution, h = Φ(−|x|) and z = |x|/√2:
 *
 *   x·Φ(x) = x − x·h for x > 0, x·h below;   h = ½·P(t)·e^(−z²),  t = 1 / (1 + p·z)
 *
 * by formula 7.1.26 of Abramowitz and Stegun, Handbook of Mathematical Functions: |error of h| < 10⁻⁷.
 */
import { FLOAT32_MAX } from "../../../base/dtype.ts";
import type { FunctionBuilder, Local } from "../../../wasm/function-builder.ts";
import { emitSplatConstant } from "../emit-basics.ts";
import { emitExp, emitPolynomial } from "./emit-exp.ts";
import type { TanhScratch } from "./emit-tanh.ts";

const P = 0.3275911;

/** a₅ … a₁, for ½·P(t). */
const COEFFICIENTS = [1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592].map(
  (coefficient) => coefficient / 2,
);

/** Emits [x] → x·Φ(x); `x` holds the operand too. */
export function emitExactGelu(
  f: FunctionBuilder,
  x: Local,
  { exp, square: t, large: tail }: TanhScratch,
): void {
  f.op("f32x4.abs");
  emitSplatConstant(f, P * Math.SQRT1_2);
  f.op("f32x4.mul");
  emitSplatConstant(f, 1);
  f.op("f32x4.add");
  f.set(tail);
  emitSplatConstant(f, 1);
  f.get(tail);
  f.op("f32x4.div");
  f.set(t);
  f.get(x);
  f.get(x);
  f.op("f32x4.mul");
  emitSplatConstant(f, -0.5);
  f.op("f32x4.mul");
  emitExp(f, exp);
  emitPolynomial(f, t, COEFFICIENTS);
  f.get(t);
  f.op("f32x4.mul");
  f.op("f32x4.mul");
  f.get(x);
  // Far beyond it h is 0; an infinite x must not meet that 0 in a product.
  emitSplatConstant(f, FLOAT32_MAX);
  f.op("f32x4.min");
  f.op("f32x4.mul");
  f.set(tail);
  f.get(x);
  f.get(tail);
  f.op("f32x4.sub");
  f.get(tail);
  f.get(x);
  emitSplatConstant(f, 0);
  f.op("f32x4.gt");
  f.op("v128.bitselect");
}
