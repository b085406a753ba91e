/**
 * Emits the sums of the rows of a matrix of bytes, times a constant: what a zero point of the weights adds to each
 * element of a row of the product.
 */
import type { Local } from "../../../wasm/function-builder.ts";
import type { ModuleBuilder } from "../../../wasm/module-builder.ts";
import type { ByteType } from "../activations/emit-quantize.ts";
import { emitAddTo, emitCopy, emitCountdown } from "../emit-basics.ts";

/** Bytes that are summed up, and whether rows are windows (`GemmVariant`). */
export interface RowSumsVariant {
  readonly from: ByteType;
  readonly windows: boolean;
}

export function rowSumsName({ from, windows }: RowSumsVariant): string {
  return `row-sums-${from}${windows ? "-windows" : ""}`;
}

/**
 * a: bytes [rows, count], `stride` bytes from row to row, count a multiple of 4. out: int32 per row, factor · sum. Of
 * windows a is a table of their addresses, and offsets int32[count / 4], where each four bytes begin; else it is not used.
 */
export type RowSumsFunction = (
  a: number,
  stride: number,
  rows: number,
  count: number,
  out: number,
  factor: number,
  offsets: number,
) => void;

const PARAMS = Array<"i32">(7).fill("i32");

/** Adds the function to `module`. */
export function emitRowSums(module: ModuleBuilder, { from, windows }: RowSumsVariant): void {
  const f = module.function(PARAMS, [], rowSumsName({ from, windows }));
  const [a, stride, rows, count, out, factor, offsets] = PARAMS.map((_, index) =>
    f.param(index),
  ) as Local[];
  const [at, left, table, sum] = [
    ...[f.local("i32"), f.local("i32"), f.local("i32")],
    f.local("v128"),
  ] as [Local, Local, Local, Local];
  const sign = from === "int8" ? "s" : "u";
  const add = (load: () => void) => {
    load();
    f.op(`i16x8.extadd_pairwise_i8x16_${sign}`);
    f.op(`i32x4.extadd_pairwise_i16x8_${sign}`);
    f.get(sum);
    f.op("i32x4.add");
    f.set(sum);
  };
  emitCountdown(f, rows, 1, () => {
    emitCopy(f, count, left);
    f.v128(new Uint8Array(16));
    f.set(sum);
    if (windows) {
      f.get(a);
      f.mem("i32.load");
      f.set(at);
      emitCopy(f, offsets, table);
      emitCountdown(f, left, 4, () => {
        add(() => {
          f.get(at);
          f.get(table);
          f.mem("i32.load");
          f.op("i32.add");
          f.mem("v128.load32_zero", 0, 0);
        });
        emitAddTo(f, table, 4);
      });
    } else {
      emitCopy(f, a, at);
      for (const [bytes, op] of [
        [16, "v128.load"],
        [4, "v128.load32_zero"],
      ] as const) {
        emitCountdown(f, left, bytes, () => {
          add(() => {
            f.get(at);
            f.mem(op, 0, 0);
          });
          emitAddTo(f, at, bytes);
        });
      }
    }
    f.get(out);
    for (let lane = 0; lane < 4; lane++) {
      f.get(sum);
      f.lane("i32x4.extract_lane", lane);
      if (lane > 0) f.op("i32.add");
    }
    f.get(factor);
    f.op("i32.mul");
    f.mem("i32.store");
    emitAddTo(f, out, 4);
    f.get(a);
    f.get(stride);
    f.op("i32.add");
    f.set(a);
  });
}
