/**
 * Emits one output row of a bilinear resize: each pixel mixes four pixels of two input rows,
 *
 *   out = a·(1−y)(1−x) + b·(1−y)x + c·y(1−x) + d·yx
 *
 * in float32 for floats and uint8 (rounded half up when stored); int8 in units of 2^-20, rounded half away from zero, with
 * y and x in units of 2^-10 (`reference/resizing.ts`). A table has 12 bytes for each output column: byte offsets of the
 * left and the right pixel in a row, and x.
 */
import type { FunctionBuilder, Local } from "../../../wasm/function-builder.ts";
import type { ModuleBuilder } from "../../../wasm/module-builder.ts";
import { emitAddTo, emitCopy, emitCountdown, emitSplatConstant } from "../emit-basics.ts";
import { emitNarrow } from "../emit-requantize.ts";

export type BilinearData = "f32" | "int8" | "uint8";

/** Bytes of a column in the table. */
export const TAP_BYTES = 12;
/** What int8 weights are out of. */
const ONE = 1024;
/** Bits of the product of two such weights. */
const WEIGHT_BITS = 20;

export function bilinearName(data: BilinearData): string {
  return `${data}-bilinear-row`;
}

/** Addresses in bytes; `above` and `below` are the two input rows, `depth` the elements of a pixel. */
export type BilinearFunction = (
  above: number,
  below: number,
  out: number,
  table: number,
  columns: number,
  depth: number,
  y: number,
) => void;

/** Adds the function to `module`. */
export function emitBilinear(module: ModuleBuilder, data: BilinearData): void {
  const isInteger = data === "int8";
  const number = isInteger ? "i32" : "f32";
  const f = module.function([...Array<"i32">(6).fill("i32"), number], [], bilinearName(data));
  const [above, below, out, table, columns, depth] = [0, 1, 2, 3, 4, 5].map((index) =>
    f.param(index),
  ) as Local[];
  const itemBytes = data === "f32" ? 4 : 1;
  const weights = Array.from({ length: 4 }, () => f.local("v128"));
  const corners = Array.from({ length: 4 }, () => f.local("i32"));
  const [left, mixed] = [f.local("i32"), f.local("v128")];
  const emitY = () => {
    f.get(f.param(6));
    f.op(isInteger ? "i32x4.splat" : "f32x4.splat");
  };
  const emitX = () => {
    f.get(table);
    f.mem("v128.load32_splat", 8);
  };
  emitCountdown(f, columns, 1, () => {
    weights.forEach((weight, corner) => {
      emitFraction(f, isInteger, corner >= 2, emitY);
      emitFraction(f, isInteger, corner % 2 === 1, emitX);
      f.op(isInteger ? "i32x4.mul" : "f32x4.mul");
      f.set(weight);
      f.get(corner < 2 ? above : below);
      f.get(table);
      f.mem("i32.load", 4 * (corner % 2));
      f.op("i32.add");
      f.set(corners[corner]);
    });
    emitCopy(f, depth, left);
    for (const lanes of [4, 1] as const) {
      emitCountdown(f, left, lanes, () => {
        corners.forEach((corner, index) => {
          emitElements(f, corner, data, lanes);
          f.get(weights[index]);
          f.op(isInteger ? "i32x4.mul" : "f32x4.mul");
          if (index > 0) f.op(isInteger ? "i32x4.add" : "f32x4.add");
        });
        f.set(mixed);
        emitStore(f, out, mixed, data, lanes);
        for (const pointer of [...corners, out]) emitAddTo(f, pointer, itemBytes * lanes);
      });
    }
    emitAddTo(f, table, TAP_BYTES);
  });
}

/** Emits [] → the fraction, or what it lacks to one. */
function emitFraction(
  f: FunctionBuilder,
  isInteger: boolean,
  isUpper: boolean,
  emit: () => void,
): void {
  if (isUpper) {
    emit();
    return;
  }
  if (isInteger) {
    f.i32(ONE);
    f.op("i32x4.splat");
  } else {
    emitSplatConstant(f, 1);
  }
  emit();
  f.op(isInteger ? "i32x4.sub" : "f32x4.sub");
}

/** Emits [] → four elements, or one in the first lane, as the numbers that are mixed. */
function emitElements(f: FunctionBuilder, address: Local, data: BilinearData, lanes: 1 | 4): void {
  f.get(address);
  if (data === "f32") {
    f.mem(lanes === 4 ? "v128.load" : "v128.load32_zero", 0, 2);
    return;
  }
  const sign = data === "int8" ? "s" : "u";
  if (lanes === 4) {
    f.mem("v128.load32_zero", 0, 0);
    f.op(`i16x8.extend_low_i8x16_${sign}`);
    f.op(`i32x4.extend_low_i16x8_${sign}`);
  } else {
    f.mem(`i32.load8_${sign}`);
    f.op("i32x4.splat");
  }
  if (data === "uint8") f.op("f32x4.convert_i32x4_u");
}

function emitStore(
  f: FunctionBuilder,
  out: Local,
  mixed: Local,
  data: BilinearData,
  lanes: 1 | 4,
): void {
  if (data === "f32") {
    f.get(out);
    f.get(mixed);
    if (lanes === 4) f.mem("v128.store", 0, 2);
    else f.memLane("v128.store32_lane", 0);
    return;
  }
  if (data === "int8") emitRoundInteger(f, mixed);
  else {
    f.get(mixed);
    emitSplatConstant(f, 0.5);
    f.op("f32x4.add");
    f.op("f32x4.floor");
    f.op("i32x4.trunc_sat_f32x4_s");
    f.set(mixed);
  }
  emitNarrow(f, [mixed], data, mixed);
  f.get(out);
  f.get(mixed);
  f.memLane(lanes === 4 ? "v128.store32_lane" : "v128.store8_lane", 0, 0, 0);
}

/** x = x / 2^20, half away from zero: the magnitude is rounded, and gets its sign back. */
function emitRoundInteger(f: FunctionBuilder, x: Local): void {
  const sign = f.local("v128");
  f.get(x);
  f.i32(31);
  f.op("i32x4.shr_s");
  f.set(sign);
  f.get(x);
  f.op("i32x4.abs");
  f.i32(1 << (WEIGHT_BITS - 1));
  f.op("i32x4.splat");
  f.op("i32x4.add");
  f.i32(WEIGHT_BITS);
  f.op("i32x4.shr_u");
  f.get(sign);
  f.op("v128.xor");
  f.get(sign);
  f.op("i32x4.sub");
  f.set(x);
}
