/**
 * Emits softmax of rows of bytes as `reference/softmax.ts` defines it: e^(−β·s·d) by table for each distance d from the
 * row's maximum, sums in float32 in the order of the row, and results rounded half up.
 */
import type { FunctionBuilder, Local } from "../../../wasm/function-builder.ts";
import type { ModuleBuilder } from "../../../wasm/module-builder.ts";
import type { ByteType } from "../activations/emit-quantize.ts";
import { emitAddTo, emitCopy, emitCountdown } from "../emit-basics.ts";

export function softmaxBytesName(from: ByteType): string {
  return `${from}-softmax`;
}

/** Addresses in bytes. table: float32[256] of exponentials. scale: of the result; low, high: range of its type. */
export type SoftmaxBytesFunction = (
  source: number,
  rows: number,
  depth: number,
  out: number,
  table: number,
  scale: number,
  zeroPoint: number,
  low: number,
  high: number,
) => void;

/** What the passes over a row share. */
interface Frame {
  readonly f: FunctionBuilder;
  readonly from: ByteType;
  readonly at: Local;
  readonly top: Local;
  readonly table: Local;
}

/** Adds the function to `module`. */
export function emitSoftmaxBytes(module: ModuleBuilder, from: ByteType): void {
  const params = [...Array<"i32">(5).fill("i32"), "f32", "i32", "i32", "i32"] as const;
  const f = module.function(params, [], softmaxBytesName(from));
  const [source, rows, depth, out, table] = [0, 1, 2, 3, 4].map((index) =>
    f.param(index),
  ) as Local[];
  const [at, left, top] = [f.local("i32"), f.local("i32"), f.local("i32")];
  const [sum, inverse] = [f.local("f32"), f.local("f32")];
  const frame = { f, from, at, top, table };
  const walk = (turn: () => void) => {
    emitCopy(f, source, at);
    emitCopy(f, depth, left);
    emitCountdown(f, left, 1, () => {
      turn();
      emitAddTo(f, at, 1);
    });
  };
  emitCountdown(f, rows, 1, () => {
    f.i32(-128);
    f.set(top);
    walk(() => emitLargest(frame));
    f.f32(0);
    f.set(sum);
    walk(() => {
      f.get(sum);
      emitExponential(frame);
      f.op("f32.add");
      f.set(sum);
    });
    f.f32(1);
    f.get(sum);
    f.get(f.param(5));
    f.op("f32.mul");
    f.op("f32.div");
    f.set(inverse);
    walk(() => {
      f.get(out);
      emitQuotient(frame, inverse);
      f.mem("i32.store8");
      emitAddTo(f, out, 1);
    });
    emitCopy(f, at, source);
  });
}

function emitByte({ f, at, from }: Frame): void {
  f.get(at);
  f.mem(from === "int8" ? "i32.load8_s" : "i32.load8_u");
}

/** top = the larger of it and the byte. */
function emitLargest(frame: Frame): void {
  const { f, top } = frame;
  emitByte(frame);
  f.get(top);
  emitByte(frame);
  f.get(top);
  f.op("i32.gt_s");
  f.select();
  f.set(top);
}

/** Emits [] → the exponential of the byte's distance from the top. */
function emitExponential(frame: Frame): void {
  const { f, top, table } = frame;
  f.get(top);
  emitByte(frame);
  f.op("i32.sub");
  f.i32(2);
  f.op("i32.shl");
  f.get(table);
  f.op("i32.add");
  f.mem("f32.load");
}

/** Emits [] → the byte's share, quantized. */
function emitQuotient(frame: Frame, inverse: Local): void {
  const { f } = frame;
  emitExponential(frame);
  f.get(inverse);
  f.op("f32.mul");
  f.f32(0.5);
  f.op("f32.add");
  f.op("f32.floor");
  f.op("i32.trunc_sat_f32_s");
  f.get(f.param(6));
  f.op("i32.add");
  emitClamp(f, f.param(7), f.param(8));
}

/** Emits [value] → value between low and high. */
function emitClamp(f: FunctionBuilder, low: Local, high: Local): void {
  const value = f.local("i32");
  for (const [bound, op] of [
    [low, "i32.gt_s"],
    [high, "i32.lt_s"],
  ] as const) {
    f.set(value);
    f.get(value);
    f.get(bound);
    f.get(value);
    f.get(bound);
    f.op(op);
    f.select();
  }
}
