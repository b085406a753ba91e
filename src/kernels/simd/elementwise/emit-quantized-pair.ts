/**
 * Emits quantized sums and products of rows of bytes or of int16, as `reference/quantized-arithmetic.ts` defines them:
 *
 *   out = clamp(z + m·(ma·(a − za)·2^la ± mb·(b − zb)·2^lb))        out = clamp(z + m·(a − za)·(b − zb))
 *
 * ma and mb are doubling high multiplications that round half up; the last step rounds half up and then, in its shift,
 * half away from zero. Either operand may be one repeated value along a row.
 */
import type { FunctionBuilder, Local } from "../../../wasm/function-builder.ts";
import type { ModuleBuilder } from "../../../wasm/module-builder.ts";
import type { ByteType } from "../activations/emit-quantize.ts";
import { emitAddTo, emitAdvance, emitCopy, emitCountdown } from "../emit-basics.ts";
import { emitHighMultiply, emitIntegerClamp, emitNarrow } from "../emit-requantize.ts";
import type { Repeated } from "./pair-rows.ts";

export interface QuantizedPairVariant {
  readonly dtype: ByteType | "int16";
  readonly op: "add" | "sub" | "mul";
  readonly repeated: Repeated;
}

export function quantizedPairName({ dtype, op, repeated }: QuantizedPairVariant): string {
  const suffix = repeated === "none" ? "" : `-repeat-${repeated}`;
  return `${{ int8: "qs8", uint8: "qu8", int16: "qs16" }[dtype]}-v${op}${suffix}`;
}

/** One operand: its zero point, the left shift and the multiplier to the common scale; the last two for sums only. */
export type PairOperand = [zeroPoint: number, left: number, multiplier: number];

/** Addresses and strides in bytes, as in `emit-binary.ts`; `right` is the right shift to the output, from 0 to 31. */
export type QuantizedPairFunction = (
  ...args: [
    a: number,
    b: number,
    out: number,
    count: number,
    rows: number,
    aStride: number,
    bStride: number,
    ...operandA: PairOperand,
    ...operandB: PairOperand,
    multiplier: number,
    right: number,
    zeroPoint: number,
    low: number,
    high: number,
  ]
) => void;

const PARAMS = Array<"i32">(18).fill("i32");
const GROUP = 8;

interface Frame {
  readonly f: FunctionBuilder;
  readonly variant: QuantizedPairVariant;
  readonly wide: readonly [Local, Local];
  readonly multiplier: Local;
  readonly right: Local;
  readonly mask: Local;
}

interface Operand {
  readonly start: Local;
  readonly address: Local;
  readonly isRepeated: boolean;
  readonly zero: Local;
  readonly left: Local;
  readonly multiplier: Local;
}

/** Adds the function to `module`. */
export function emitQuantizedPair(module: ModuleBuilder, variant: QuantizedPairVariant): void {
  const f = module.function(PARAMS, [], quantizedPairName(variant));
  const at = (index: number) => f.param(index);
  const splat = (index: number) => emitSplatOf(f, "i32x4.splat", at(index));
  const operand = (start: Local, first: number, name: Repeated): Operand => ({
    start,
    address: f.local("i32"),
    isRepeated: variant.repeated === name,
    zero: emitSplatOf(f, "i16x8.splat", at(first)),
    left: at(first + 1),
    multiplier: splat(first + 2),
  });
  const [a, b] = [operand(at(0), 7, "a"), operand(at(1), 10, "b")];
  const [out, count, rows] = [at(2), at(3), at(4)];
  const frame: Frame = {
    f,
    variant,
    wide: [f.local("v128"), f.local("v128")],
    multiplier: splat(13),
    right: at(14),
    mask: emitMask(f, at(14)),
  };
  const bounds = { zeroPoint: splat(15), low: splat(16), high: splat(17) };
  const sums = [f.local("v128"), f.local("v128")] as const;
  const [result, left] = [f.local("v128"), f.local("i32")];
  const itemBytes = variant.dtype === "int16" ? 2 : 1;
  const turn = (lanes: number) => {
    emitSums(frame, a, b, sums, lanes);
    for (const sum of sums) {
      emitToOutput(frame, sum);
      emitIntegerClamp(f, sum, bounds);
    }
    emitStore(f, variant.dtype, { sums, result, out }, lanes);
    for (const { address, isRepeated } of [a, b]) {
      if (!isRepeated) emitAddTo(f, address, itemBytes * lanes);
    }
    emitAddTo(f, out, itemBytes * lanes);
  };
  emitCountdown(f, rows, 1, () => {
    for (const { start, address } of [a, b]) emitCopy(f, start, address);
    emitCopy(f, count, left);
    emitCountdown(f, left, GROUP, () => turn(GROUP));
    emitCountdown(f, left, 1, () => turn(1));
    emitAdvance(f, a.start, at(5), 1);
    emitAdvance(f, b.start, at(6), 1);
  });
}

/** Stores one number, or eight. */
function emitStore(
  f: FunctionBuilder,
  dtype: QuantizedPairVariant["dtype"],
  at: { readonly sums: readonly [Local, Local]; readonly result: Local; readonly out: Local },
  lanes: number,
): void {
  const { sums, result, out } = at;
  if (dtype === "int16") {
    f.get(sums[0]);
    f.get(sums[1]);
    f.op("i16x8.narrow_i32x4_s");
    f.set(result);
  } else {
    emitNarrow(f, sums, dtype, result);
  }
  f.get(out);
  f.get(result);
  if (dtype === "int16") {
    if (lanes === GROUP) f.mem("v128.store", 0, 1);
    else f.memLane("v128.store16_lane", 0, 0, 1);
  } else {
    f.memLane(lanes === GROUP ? "v128.store64_lane" : "v128.store8_lane", 0, 0, 0);
  }
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

/** sums = both operands in the common scale, added or subtracted, or their product: four lanes in each vector. */
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
    if (variant.op === "mul") {
      for (const operand of wide) f.get(operand);
      f.op(half === 0 ? "i32x4.extmul_low_i16x8_s" : "i32x4.extmul_high_i16x8_s");
      f.set(sum);
      return;
    }
    [a, b].forEach((operand, index) => {
      f.get(wide[index]);
      f.op(half === 0 ? "i32x4.extend_low_i16x8_s" : "i32x4.extend_high_i16x8_s");
      f.get(operand.left);
      f.op("i32x4.shl");
      f.get(operand.multiplier);
      emitHighMultiply(f, frame.wide);
    });
    f.op(variant.op === "add" ? "i32x4.add" : "i32x4.sub");
    f.set(sum);
  });
}

/** Eight int16 lanes of q − zero point; only the first counts when `lanes` is 1, and all are one repeated value. */
function emitCentered(
  { f, variant }: Frame,
  { address, zero, isRepeated }: Operand,
  lanes: number,
): Local {
  const isWhole = lanes === GROUP && !isRepeated;
  const vector = f.local("v128");
  f.get(address);
  switch (variant.dtype) {
    case "int16":
      if (isWhole) f.mem("v128.load", 0, 1);
      else f.mem("v128.load16_splat", 0, 1);
      break;
    case "int8":
      if (isWhole) f.mem("v128.load8x8_s", 0, 0);
      else f.mem("i32.load8_s");
      break;
    case "uint8":
      if (isWhole) f.mem("v128.load8x8_u", 0, 0);
      else f.mem("i32.load8_u");
  }
  if (!isWhole && variant.dtype !== "int16") f.op("i16x8.splat");
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
