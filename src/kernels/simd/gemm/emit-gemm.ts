/**
 * Emits C[m, n] = stage(A[m, k] · W[k, n]) over packed weights. One function walks all panels of the weights (outer
 * loop) and all rows of A (inner loop), so the caller hands it a block of rows that stays in the first-level cache.
 * Rows beyond m repeat the last row: no remainder code for rows. What happens to the sums is the business of a stage
 * (`float-stage.ts`, `integer-stage.ts`).
 */
import type { FunctionBuilder, Label, Local } from "../../../wasm/function-builder.ts";
import type { ValueType } from "../../../wasm/instruction-row.ts";
import type { ModuleBuilder } from "../../../wasm/module-builder.ts";
import { emitAddTo, emitAdvance, emitCopy } from "../emit-basics.ts";
import { floatStage, hybridStage } from "./float-stage.ts";
import { integerStage } from "./integer-stage.ts";
import { NIBBLE_BIAS, stepBytes } from "./pack.ts";
import { sumStage } from "./sum-stage.ts";
import { type GemmVariant, keepsBytes } from "./variants.ts";

/**
 * The parameters that every stage's function starts with. Addresses and strides in bytes.
 * a: float32[m, k], int16[m, 2 · steps], or bytes [m, 4 · steps]. weights: packed (`pack.ts`). c: [m, n] of the stage's type.
 */
export type GemmCommon = [
  a: number,
  aStride: number,
  weights: number,
  c: number,
  cStride: number,
  m: number,
  n: number,
  steps: number,
];

const COMMON: readonly ValueType[] = Array<"i32">(8).fill("i32");

/** The registers of one tile. */
export interface Tile {
  readonly variant: GemmVariant;
  /** Sums by row and column vector. */
  readonly sums: readonly (readonly Local[])[];
  /** One vector of weights (or of anything that belongs to columns) per column vector. */
  readonly columns: readonly Local[];
  readonly value: Local;
  /** int16 ones, which add up pairs of int16; for `dot4` alone. */
  readonly ones: Local | undefined;
  /** Address of each row of C. */
  readonly outputs: readonly Local[];
  /** Rows of the block from this tile on. */
  readonly rowsLeft: Local;
  /** Columns of C from this panel on. */
  readonly columnsLeft: Local;
}

/** What becomes of the sums of a tile. Parameters follow the common ones. */
export interface GemmStage {
  readonly params: readonly ValueType[];
  /** Bytes of an element of C. */
  readonly outputBytes: number;
  begin(f: FunctionBuilder, params: readonly Local[], variant: GemmVariant): BoundStage;
}

export interface BoundStage {
  /** Before the first row of a panel. */
  startRows(): void;
  /** Turns the sums into elements of C and stores them: all loads before the first store. */
  finish(tile: Tile): void;
  /** After the last row of a panel: the next panel's columns. */
  nextPanel(): void;
}

/** The stage that a variant's function ends with. */
export function gemmStage({ data, isa, smallSums, residual }: GemmVariant): GemmStage {
  switch (data) {
    case "f32":
      return floatStage(residual);
    case "qd8":
    case "qd16":
    case "qd4":
      return hybridStage(isa, residual);
    case "qs8":
    case "qs16":
      return integerStage({ output: "int8", smallSums, rowTerms: false });
    case "qu16":
      return integerStage({ output: "uint8", smallSums, rowTerms: false });
    case "qi8":
    case "qi16":
      return sumStage;
    case "qu8":
      return integerStage({ output: "uint8", smallSums, rowTerms: true });
  }
}

/** Adds the function to `module`, exported under the variant's name. */
export function emitGemm(module: ModuleBuilder, variant: GemmVariant): void {
  const stage = gemmStage(variant);
  const f = module.function([...COMMON, ...stage.params], [], variant.name);
  const [a, aStride, weights, c, cStride, m, n, steps] = COMMON.map((_, index) =>
    f.param(index),
  ) as Local[];
  const bound = stage.begin(
    f,
    stage.params.map((_, index) => f.param(COMMON.length + index)),
    variant,
  );
  const [aBlock, cBlock, rowsLeft, panel, panelWeights, count] = Array.from({ length: 6 }, () =>
    f.local("i32"),
  ) as Local[];
  const tile = makeTile(f, variant, rowsLeft, n);
  const rows = Array.from({ length: variant.mr }, () => f.local("i32"));
  emitCopy(f, weights, panel);
  f.loop((nextPanel) => {
    emitCopy(f, a, aBlock);
    emitCopy(f, c, cBlock);
    emitCopy(f, m, rowsLeft);
    bound.startRows();
    f.loop((nextRows) => {
      emitRowPointers(f, rows, aBlock, aStride, rowsLeft);
      emitRowPointers(f, tile.outputs, cBlock, cStride, rowsLeft);
      emitCopy(f, panel, panelWeights);
      emitCopy(f, steps, count);
      clearSums(f, tile);
      f.loop((nextStep) => emitStep(f, tile, rows, panelWeights, count, nextStep));
      bound.finish(tile);
      emitAdvance(f, aBlock, aStride, variant.mr);
      emitAdvance(f, cBlock, cStride, variant.mr);
      emitAddTo(f, rowsLeft, -variant.mr);
      emitRepeatWhilePositive(f, rowsLeft, nextRows);
    });
    emitCopy(f, panelWeights, panel);
    bound.nextPanel();
    emitAddTo(f, c, variant.nr * stage.outputBytes);
    emitAddTo(f, n, -variant.nr);
    emitRepeatWhilePositive(f, n, nextPanel);
  });
}

