/**
 * Emits C[m, n] = clamp(epilogue(A[m, k] · W[k, n])) over packed weights. One function walks all panels of the weights
 * (outer loop) and all rows of A (inner loop), so the caller hands it a block of rows that stays in the first-level
 * cache. Rows beyond m repeat the last row: no remainder code for rows.
 */
import type { FunctionBuilder, Label, Local } from "../../../wasm/function-builder.ts";
import type { ModuleBuilder } from "../../../wasm/module-builder.ts";
import { emitAddTo, emitAdvance, emitCopy, emitSplat } from "../emit-basics.ts";
import type { GemmVariant } from "./variants.ts";

/** How the emitted function is called. Addresses and strides in bytes. */
export type GemmFunction = (
  /** A: float32[m, k], or int16[m, 2 · steps] for qd8. */
  a: number,
  aStride: number,
  /** Packed weights (`pack.ts`). */
  weights: number,
  /** float32 per column, padded to nr; qd8 only. */
  scales: number,
  /** float32 per row; the stride is 0 where all rows share one scale, else 4; qd8 only. */
  rowScales: number,
  rowScaleStride: number,
  /** float32 per column, padded to nr. */
  bias: number,
  c: number,
  cStride: number,
  m: number,
  n: number,
  steps: number,
  /** Clamp bounds of the fused activation; ∓Infinity for none. */
  low: number,
  high: number,
) => void;

const PARAMS = [...Array<"i32">(12).fill("i32"), "f32", "f32"] as const;

interface Tile {
  readonly variant: GemmVariant;
  /** Column vectors: nr / 4. */
  readonly vectors: number;
  readonly sums: readonly (readonly Local[])[];
  readonly columns: readonly Local[];
  readonly rows: readonly Local[];
  readonly outputs: readonly Local[];
  readonly value: Local;
  readonly weights: Local;
  readonly count: Local;
}

/** Adds the function to `module`, exported under the variant's name. */
export function emitGemm(module: ModuleBuilder, variant: GemmVariant): void {
  const f = module.function(PARAMS, [], variant.name);
  const [a, aStride, weights, scales, rowScales, rowScaleStride, bias, c, cStride, m, n, steps] =
    PARAMS.map((_, index) => f.param(index)) as Local[];
  const [low, high] = [emitSplat(f, f.param(12)), emitSplat(f, f.param(13))];
  const tile = makeTile(f, variant);
  const [aBlock, cBlock, rowsLeft, panel] = [0, 1, 2, 3].map(() => f.local("i32")) as Local[];
  const rowScale = f.local("i32");
  const rows = { aStride, cStride, rowsLeft, aBlock, cBlock };
  f.get(weights);
  f.set(panel);
  f.loop((nextPanel) => {
    emitCopy(f, a, aBlock);
    emitCopy(f, c, cBlock);
    emitCopy(f, m, rowsLeft);
    emitCopy(f, rowScales, rowScale);
    f.loop((nextRows) => {
      emitRowPointers(f, tile, rows);
      emitCopy(f, panel, tile.weights);
      emitCopy(f, steps, tile.count);
      clearSums(f, tile);
      f.loop((nextStep) => emitStep(f, tile, nextStep));
      emitEpilogue(f, tile, { scales, rowScale, rowScaleStride, rowsLeft, bias, low, high });
      emitStores(f, tile, n);
      emitAdvance(f, aBlock, aStride, variant.mr);
      emitAdvance(f, cBlock, cStride, variant.mr);
      emitAdvance(f, rowScale, rowScaleStride, variant.mr);
      emitAddTo(f, rowsLeft, -variant.mr);
      f.get(rowsLeft);
      f.i32(0);
      f.op("i32.gt_s");
      f.brIf(nextRows);
    });
    emitCopy(f, tile.weights, panel);
    for (const pointer of [scales, bias, c]) emitAddTo(f, pointer, variant.nr * 4);
    emitAddTo(f, n, -variant.nr);
    f.get(n);
    f.i32(0);
    f.op("i32.gt_s");
    f.brIf(nextPanel);
  });
}

function makeTile(f: FunctionBuilder, variant: GemmVariant): Tile {
  const vectors = variant.nr / 4;
  const many = (count: number, type: "i32" | "v128") =>
    Array.from({ length: count }, () => f.local(type));
  return {
    variant,
    vectors,
    sums: Array.from({ length: variant.mr }, () => many(vectors, "v128")),
    columns: many(vectors, "v128"),
    rows: many(variant.mr, "i32"),
    outputs: many(variant.mr, "i32"),
    value: f.local("v128"),
    weights: f.local("i32"),
    count: f.local("i32"),
  };
}

/** rows[i] = A row i of the block, outputs[i] = C row i; a row that is not there repeats the one before. */
function emitRowPointers(
  f: FunctionBuilder,
  { rows, outputs }: Tile,
  block: {
    readonly aStride: Local;
    readonly cStride: Local;
    readonly rowsLeft: Local;
    readonly aBlock: Local;
    readonly cBlock: Local;
  },
): void {
  for (const [pointers, start, stride] of [
    [rows, block.aBlock, block.aStride],
    [outputs, block.cBlock, block.cStride],
  ] as const) {
    emitCopy(f, start, pointers[0]);
    for (let row = 1; row < pointers.length; row++) {
      f.get(pointers[row - 1]);
      f.get(stride);
      f.op("i32.add");
      f.get(pointers[row - 1]);
      f.get(block.rowsLeft);
      f.i32(row);
      f.op("i32.gt_s");
      f.select();
      f.set(pointers[row]);
    }
  }
}

function clearSums(f: FunctionBuilder, { sums }: Tile): void {
  for (const sum of sums.flat()) {
    f.v128(new Uint8Array(16));
    f.set(sum);
  }
}

