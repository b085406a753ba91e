/**
 * Emits one output row of a bilinear resize on float32: each pixel mixes four pixels of two input rows,
 *
 *   out = a·(1−y)(1−x) + b·(1−y)x + c·y(1−x) + d·yx
 *
 * A table has 12 bytes for each output column: byte offsets of the left and the right pixel in a row, and x.
 */
import type { Local } from "../../../wasm/function-builder.ts";
import type { ModuleBuilder } from "../../../wasm/module-builder.ts";
import { emitAddTo, emitCopy, emitCountdown, emitSplatConstant } from "../emit-basics.ts";

export const BILINEAR_NAME = "f32-bilinear-row";
/** Bytes of a column in the table. */
export const TAP_BYTES = 12;

/** Addresses in bytes; `above` and `below` are the two input rows, `depth` the floats of a pixel. */
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
export function emitBilinear(module: ModuleBuilder): void {
  const f = module.function([...Array<"i32">(6).fill("i32"), "f32"], [], BILINEAR_NAME);
  const [above, below, out, table, columns, depth] = [0, 1, 2, 3, 4, 5].map((index) =>
    f.param(index),
  ) as Local[];
  const weights = Array.from({ length: 4 }, () => f.local("v128"));
  const corners = Array.from({ length: 4 }, () => f.local("i32"));
  const left = f.local("i32");
  const fraction = (isUpper: boolean, emit: () => void) => {
    if (isUpper) {
      emit();
      return;
    }
    emitSplatConstant(f, 1);
    emit();
    f.op("f32x4.sub");
  };
  const emitY = () => {
    f.get(f.param(6));
    f.op("f32x4.splat");
  };
  const emitX = () => {
    f.get(table);
    f.mem("v128.load32_splat", 8);
  };
  emitCountdown(f, columns, 1, () => {
    weights.forEach((weight, corner) => {
      fraction(corner >= 2, emitY);
      fraction(corner % 2 === 1, emitX);
      f.op("f32x4.mul");
      f.set(weight);
      f.get(corner < 2 ? above : below);
      f.get(table);
      f.mem("i32.load", 4 * (corner % 2));
      f.op("i32.add");
      f.set(corners[corner]);
    });
    emitCopy(f, depth, left);
    for (const lanes of [4, 1]) {
      emitCountdown(f, left, lanes, () => {
        f.get(out);
        corners.forEach((corner, index) => {
          f.get(corner);
          f.mem(lanes === 4 ? "v128.load" : "v128.load32_zero", 0, 2);
          f.get(weights[index]);
          f.op("f32x4.mul");
          if (index > 0) f.op("f32x4.add");
        });
        if (lanes === 4) f.mem("v128.store", 0, 2);
        else f.memLane("v128.store32_lane", 0);
        for (const pointer of [...corners, out]) emitAddTo(f, pointer, 4 * lanes);
      });
    }
    emitAddTo(f, table, TAP_BYTES);
  });
}