function makeTile(
  f: FunctionBuilder,
  variant: GemmVariant,
  rowsLeft: Local,
  columnsLeft: Local,
): Tile {
  const vectors = () => Array.from({ length: variant.nr / 4 }, () => f.local("v128"));
  return {
    variant,
    sums: Array.from({ length: variant.mr }, vectors),
    columns: vectors(),
    value: f.local("v128"),
    ones: variant.isa === "dot4" ? emitOnes(f) : undefined,
    outputs: Array.from({ length: variant.mr }, () => f.local("i32")),
    rowsLeft,
    columnsLeft,
  };
}

function emitOnes(f: FunctionBuilder): Local {
  const ones = f.local("v128");
  f.i32(1);
  f.op("i16x8.splat");
  f.set(ones);
  return ones;
}

/** pointers[i] = row i from `start` on; a row that is not there repeats the one before. */
function emitRowPointers(
  f: FunctionBuilder,
  pointers: readonly Local[],
  start: Local,
  stride: Local,
  rowsLeft: Local,
): void {
  emitCopy(f, start, pointers[0]);
  for (let row = 1; row < pointers.length; row++) {
    f.get(pointers[row - 1]);
    f.get(stride);
    f.op("i32.add");
    f.get(pointers[row - 1]);
    f.get(rowsLeft);
    f.i32(row);
    f.op("i32.gt_s");
    f.select();
    f.set(pointers[row]);
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
 * Otherwise: sum[i][j] += a[i][2k] · w[2k][…] + a[i][2k+1] · w[2k+1][…], as one dot product of int16 pairs, or the
 * same with four k as one dot product of bytes.
 */
function emitStep(
  f: FunctionBuilder,
  tile: Tile,
  rows: readonly Local[],
  weights: Local,
  count: Local,
  again: Label,
): void {
  const { variant, columns, sums, value } = tile;
  if (variant.data === "qd4") emitNibbles(f, variant, columns, weights);
  else {
    columns.forEach((column, index) => {
      f.get(weights);
      if (isWidened(variant)) f.mem("v128.load8x8_s", 8 * index);
      else f.mem("v128.load", 16 * index, 2);
      f.set(column);
    });
  }
  rows.forEach((row, rowIndex) => {
    f.get(row);
    f.mem("v128.load32_splat", 0, 1);
    f.set(value);
    columns.forEach((column, index) => {
      emitMultiplyAdd(f, tile, column, sums[rowIndex][index]);
    });
    emitAddTo(f, row, 4);
  });
  emitAddTo(f, weights, variant.nr * stepBytes(variant));
  f.get(count);
  f.i32(-1);
  f.op("i32.add");
  f.tee(count);
  f.brIf(again);
}

/** Whether weights of int8 become int16 as they are read. */
function isWidened({ data, isa }: GemmVariant): boolean {
  return isa === "simd" && (data === "qd8" || data === "qs8" || data === "qi8");
}

/** Nibbles become bytes or int16 in two column vectors: the low ones in the first, the high ones in the second. */
function emitNibbles(
  f: FunctionBuilder,
  { isa }: GemmVariant,
  columns: readonly Local[],
  weights: Local,
): void {
  for (let index = 0; index < columns.length; index += 2) {
    const [low, high] = [columns[index], columns[index + 1]] as const;
    f.get(weights);
    if (keepsBytes(isa)) f.mem("v128.load", 8 * index, 0);
    else f.mem("v128.load8x8_u", 4 * index, 0);
    f.set(high);
    for (const [half, column] of [low, high].entries()) {
      f.get(high);
      if (keepsBytes(isa)) emitBiasedNibble(f, half);
      else emitSignedNibble(f, half);
      f.set(column);
    }
  }
}

/** [bytes in 16 bits each] → their low or high nibbles, signed. */
function emitSignedNibble(f: FunctionBuilder, half: number): void {
  f.i32(half === 0 ? 12 : 8);
  f.op("i16x8.shl");
  f.i32(12);
  f.op("i16x8.shr_s");
}

/** [bytes] → their low or high nibbles less their bias. */
function emitBiasedNibble(f: FunctionBuilder, half: number): void {
  if (half === 1) {
    f.i32(4);
    f.op("i16x8.shr_u");
  }
  f.v128(new Uint8Array(16).fill(15));
  f.op("v128.and");
  f.v128(new Uint8Array(16).fill(NIBBLE_BIAS));
  f.op("i8x16.sub");
}

function emitMultiplyAdd(
  f: FunctionBuilder,
  { variant, value, ones }: Tile,
  column: Local,
  sum: Local,
): void {
  if (variant.isa === "dot") {
    f.get(column);
    f.get(value);
    f.get(sum);
    f.op("i32x4.relaxed_dot_i8x16_i7x16_add_s");
  } else if (ones !== undefined) {
    f.get(sum);
    f.get(column);
    f.get(value);
    f.op("i16x8.relaxed_dot_i8x16_i7x16_s");
    f.get(ones);
    f.op("i32x4.dot_i16x8_s");
    f.op("i32x4.add");
  } else if (variant.isa === "relaxed") {
    f.get(value);
    f.get(column);
    f.get(sum);
    f.op("f32x4.relaxed_madd");
  } else {
    const isFloat = variant.data === "f32";
    f.get(sum);
    f.get(value);
    f.get(column);
    f.op(isFloat ? "f32x4.mul" : "i32x4.dot_i16x8_s");
    f.op(isFloat ? "f32x4.add" : "i32x4.add");
  }
  f.set(sum);
}

function emitRepeatWhilePositive(f: FunctionBuilder, counter: Local, again: Label): void {
  f.get(counter);
  f.i32(0);
  f.op("i32.gt_s");
  f.brIf(again);
}
