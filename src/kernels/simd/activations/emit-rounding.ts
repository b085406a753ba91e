/** Emits the steps of rounding to integers within bounds, on vectors of floats (`reference/hybrid.ts` has the law). */
import type { FunctionBuilder, Local } from "../../../wasm/function-builder.ts";
import { emitSplatConstant } from "../emit-basics.ts";

/** Vectors that numbers are kept within. */
export interface Bounds {
  readonly low: Local;
  readonly high: Local;
}

/** 0.5 and the sign bit in all lanes, set once: engines pair operations only on one and the same vector. */
export interface Halves {
  readonly half: Local;
  readonly sign: Local;
}

export function emitHalves(f: FunctionBuilder): Halves {
  const [half, sign] = [f.local("v128"), f.local("v128")];
  emitSplatConstant(f, 0.5);
  f.set(half);
  emitSplatConstant(f, -0);
  f.set(sign);
  return { half, sign };
}

/** x = f32(x + copysign(0.5, x)), which is truncated once it is clamped: the bounds are integers. */
export function emitHalfAway(f: FunctionBuilder, x: Local, { half, sign }: Halves): void {
  f.get(x);
  f.get(half);
  f.get(x);
  f.get(sign);
  f.op("v128.and");
  f.op("v128.or");
  f.op("f32x4.add");
  f.set(x);
}

/** x = trunc(x) + trunc(2 · (x − trunc(x))): the fraction's double is exact, and ±1 from one half on. */
export function emitRoundExact(f: FunctionBuilder, x: Local): void {
  const whole = f.local("v128");
  f.get(x);
  f.op("f32x4.trunc");
  f.tee(whole);
  f.get(x);
  f.get(whole);
  f.op("f32x4.sub");
  f.f32(2);
  f.op("f32x4.splat");
  f.op("f32x4.mul");
  f.op("f32x4.trunc");
  f.op("f32x4.add");
  f.set(x);
}

export function emitClamp(f: FunctionBuilder, x: Local, { low, high }: Bounds): void {
  // In this order NaN becomes the lower bound.
  f.get(low);
  f.get(x);
  f.op("f32x4.pmax");
  f.get(high);
  f.op("f32x4.pmin");
  f.set(x);
}
