/**
 * Emits out[i] = clamp(a[i] ∘ b[i]) over float32 arrays of one length, with either operand optionally one repeated
 * value. Broadcasting over leading or trailing dimensions is a loop of such calls.
 */
import type { FunctionBuilder, Local } from "../../../wasm/function-builder.ts";
import type { PlainInstruction } from "../../../wasm/instructions.ts";
import type { ModuleBuilder } from "../../../wasm/module-builder.ts";
import { emitAddTo, emitCountdown, emitSplat } from "../emit-basics.ts";

export type BinaryOp = "add" | "sub" | "mul" | "div";
/** Which operand is one value for all elements. */
export type Repeated = "none" | "a" | "b";

export interface BinaryVariant {
  readonly op: BinaryOp;
  readonly repeated: Repeated;
}

/** Addresses in bytes. */
export type BinaryFunction = (
  a: number,
  b: number,
  out: number,
  count: number,
  low: number,
  high: number,
) => void;

export function binaryName({ op, repeated }: BinaryVariant): string {
  return `f32-v${op}${repeated === "none" ? "" : `-repeat-${repeated}`}`;
}

const INSTRUCTION: Readonly<Record<BinaryOp, PlainInstruction>> = {
  add: "f32x4.add",
  sub: "f32x4.sub",
  mul: "f32x4.mul",
  div: "f32x4.div",
};

/** Vectors per turn of the main loop. */
const UNROLL = 4;

/** Adds the function to `module`. */
export function emitBinary(module: ModuleBuilder, variant: BinaryVariant): void {
  const f = module.function(["i32", "i32", "i32", "i32", "f32", "f32"], [], binaryName(variant));
  const [a, b, out, count] = [0, 1, 2, 3].map((index) => f.param(index)) as Local[];
  const [low, high] = [emitSplat(f, f.param(4)), emitSplat(f, f.param(5))];
  const operands = [
    { address: a, fixed: variant.repeated === "a" ? loadSplat(f, a) : undefined },
    { address: b, fixed: variant.repeated === "b" ? loadSplat(f, b) : undefined },
  ];
  const results = Array.from({ length: UNROLL }, () => f.local("v128"));
  const turn = (vectors: readonly Local[], single: boolean) => {
    vectors.forEach((vector, index) => {
      for (const { address, fixed } of operands) {
        if (fixed === undefined) loadVector(f, address, 16 * index, single);
        else f.get(fixed);
      }
      f.op(INSTRUCTION[variant.op]);
      f.get(low);
      f.op("f32x4.pmax");
      f.get(high);
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
    for (const { address, fixed } of operands) {
      if (fixed === undefined) emitAddTo(f, address, bytes);
    }
    emitAddTo(f, out, bytes);
  };
  emitCountdown(f, count, 4 * UNROLL, () => turn(results, false));
  emitCountdown(f, count, 4, () => turn(results.slice(0, 1), false));
  emitCountdown(f, count, 1, () => turn(results.slice(0, 1), true));
}

function loadSplat(f: FunctionBuilder, address: Local): Local {
  const vector = f.local("v128");
  f.get(address);
  f.mem("v128.load32_splat");
  f.set(vector);
  return vector;
}

function loadVector(f: FunctionBuilder, address: Local, offset: number, single: boolean): void {
  f.get(address);
  if (single) f.mem("v128.load32_zero", offset);
  else f.mem("v128.load", offset, 2);
}