/**
 * One step of k. f32: sum[i][j] += a[i][k] · w[k][4j..4j+3].
 * qd8: sum[i][j] += a[i][2k] · w[2k][…] + a[i][2k+1] · w[2k+1][…], as one dot product of int16 pairs.
 */
function emitStep(f: FunctionBuilder, tile: Tile, again: Label): void {
  const { variant, columns, rows, sums, value, weights, count } = tile;
  const isInteger = variant.data === "qd8";
  columns.forEach((column, index) => {
    f.get(weights);
    if (isInteger) f.mem("v128.load8x8_s", 8 * index);
    else f.mem("v128.load", 16 * index, 2);
    f.set(column);
  });
  rows.forEach((row, rowIndex) => {
    f.get(row);
    f.mem("v128.load32_splat", 0, isInteger ? 1 : 2);
    f.set(value);
    columns.forEach((column, index) => {
      emitMultiplyAdd(f, variant, value, column, sums[rowIndex][index]);
    });
    emitAddTo(f, row, 4);
  });
  emitAddTo(f, weights, variant.nr * (isInteger ? 2 : 4));
  f.get(count);
  f.i32(-1);
  f.op("i32.add");
  f.tee(count);
  f.brIf(again);
}

function emitMultiplyAdd(
  f: FunctionBuilder,
  variant: GemmVariant,
  value: Local,
  column: Local,
  sum: Local,
): void {
  if (variant.isa === "relaxed") {
    f.get(value);
    f.get(column);
    f.get(sum);
    f.op("f32x4.relaxed_madd");
  } else {
    f.get(sum);
    f.get(value);
    f.get(column);
    f.op(variant.data === "qd8" ? "i32x4.dot_i16x8_s" : "f32x4.mul");
    f.op(variant.data === "qd8" ? "i32x4.add" : "f32x4.add");
  }
  f.set(sum);
}

/**
 * f32: clamp(sum + bias). qd8: clamp(f32(sum) · f32(scale · rowScale) + bias).
 * All loads come before the first store: the engine's 256-bit pairing asks for that.
 */
function emitEpilogue(
  f: FunctionBuilder,
  { variant, columns, sums, value, vectors }: Tile,
  operands: {
    readonly scales: Local;
    readonly rowScale: Local;
    readonly rowScaleStride: Local;
    readonly rowsLeft: Local;
    readonly bias: Local;
    readonly low: Local;
    readonly high: Local;
  },
): void {
  if (variant.data === "qd8") {
    loadVectors(f, operands.scales, columns);
    const pointer = f.local("i32");
    emitCopy(f, operands.rowScale, pointer);
    sums.forEach((row, rowIndex) => {
      f.get(pointer);
      f.mem("v128.load32_splat");
      f.set(value);
      for (let index = 0; index < vectors; index++) {
        f.get(row[index]);
        f.op("f32x4.convert_i32x4_s");
        f.get(columns[index]);
        f.get(value);
        f.op("f32x4.mul");
        f.op("f32x4.mul");
        f.set(row[index]);
      }
      f.get(pointer);
      f.get(operands.rowScaleStride);
      f.i32(0);
      f.get(operands.rowsLeft);
      f.i32(rowIndex + 1);
      f.op("i32.gt_s");
      f.select();
      f.op("i32.add");
      f.set(pointer);
    });
  }
  loadVectors(f, operands.bias, columns);
  for (const row of sums) {
    row.forEach((sum, index) => {
      f.get(sum);
      f.get(columns[index]);
      f.op("f32x4.add");
      f.get(operands.low);
      f.op("f32x4.pmax");
      f.get(operands.high);
      f.op("f32x4.pmin");
      f.set(sum);
    });
  }
}

function loadVectors(f: FunctionBuilder, address: Local, into: readonly Local[]): void {
  into.forEach((vector, index) => {
    f.get(address);
    f.mem("v128.load", 16 * index, 2);
    f.set(vector);
  });
}

/** Stores whole tiles as vectors, the last columns of C in halving pieces. */
function emitStores(f: FunctionBuilder, { variant, sums, outputs }: Tile, n: Local): void {
  f.get(n);
  f.i32(variant.nr);
  f.op("i32.ge_s");
  f.if(
    () => {
      sums.forEach((row, rowIndex) => {
        row.forEach((sum, index) => {
          f.get(outputs[rowIndex]);
          f.get(sum);
          f.mem("v128.store", 16 * index, 2);
        });
      });
    },
    () => {
      sums.forEach((row, rowIndex) => {
        emitPartialStore(f, row, outputs[rowIndex], n);
      });
    },
  );
}

/** Stores the first n (< nr) floats of `row`, using the bits of n: 8, 4, 2, 1. Destroys `row` and `output`. */
function emitPartialStore(
  f: FunctionBuilder,
  row: readonly Local[],
  output: Local,
  n: Local,
): void {
  for (let width = row.length * 2; width >= 1; width /= 2) {
    f.get(n);
    f.i32(width);
    f.op("i32.and");
    f.if(() => {
      if (width >= 4) {
        const count = width / 4;
        for (let index = 0; index < count; index++) {
          f.get(output);
          f.get(row[index]);
          f.mem("v128.store", 16 * index, 2);
        }
        for (let index = 0; index + count < row.length; index++)
          emitCopy(f, row[index + count], row[index]);
      } else {
        f.get(output);
        f.get(row[0]);
        f.memLane(width === 2 ? "v128.store64_lane" : "v128.store32_lane", 0, 0, 2);
        if (width === 2) {
          f.get(row[0]);
          f.get(row[0]);
          f.shuffle([8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15]);
          f.set(row[0]);
        }
      }
      emitAddTo(f, output, width * 4);
    });
  }
}
