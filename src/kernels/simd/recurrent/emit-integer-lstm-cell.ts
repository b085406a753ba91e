/**
 * Emits what a fully quantized LSTM does with one row of int16 gates once they are complete
 * (`reference/lstm-integer-cell.ts` has the formulas): activations in Q0.15, the int16 cell state, the int8 hidden vector.
 * Gates lie one behind the other in the order input, forget, cell, output; without an input gate (CIFG) the forget gate
 * is first.
 */
import type { FunctionBuilder, Local } from "../../../wasm/function-builder.ts";
import type { ModuleBuilder } from "../../../wasm/module-builder.ts";
import { emitAddTo, emitCopy, emitCountdown } from "../emit-basics.ts";
import { emitHighMultiply } from "../emit-requantize.ts";
import {
  emitFixedLogistic,
  emitFixedTanh,
  type FixedScratch,
  fixedScratch,
} from "../math/emit-fixed-sigmoid.ts";

export interface IntegerLstmCellVariant {
  readonly hasInputGate: boolean;
  /** The scale of the cell state is 2^cellExponent. */
  readonly cellExponent: number;
}

export function integerLstmCellName(variant: IntegerLstmCellVariant): string {
  const cifg = variant.hasInputGate ? "" : "-cifg";
  return `i16-lstm-cell${cifg}-2^${variant.cellExponent}`;
}

/**
 * Addresses in bytes. gates: int16[gates, cells]. cell: int16[cells], replaced. hidden: int8[cells]. clip: limit of the
 * cell state. multiplier, exponent (2^(31−r)), zeroPoint: from Q0.30 to the hidden vector.
 */
export type IntegerLstmCellFunction = (
  gates: number,
  cell: number,
  hidden: number,
  cells: number,
  clip: number,
  multiplier: number,
  exponent: number,
  zeroPoint: number,
) => void;

/** Integer bits of a gate. */
const GATE_BITS = 3;

interface Frame {
  readonly f: FunctionBuilder;
  readonly variant: IntegerLstmCellVariant;
  readonly scratch: FixedScratch;
  readonly lanes: 1 | 8;
  readonly wide: readonly [Local, Local];
  readonly clip: Local;
  /** multiplier, exponent and zero point of the hidden vector in all lanes. */
  readonly toHidden: readonly Local[];
}

/** Adds the function to `module`. */
export function emitIntegerLstmCell(module: ModuleBuilder, variant: IntegerLstmCellVariant): void {
  const f = module.function(Array<"i32">(8).fill("i32"), [], integerLstmCellName(variant));
  const [gates, cell, hidden, cells] = [0, 1, 2, 3].map((index) => f.param(index)) as Local[];
  const splat = (index: number, op: "i16x8.splat" | "i32x4.splat") => {
    const vector = f.local("v128");
    f.get(f.param(index));
    f.op(op);
    f.set(vector);
    return vector;
  };
  const frame = {
    f,
    variant,
    scratch: fixedScratch(f),
    wide: [f.local("v128"), f.local("v128")] as const,
    clip: splat(4, "i16x8.splat"),
    toHidden: [5, 6, 7].map((index) => splat(index, "i32x4.splat")),
  };
  const pointers = Array.from({ length: variant.hasInputGate ? 4 : 3 }, () => f.local("i32"));
  for (const pointer of pointers) {
    emitCopy(f, gates, pointer);
    f.get(gates);
    f.get(cells);
    f.i32(1);
    f.op("i32.shl");
    f.op("i32.add");
    f.set(gates);
  }
  for (const lanes of [8, 1] as const) {
    emitCountdown(f, cells, lanes, () => {
      emitTurn({ ...frame, lanes }, pointers, cell, hidden);
      for (const pointer of [...pointers, cell]) emitAddTo(f, pointer, 2 * lanes);
      emitAddTo(f, hidden, lanes);
    });
  }
}

