/**
 * Emits out[i] = clamp(a[i] ∘ b[i]) over rows of float32, along which either operand may be one repeated value.
 * Broadcasting over further dimensions is a list of such calls (`pair-rows.ts`).
 */
import type { FunctionBuilder, Local } from "../../../wasm/function-builder.ts";
import type { PlainInstruction } from "../../../wasm/instructions.ts";
import type { ModuleBuilder } from "../../../wasm/module-builder.ts";
import { emitAddTo, emitAdvance, emitCopy, emitCountdown, emitSplat } from "../emit-basics.ts";
import type { Repeated } from "./pair-rows.ts";

/** prelu: a where that is not below 0, a·b elsewhere. difference-squared: (a − b)². */
export type BinaryOp =
  | "add"
  | "sub"
  | "mul"
  | "div"
  | "max"
  | "min"
  | "prelu"
  | "difference-squared";

export interface BinaryVariant {
  readonly op: BinaryOp;
  readonly repeated: Repeated;
}

/** Addresses and strides in bytes; `count` results in each of `rows` rows, which follow each other. */
export type BinaryFunction = (
  a: number,
  b: number,
  out: number,
  count: number,
  rows: number,
  aStride: number,
  bStride: number,
  low: number,
  high: number,
) => void;

export function binaryName({ op, repeated }: BinaryVariant): string {
  return `f32-v${op}${repeated === "none" ? "" : `-repeat-${repeated}`}`;
}

const INSTRUCTION = {
  add: "f32x4.add",
  sub: "f32x4.sub",
  mul: "f32x4.mul",
  div: "f32x4.div",
} as const satisfies Partial<Record<BinaryOp, PlainInstruction>>;

/** Vectors per turn of the main loop. */
const UNROLL = 4;

/** Adds the function to `module`. */
export function emitBinary(module: ModuleBuilder, variant: BinaryVariant): void {
  const params = [...Array<"i32">(7).fill("i32"), "f32", "f32"] as const;
  const f = module.function(params, [], binaryName(variant));
  const [a, b, out, count, rows, aStride, bStride] = Array.from({ length: 7 }, (_, index) =>
    f.param(index),
  ) as Local[];
  const limits = [emitSplat(f, f.param(7)), emitSplat(f, f.param(8))] as const;
  const operands = [a, b].map((start, index): Operand => {
    const isRepeated = variant.repeated === (index === 0 ? "a" : "b");
    return { start, at: f.local("i32"), fixed: isRepeated ? f.local("v128") : undefined };
  });
  const left = f.local("i32");
  const results = Array.from({ length: UNROLL }, () => f.local("v128"));
  const pair = [f.local("v128"), f.local("v128")] as const;
  const turn = (vectors: readonly Local[], single: boolean) => {
    vectors.forEach((vector, index) => {
      operands.forEach((operand, side) => {
        emitOperand(f, operand, 16 * index, single);
        f.set(pair[side]);
      });
      emitOperation(f, variant.op, pair);
      f.get(limits[0]);
      f.op("f32x4.pmax");
      f.get(limits[1]);
      f.op("f32x4.pmin");
      f.set(vector);
    });
    vectors.forEach((vector, index) => {
      f.get(out);
      f.get(vector);
      if (single) f.memLane("v128.store32_lane", 0);
      else f.mem("v128.store", 16 * index, 2);
    });
    const bytes = single ? 4 : 16 * vectors.length;
    for (const { at, fixed } of operands) if (fixed === undefined) emitAddTo(f, at, bytes);
    emitAddTo(f, out, bytes);
  };
  emitCountdown(f, rows, 1, () => {
    for (const { start, at, fixed } of operands) {
      emitCopy(f, start, at);
      if (fixed !== undefined) emitSplatFrom(f, start, fixed);
    }
    emitCopy(f, count, left);
    emitCountdown(f, left, 4 * UNROLL, () => turn(results, false));
    emitCountdown(f, left, 4, () => turn(results.slice(0, 1), false));
    emitCountdown(f, left, 1, () => turn(results.slice(0, 1), true));
    emitAdvance(f, a, aStride, 1);
    emitAdvance(f, b, bStride, 1);
  });
}

/** One operand of a row: where it starts, where the loop is, and its value where that is repeated. */
interface Operand {
  readonly start: Local;
  readonly at: Local;
  readonly fixed: Local | undefined;
}

function emitSplatFrom(f: FunctionBuilder, address: Local, vector: Local): void {
  f.get(address);
  f.mem("v128.load32_splat");
  f.set(vector);
}

function emitOperand(
  f: FunctionBuilder,
  { at, fixed }: Operand,
  offset: number,
  single: boolean,
): void {
  if (fixed !== undefined) {
    f.get(fixed);
    return;
  }
  f.get(at);
  if (single) f.mem("v128.load32_zero", offset);
  else f.mem("v128.load", offset, 2);
}

/** Emits [] → a ∘ b. */
function emitOperation(f: FunctionBuilder, op: BinaryOp, [a, b]: readonly [Local, Local]): void {
  switch (op) {
    case "max":
    case "min":
      // The second operand where neither is larger, as with NaN.
      f.get(b);
      f.get(a);
      f.op(op === "max" ? "f32x4.pmax" : "f32x4.pmin");
      return;
    case "prelu":
      f.get(a);
      f.get(b);
      f.op("f32x4.mul");
      f.get(a);
      f.get(a);
      f.f32(0);
      f.op("f32x4.splat");
      f.op("f32x4.lt");
      f.op("v128.bitselect");
      return;
    case "difference-squared":
      f.get(a);
      f.get(b);
      f.op("f32x4.sub");
      f.set(a);
      f.get(a);
      f.get(a);
      f.op("f32x4.mul");
      return;
    default:
      f.get(a);
      f.get(b);
      f.op(INSTRUCTION[op]);
  }
}
