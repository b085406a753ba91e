/**
 * Emits the sums of the rows of a matrix of bytes, times a constant: what a zero point of the weights adds to each
 * element of a row of the product.
 */
import type { Local } from "../../../wasm/function-builder.ts";
import type { ModuleBuilder } from "../../../wasm/module-builder.ts";
import type { ByteType } from "../activations/emit-quantize.ts";
import { emitAddTo, emitCopy, emitCountdown } from "../emit-basics.ts";

export function rowSumsName(from: ByteType): string {
  return `row-sums-${from}`;
}

/** a: bytes [rows, count], `stride` bytes from row to row, count a multiple of 4. out: int32 per row, factor · sum. */
export type RowSumsFunction = (
  a: number,
  stride: number,
  rows: number,
  count: number,
  out: number,
  factor: number,
) => void;

const PARAMS = Array<"i32">(6).fill("i32");

/** Adds the function to `module`. */
export function emitRowSums(module: ModuleBuilder, from: ByteType): void {
  const f = module.function(PARAMS, [], rowSumsName(from));
  const [a, stride, rows, count, out, factor] = PARAMS.map((_, index) => f.param(index)) as Local[];
  const [at, left, sum] = [f.local("i32"), f.local("i32"), f.local("v128")];
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
    emitCopy(f, a, at);
    emitCopy(f, count, left);
    f.v128(new Uint8Array(16));
    f.set(sum);
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
