/**
 * Emits out[i] = f(x[i]) over float32 arrays. `first` and `second` are numbers that a function may need: the bounds of a
 * clamp, the slope of a leaky rectifier.
 */
import type { FunctionBuilder, Local } from "../../../wasm/function-builder.ts";
import type { PlainInstruction } from "../../../wasm/instructions.ts";
import type { ModuleBuilder } from "../../../wasm/module-builder.ts";
import { emitAddTo, emitCountdown, emitSplat, emitSplatConstant } from "../emit-basics.ts";
import { emitExp } from "../math/emit-exp.ts";
import { emitExactGelu } from "../math/emit-gelu.ts";
import {
  emitPreciseLogistic,
  emitPreciseTanh,
  type PreciseScratch,
  preciseScratch,
} from "../math/emit-precise.ts";
import { emitLogistic, emitTanh, type TanhScratch, tanhScratch } from "../math/emit-tanh.ts";

/**
 * Names as in file names of the kernels: clamp(x, first, second), leaky: x·first below 0, quotient: x / first, from-int, to-int: to and from int32, precise: in float64, rounded
 * once.
 */
export type UnaryOp =
  | "abs"
  | "ceil"
  | "clamp"
  | "elu"
  | "exp"
  | "floor"
  | "from-int"
  | "gelu"
  | "gelu-exact"
  | "hardswish"
  | "leaky"
  | "logistic"
  | "neg"
  | "precise-logistic"
  | "precise-tanh"
  | "round"
  | "rsqrt"
  | "quotient"
  | "sqrt"
  | "square"
  | "tanh"
  | "to-int";

/** Addresses in bytes. */
export type UnaryFunction = (
  source: number,
  count: number,
  out: number,
  first: number,
  second: number,
) => void;

export function unaryName(op: UnaryOp): string {
  return `f32-v${op}`;
}

interface Frame {
  readonly f: FunctionBuilder;
  readonly x: Local;
  readonly first: Local;
  readonly second: Local;
  readonly scratch: TanhScratch;
  readonly precise: PreciseScratch;
}

/** Emits [x] → f(x); `x` holds the operand too. */
type EmitUnary = (frame: Frame) => void;

function instruction(name: PlainInstruction): EmitUnary {
  return ({ f }) => f.op(name);
}

const EMITTERS: Readonly<Record<UnaryOp, EmitUnary>> = {
  abs: instruction("f32x4.abs"),
  ceil: instruction("f32x4.ceil"),
  floor: instruction("f32x4.floor"),
  neg: instruction("f32x4.neg"),
  round: instruction("f32x4.nearest"),
  sqrt: instruction("f32x4.sqrt"),
  exp: ({ f, scratch }) => emitExp(f, scratch.exp),
  logistic: ({ f, scratch }) => emitLogistic(f, scratch),
  tanh: ({ f, scratch }) => emitTanh(f, scratch),
  "precise-logistic": ({ f, precise }) => emitPreciseLogistic(f, precise),
  "precise-tanh": ({ f, precise }) => emitPreciseTanh(f, precise),
  square({ f, x }) {
    f.get(x);
    f.op("f32x4.mul");
  },
  rsqrt({ f, x }) {
    f.op("f32x4.sqrt");
    f.set(x);
    emitSplatConstant(f, 1);
    f.get(x);
    f.op("f32x4.div");
  },
  "from-int": instruction("f32x4.convert_i32x4_s"),
  "to-int": emitToInt,
  clamp({ f, first, second }) {
    f.get(first);
    f.op("f32x4.pmax");
    f.get(second);
    f.op("f32x4.pmin");
  },
  quotient({ f, first }) {
    f.get(first);
    f.op("f32x4.div");
  },
  leaky({ f, x, first }) {
    f.get(first);
    f.op("f32x4.mul");
    emitWhereBelowZero(f, x);
  },
  elu({ f, x, scratch }) {
    emitExp(f, scratch.exp);
    emitSplatConstant(f, 1);
    f.op("f32x4.sub");
    emitWhereBelowZero(f, x);
  },
  hardswish({ f, x }) {
    emitSplatConstant(f, 3);
    f.op("f32x4.add");
    emitSplatConstant(f, 0);
    f.op("f32x4.max");
    emitSplatConstant(f, 6);
    f.op("f32x4.min");
    // As in the reference: x·(1/6) first, which does not overflow.
    f.get(x);
    emitSplatConstant(f, Math.fround(1 / 6));
    f.op("f32x4.mul");
    f.op("f32x4.mul");
  },
  gelu: emitGelu,
  "gelu-exact": ({ f, x, scratch }) => emitExactGelu(f, x, scratch),
};

/** Emits [x] → x cut off toward zero, as int32; NaN becomes the largest. */
function emitToInt({ f, x }: Frame): void {
  f.op("i32x4.trunc_sat_f32x4_s");
  f.i32(2 ** 31 - 1);
  f.op("i32x4.splat");
  f.get(x);
  f.get(x);
  f.op("f32x4.eq");
  f.op("v128.bitselect");
}

/** Emits [y] → y in lanes where x < 0, x in the others. */
function emitWhereBelowZero(f: FunctionBuilder, x: Local): void {
  f.get(x);
  f.get(x);
  emitSplatConstant(f, 0);
  f.op("f32x4.lt");
  f.op("v128.bitselect");
}

/** Emits [x] → x·½(1 + tanh(√(2/π)·(x + 0.044715·x³))). */
function emitGelu({ f, x, scratch }: Frame): void {
  f.get(x);
  f.op("f32x4.mul");
  emitSplatConstant(f, 0.044715);
  f.op("f32x4.mul");
  emitSplatConstant(f, 1);
  f.op("f32x4.add");
  f.get(x);
  f.op("f32x4.mul");
  emitSplatConstant(f, Math.sqrt(2 / Math.PI));
  f.op("f32x4.mul");
  emitTanh(f, scratch);
  emitSplatConstant(f, 1);
  f.op("f32x4.add");
  emitSplatConstant(f, 0.5);
  f.op("f32x4.mul");
  f.get(x);
  f.op("f32x4.mul");
}

/** Adds the function to `module`. */
export function emitUnary(module: ModuleBuilder, op: UnaryOp): void {
  const f = module.function(["i32", "i32", "i32", "f32", "f32"], [], unaryName(op));
  const [source, count, out] = [0, 1, 2].map((index) => f.param(index)) as Local[];
  const frame = {
    f,
    x: f.local("v128"),
    first: emitSplat(f, f.param(3)),
    second: emitSplat(f, f.param(4)),
    scratch: tanhScratch(f),
    precise: preciseScratch(f),
  };
  const turn = (lanes: 1 | 4) => {
    f.get(out);
    f.get(source);
    if (lanes === 4) f.mem("v128.load", 0, 2);
    else f.mem("v128.load32_zero");
    f.tee(frame.x);
    EMITTERS[op](frame);
    if (lanes === 4) f.mem("v128.store", 0, 2);
    else f.memLane("v128.store32_lane", 0);
    for (const pointer of [source, out]) emitAddTo(f, pointer, 4 * lanes);
  };
  emitCountdown(f, count, 4, () => turn(4));
  emitCountdown(f, count, 1, () => turn(1));
}
