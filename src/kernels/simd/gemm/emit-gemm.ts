/**
 * Emits C[m, n] = stage(A[m, k] · W[k, n]) over packed weights. One function walks all panels of the weights (outer
 * loop) and all rows of A (inner loop), so the caller hands it a block of rows that stays in the first-level cache.
 * Rows beyond m repeat the last row: no remainder code for rows. How a panel is summed up is the business of a walk
 * (`emit-steps.ts`, `emit-pair-steps.ts`), what happens to the sums that of a stage (`float-stage.ts`, `integer-stage.ts`).
 */
import type { FunctionBuilder, Label, Local } from "../../../wasm/function-builder.ts";
import type { ValueType } from "../../../wasm/instruction-row.ts";
import type { ModuleBuilder } from "../../../wasm/module-builder.ts";
import { emitAddTo, emitAdvance, emitCopy } from "../emit-basics.ts";
import { beginKeptSums } from "../kept-sums.ts";
import { listWalk, nibbleWalk } from "./emit-pair-steps.ts";
import { plainWalk, streamWalk, windowWalk } from "./emit-steps.ts";
import { floatStage } from "./float-stage.ts";
import { hybridStage } from "./hybrid-stage.ts";
import { integerStage } from "./integer-stage.ts";
import { sumStage } from "./sum-stage.ts";
import { type GemmVariant, hasLists, severalPanels } from "./variants.ts";

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

/**
 * Where rows are windows, `a` is a table of their addresses, int32 and `aStride` bytes apart, and behind the common
 * parameters stands the address of int32[steps]: how many bytes behind the address of a row each step is.
 */
const WINDOWS: readonly ValueType[] = ["i32"];

/** The registers of one tile. */
export interface Tile {
  readonly variant: GemmVariant;
  /** Sums by row and column vector. */
  readonly sums: readonly (readonly Local[])[];
  /** One vector of weights (or of anything that belongs to columns) per column vector. */
  readonly columns: readonly Local[];
  readonly value: Local;
  /** Address of each row of C. */
  readonly outputs: readonly Local[];
  /** Rows of the block from this tile on. */
  readonly rowsLeft: Local;
  /** Columns of C from this panel on; undefined where all tiles are whole. */
  readonly columnsLeft: Local | undefined;
}

/** How the sums of a tile come about. Emits code at three points of a panel. */
export interface GemmWalk {
  /** Before the first row. */
  startPanel(): void;
  /** Adds the products of the rows that begin at `rows` to the sums. May leave `rows` anywhere. */
  addProducts(tile: Tile, rows: readonly Local[]): void;
  /** After the last row: the panel is the next one. */
  nextPanel(): void;
}

/**
 * What a walk is given: the address of the panel, which it owns, the number of steps, and for windows the address of
 * int32[steps], where steps begin.
 */
export interface WalkOperands {
  readonly panel: Local;
  readonly steps: Local;
  readonly offsets: Local | undefined;
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
  /** What sums begin with, by column vector; zeros where it is not there. */
  readonly initial?: readonly Local[];
  /** Turns the sums into elements of C and stores them: all loads before the first store. */
  finish(tile: Tile): void;
  /** After the last row of a panel: the next panel's columns. */
  nextPanel(): void;
}