function emitTurn(frame: Frame, gates: readonly Local[], cell: Local, hidden: Local): void {
  const { f, variant, scratch, lanes } = frame;
  const [input, forget, candidate, output] = variant.hasInputGate ? gates : [undefined, ...gates];
  const [state, kept, admitted, added] = Array.from({ length: 4 }, () => f.local("v128"));
  emitLoad(frame, forget as Local);
  emitFixedLogistic(f, GATE_BITS, scratch);
  f.set(kept);
  if (input === undefined) {
    f.i32(32767);
    f.op("i16x8.splat");
    f.get(kept);
    f.op("i16x8.sub");
  } else {
    emitLoad(frame, input);
    emitFixedLogistic(f, GATE_BITS, scratch);
  }
  f.set(admitted);
  emitLoad(frame, candidate as Local);
  emitFixedTanh(f, GATE_BITS, scratch);
  f.set(added);
  emitLoad(frame, cell);
  f.set(state);
  emitNewState(frame, [kept, state], [admitted, added]);
  f.set(state);
  f.get(cell);
  f.get(state);
  if (lanes === 8) f.mem("v128.store", 0, 1);
  else f.memLane("v128.store16_lane", 0, 0, 1);
  emitLoad(frame, output as Local);
  emitFixedLogistic(f, GATE_BITS, scratch);
  f.set(kept);
  f.get(state);
  emitFixedTanh(f, 15 + variant.cellExponent, scratch);
  f.set(added);
  emitHidden(frame, kept, added);
  f.set(added);
  f.get(hidden);
  f.get(added);
  f.memLane(lanes === 8 ? "v128.store64_lane" : "v128.store8_lane", 0, 0, 0);
}

function emitLoad({ f, lanes }: Frame, address: Local): void {
  f.get(address);
  f.mem(lanes === 8 ? "v128.load" : "v128.load16_splat", 0, 1);
}

/** Emits [] → clip(f·c + i·g), each product rounded to the scale of the state. */
function emitNewState(
  { f, variant, clip }: Frame,
  keep: readonly [Local, Local],
  add: readonly [Local, Local],
): void {
  const part = f.local("v128");
  for (const half of ["low", "high"] as const) {
    for (const [[a, b], exponent] of [
      [keep, 15],
      [add, 30 + variant.cellExponent],
    ] as const) {
      f.get(a);
      f.get(b);
      f.op(`i32x4.extmul_${half}_i16x8_s`);
      f.set(part);
      emitHalfAway(f, part, exponent);
    }
    f.op("i32x4.add");
  }
  f.op("i16x8.narrow_i32x4_s");
  f.get(clip);
  f.op("i16x8.min_s");
  f.i32(0);
  f.op("i16x8.splat");
  f.get(clip);
  f.op("i16x8.sub");
  f.op("i16x8.max_s");
}

/** Emits [] → value / 2^exponent, halves away from zero. */
function emitHalfAway(f: FunctionBuilder, value: Local, exponent: number): void {
  f.get(value);
  if (exponent === 0) return;
  f.get(value);
  f.i32(31);
  f.op("i32x4.shr_s");
  f.op("i32x4.add");
  f.i32(2 ** (exponent - 1));
  f.op("i32x4.splat");
  f.op("i32x4.add");
  f.i32(exponent);
  f.op("i32x4.shr_s");
}

/** Emits [] → bytes of o·tanh(c), requantized with halves away from zero. */
function emitHidden({ f, wide, toHidden }: Frame, output: Local, activated: Local): void {
  const [multiplier, exponent, zeroPoint] = toHidden as [Local, Local, Local];
  const product = f.local("v128");
  for (const half of ["low", "high"] as const) {
    f.get(output);
    f.get(activated);
    f.op(`i32x4.extmul_${half}_i16x8_s`);
    f.get(multiplier);
    emitHighMultiply(f, wide);
    f.tee(product);
    f.get(product);
    f.i32(31);
    f.op("i32x4.shr_s");
    f.op("i32x4.add");
    f.get(exponent);
    emitHighMultiply(f, wide);
    f.get(zeroPoint);
    f.op("i32x4.add");
  }
  f.op("i16x8.narrow_i32x4_s");
  f.set(product);
  f.get(product);
  f.get(product);
  f.op("i8x16.narrow_i16x8_s");
}
