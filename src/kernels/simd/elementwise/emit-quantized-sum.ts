/**
 * Emits the quantized sum of two arrays of bytes of one length, as `reference/quantized-arithmetic.ts` defines it:
 *
 *   out = clamp(z + m·(ma·(a − za)·2^la ± mb·(b − zb)·2^lb))
 *
 * ma and mb are doubling high multiplications that round half up; the last step rounds half up and then, in its shift,
 * half away from zero.
 */
import type { FunctionBuilder, Local } from "../../../wasm/function-builder.ts";
import type { ModuleBuilder } from "../../../wasm/module-builder.ts";
import type { ByteType } from "../activations/emit-quantize.ts";
import { emitAddTo, emitCountdown } from "../emit-basics.ts";
import { emitHighMultiply, emitIntegerClamp, emitNarrow } from "../emit-requantize.ts";

export interface QuantizedSumVariant {
  readonly dtype: ByteType;
  readonly sign: "add" | "sub";
}

export function quantizedSumName({ dtype, sign }: QuantizedSumVariant): string {
  return `${dtype === "int8" ? "qs8" : "qu8"}-v${sign}`;
}

/** One operand: its zero point, the left shift and the multiplier to the common scale. */
export type SumOperand = [zeroPoint: number, left: number, multiplier: number];

/** Addresses in bytes; `right` is the right shift to the output, from 0 to 31. */
export type QuantizedSumFunction = (
  ...args: [
    a: number,
    b: number,
    out: number,
    count: number,
    ...operandA: SumOperand,
    ...operandB: SumOperand,
    multiplier: number,
    right: number,
    zeroPoint: number,
    low: number,
    high: number,
  ]
) => void;

const PARAMS = Array<"i32">(15).fill("i32");
const GROUP = 8;

interface Frame {
  readonly f: FunctionBuilder;
  readonly variant: QuantizedSumVariant;
  readonly wide: readonly [Local, Local];
  readonly multiplier: Local;
  readonly right: Local;
  readonly mask: Local;
}

interface Operand {
  readonly address: Local;
  readonly zero: Local;
  readonly left: Local;
  readonly multiplier: Local;
}

/** Adds the function to `module`. */
export function emitQuantizedSum(module: ModuleBuilder, variant: QuantizedSumVariant): void {
  const f = module.function(PARAMS, [], quantizedSumName(variant));
  const at = (index: number) => f.param(index);
  const splat = (index: number) => emitSplatOf(f, "i32x4.splat", at(index));
  const operand = (address: Local, first: number): Operand => ({
    address,
    zero: emitSplatOf(f, "i16x8.splat", at(first)),
    left: at(first + 1),
    multiplier: splat(first + 2),
  });
  const [a, b] = [operand(at(0), 4), operand(at(1), 7)];
  const [out, count] = [at(2), at(3)];
  const frame: Frame = {
    f,
    variant,
    wide: [f.local("v128"), f.local("v128")],
    multiplier: splat(10),
    right: at(11),
    mask: emitMask(f, at(11)),
  };
  const bounds = { zeroPoint: splat(12), low: splat(13), high: splat(14) };
  const sums = [f.local("v128"), f.local("v128")] as const;
  const bytes = f.local("v128");
  const turn = (lanes: number) => {
    emitSums(frame, a, b, sums, lanes);
    for (const sum of sums) {
      emitToOutput(frame, sum);
      emitIntegerClamp(f, sum, bounds);
    }
    emitNarrow(f, sums, variant.dtype, bytes);
    f.get(out);
    f.get(bytes);
    f.memLane(lanes === GROUP ? "v128.store64_lane" : "v128.store8_lane", 0, 0, 0);
    for (const pointer of [a.address, b.address, out]) emitAddTo(f, pointer, lanes);
  };
  emitCountdown(f, count, GROUP, () => turn(GROUP));
  emitCountdown(f, count, 1, () => turn(1));
}

function emitSplatOf(f: FunctionBuilder, op: "i16x8.splat" | "i32x4.splat", value: Local): Local {
  const vector = f.local("v128");
  f.get(value);
  f.op(op);
  f.set(vector);
  return vector;
}

/** 2^right − 1 in all lanes. */
function emitMask(f: FunctionBuilder, right: Local): Local {
  const mask = f.local("v128");
  f.i32(1);
  f.get(right);
  f.op("i32.shl");
  f.i32(1);
  f.op("i32.sub");
  f.op("i32x4.splat");
  f.set(mask);
  return mask;
}

/** sums = both operands in the common scale, added or subtracted: four lanes in each vector. */
function emitSums(
  frame: Frame,
  a: Operand,
  b: Operand,
  sums: readonly [Local, Local],
  lanes: number,
): void {
  const { f, variant } = frame;
  const wide = [emitCentered(frame, a, lanes), emitCentered(frame, b, lanes)];
  sums.forEach((sum, half) => {
    [a, b].forEach((operand, index) => {
      f.get(wide[index]);
      f.op(half === 0 ? "i32x4.extend_low_i16x8_s" : "i32x4.extend_high_i16x8_s");
      f.get(operand.left);
      f.op("i32x4.shl");
      f.get(operand.multiplier);
      emitHighMultiply(f, frame.wide);
    });
    f.op(variant.sign === "add" ? "i32x4.add" : "i32x4.sub");
    f.set(sum);
  });
}

/** Eight int16 lanes of q − zero point; only the first counts when `lanes` is 1. */
function emitCentered({ f, variant }: Frame, { address, zero }: Operand, lanes: number): Local {
  const isSigned = variant.dtype === "int8";
  const vector = f.local("v128");
  f.get(address);
  if (lanes === GROUP) {
    f.mem(isSigned ? "v128.load8x8_s" : "v128.load8x8_u", 0, 0);
  } else {
    f.mem(isSigned ? "i32.load8_s" : "i32.load8_u");
    f.op("i16x8.splat");
  }
  f.get(zero);
  f.op("i16x8.sub");
  f.set(vector);
  return vector;
}

/** sum = p / 2^right, half away from zero, with p = the high product: (p >> r) + (rest > half − (p < 0 ? 0 : 1)…). */
function emitToOutput({ f, wide, multiplier, right, mask }: Frame, sum: Local): void {
  f.get(sum);
  f.get(multiplier);
  emitHighMultiply(f, wide);
  f.set(sum);
  f.get(sum);
  f.get(right);
  f.op("i32x4.shr_s");
  f.get(sum);
  f.get(mask);
  f.op("v128.and");
  f.get(mask);
  f.i32(1);
  f.op("i32x4.shr_u");
  f.get(sum);
  f.i32(31);
  f.op("i32x4.shr_u");
  f.op("i32x4.add");
  f.op("i32x4.gt_s");
  f.op("i32x4.sub");
  f.set(sum);
}