/** The stage that a variant's function ends with. */
export function gemmStage({ data, isa, smallSums, residual, oneScale }: GemmVariant): GemmStage {
  switch (data) {
    case "f32":
      return floatStage(residual);
    case "qd8":
    case "qd16":
    case "qd4":
      return hybridStage(isa, { residual, oneScale });
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

/**
 * Adds the function to `module`, exported under the variant's name. `wholeTiles`: n is a multiple of the tile's columns.
 */
export function emitGemm(
  module: ModuleBuilder,
  variant: GemmVariant,
  { wholeTiles = false }: { readonly wholeTiles?: boolean } = {},
): void {
  const stage = gemmStage(variant);
  const params = [...COMMON, ...(variant.windows ? WINDOWS : [])];
  const f = module.function([...params, ...stage.params], [], variant.name);
  const [a, aStride, weights, c, cStride, m, n, steps] = COMMON.map((_, index) =>
    f.param(index),
  ) as Local[];
  const bound = stage.begin(
    f,
    stage.params.map((_, index) => f.param(params.length + index)),
    variant,
  );
  const [aBlock, cBlock, rowsLeft, panel] = Array.from({ length: 4 }, () =>
    f.local("i32"),
  ) as Local[];
  const tile = makeTile(f, variant, rowsLeft, wholeTiles ? undefined : n);
  const offsets = variant.windows ? f.param(COMMON.length) : undefined;
  const walk = walkOf(f, variant, { panel, steps, offsets });
  const rows = Array.from({ length: variant.mr }, () => f.local("i32"));
  const kept = variant.keepsSums ? beginKeptSums(module, f) : undefined;
  emitCopy(f, weights, panel);
  f.loop((nextPanel) => {
    emitCopy(f, a, aBlock);
    emitCopy(f, c, cBlock);
    emitCopy(f, m, rowsLeft);
    walk.startPanel();
    bound.startRows();
    f.loop((nextRows) => {
      emitRowPointers(f, rows, aBlock, aStride, rowsLeft);
      if (variant.windows) emitLoadPointers(f, rows);
      emitRowPointers(f, tile.outputs, cBlock, cStride, rowsLeft);
      startSums(f, tile, bound.initial);
      walk.addProducts(tile, rows);
      kept?.keep(tile.sums.flat());
      kept?.load(tile.sums.flat());
      bound.finish(tile);
      emitAdvance(f, aBlock, aStride, variant.mr);
      emitAdvance(f, cBlock, cStride, variant.mr);
      emitAddTo(f, rowsLeft, -variant.mr);
      emitRepeatWhilePositive(f, rowsLeft, nextRows);
    });
    walk.nextPanel();
    bound.nextPanel();
    emitAddTo(f, c, variant.nr * stage.outputBytes);
    emitAddTo(f, n, -variant.nr);
    emitRepeatWhilePositive(f, n, nextPanel);
  });
}

function walkOf(f: FunctionBuilder, variant: GemmVariant, operands: WalkOperands): GemmWalk {
  if (hasLists(variant)) return listWalk(f, operands);
  if (variant.isa === "pairs") return nibbleWalk(f, variant, operands);
  if (operands.offsets !== undefined) return windowWalk(f, variant, operands);
  const walk = severalPanels(variant) ? streamWalk : plainWalk;
  return walk(f, variant, operands);
}

function makeTile(
  f: FunctionBuilder,
  variant: GemmVariant,
  rowsLeft: Local,
  columnsLeft: Local | undefined,
): Tile {
  const vectors = () => Array.from({ length: variant.nr / 4 }, () => f.local("v128"));
  return {
    variant,
    sums: Array.from({ length: variant.mr }, vectors),
    columns: vectors(),
    value: f.local("v128"),
    outputs: Array.from({ length: variant.mr }, () => f.local("i32")),
    rowsLeft,
    columnsLeft,
  };
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

/** Replaces addresses in a table by what is there. */
function emitLoadPointers(f: FunctionBuilder, pointers: readonly Local[]): void {
  for (const pointer of pointers) {
    f.get(pointer);
    f.mem("i32.load");
    f.set(pointer);
  }
}

function startSums(f: FunctionBuilder, { sums }: Tile, initial: readonly Local[] = []): void {
  for (const row of sums) {
    row.forEach((sum, index) => {
      const start = initial[index];
      if (start === undefined) f.v128(new Uint8Array(16));
      else f.get(start);
      f.set(sum);
    });
  }
}

function emitRepeatWhilePositive(f: FunctionBuilder, counter: Local, again: Label): void {
  f.get(counter);
  f.i32(0);
  f.op("i32.gt_s");
  f.brIf(again);
}
