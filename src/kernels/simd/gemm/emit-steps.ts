/**
 * The inner loop of products: panels whose steps lie one behind the other in the order of k. A step takes 32 bits of each
 * row of A, puts them into all lanes and multiplies them with one vector of weights after the other.
 */
import { assert } from "../../../base/errors.ts";
import type { FunctionBuilder, Label, Local } from "../../../wasm/function-builder.ts";
import { emitAddTo, emitCopy } from "../emit-basics.ts";
import type { GemmWalk, Tile, WalkOperands } from "./emit-gemm.ts";
import { NIBBLE_BIAS, stepBytes } from "./pack.ts";
import { type GemmVariant, keepsBytes } from "./variants.ts";

/**
 * f32: sum[i][j] += a[i][k] · w[k][4j..4j+3].
 * Otherwise: sum[i][j] += a[i][2k] · w[2k][…] + a[i][2k+1] · w[2k+1][…], as one dot product of int16 pairs, or the
 * same with four k as one dot product of bytes.
 */
export function plainWalk(
  f: FunctionBuilder,
  variant: GemmVariant,
  { panel, steps }: WalkOperands,
): GemmWalk {
  const [weights, count] = [f.local("i32"), f.local("i32")];
  const nibbles = emitNibbleVectors(f, variant);
  return {
    startPanel: () => undefined,
    addProducts(tile, rows) {
      emitCopy(f, panel, weights);
      emitCopy(f, steps, count);
      f.loop((again) => {
        emitSteps(f, tile, { rows, weights, nibbles }, (column, row, index) => {
          emitMultiplyAdd(f, variant, tile.value, column, tile.sums[row]?.[index] as Local);
        });
        emitRepeat(f, count, again);
      });
    },
    nextPanel: () => emitCopy(f, weights, panel),
  };
}

/** The same for windows. Leaves the addresses of the rows as they are. */
export function windowWalk(
  f: FunctionBuilder,
  variant: GemmVariant,
  { panel, steps, offsets }: WalkOperands,
): GemmWalk {
  assert(offsets !== undefined, "a table of steps");
  const [weights, count, table, offset] = Array.from({ length: 4 }, () => f.local("i32")) as [
    Local,
    Local,
    Local,
    Local,
  ];
  return {
    startPanel: () => undefined,
    addProducts(tile, rows) {
      const { value, columns, sums } = tile;
      emitCopy(f, panel, weights);
      emitCopy(f, steps, count);
      emitCopy(f, offsets, table);
      f.loop((again) => {
        f.get(table);
        f.mem("i32.load");
        f.set(offset);
        emitColumns(f, variant, columns, { address: weights, offset: 0 });
        rows.forEach((row, rowIndex) => {
          emitActivations(f, row, offset, value);
          columns.forEach((column, index) => {
            emitMultiplyAdd(f, variant, value, column, sums[rowIndex]?.[index] as Local);
          });
        });
        emitAddTo(f, table, 4);
        emitAddTo(f, weights, variant.nr * stepBytes(variant));
        emitRepeat(f, count, again);
      });
    },
    nextPanel: () => emitCopy(f, weights, panel),
  };
}

/** value = what a row has for a step, in all lanes. */
export function emitActivations(f: FunctionBuilder, row: Local, offset: Local, value: Local): void {
  f.get(row);
  f.get(offset);
  f.op("i32.add");
  f.mem("v128.load32_splat", 0, 0);
  f.set(value);
}

/**
 * The same for a tile that reads several panels at a time, each from an address of its own. Registers that one vector of
 * weights passes through are enough.
 */
export function streamWalk(
  f: FunctionBuilder,
  variant: GemmVariant,
  { panel, steps }: WalkOperands,
): GemmWalk {
  const [distance, count] = [f.local("i32"), f.local("i32")];
  const streams = Array.from({ length: variant.nr / variant.panel }, () => f.local("i32"));
  const bytes = variant.panel * stepBytes(variant);
  f.get(steps);
  f.i32(bytes);
  f.op("i32.mul");
  f.set(distance);
  const perPanel = variant.panel / 4;
  return {
    startPanel: () => undefined,
    addProducts({ value, columns, sums: [sums = []] }, [row]) {
      streams.forEach((stream, index) => {
        f.get(streams[index - 1] ?? panel);
        if (index > 0) {
          f.get(distance);
          f.op("i32.add");
        }
        f.set(stream);
      });
      emitCopy(f, steps, count);
      f.loop((again) => {
        f.get(row);
        f.mem("v128.load32_splat", 0, 1);
        f.set(value);
        streams.forEach((stream, index) => {
          const own = columns.slice(index * perPanel, (index + 1) * perPanel);
          emitColumns(f, variant, own, { address: stream, offset: 0 });
          own.forEach((column, at) => {
            emitMultiplyAdd(f, variant, value, column, sums[index * perPanel + at] as Local);
          });
          emitAddTo(f, stream, bytes);
        });
        emitAddTo(f, row as Local, 4);
        emitRepeat(f, count, again);
      });
    },
    nextPanel: () => emitCopy(f, streams.at(-1) as Local, panel),
  };
}

/** Adds the products of `tile.value`, what a row has for a step, and a vector of weights to a sum. */
type MultiplyAdd = (column: Local, row: number, index: number) => void;

/** So many steps for all rows; `weights` and `rows` are then at the next. */
export function emitSteps(
  f: FunctionBuilder,
  { variant, columns, value }: Tile,
  { rows, weights, nibbles, count = 1 }: StepsAt,
  multiplyAdd: MultiplyAdd,
): void {
  const bytes = variant.nr * stepBytes(variant);
  for (let step = 0; step < count; step++) {
    const at = { address: weights, offset: step * bytes };
    if (nibbles !== undefined) emitNibbles(f, variant, columns, at, nibbles);
    else emitColumns(f, variant, columns, at);
    rows.forEach((address, row) => {
      f.get(address);
      f.mem("v128.load32_splat", 4 * step, 1);
      f.set(value);
      columns.forEach((column, index) => {
        multiplyAdd(column, row, index);
      });
      if (step === count - 1) emitAddTo(f, address, 4 * count);
    });
  }
  emitAddTo(f, weights, bytes * count);
}

/** Where steps begin, and how many are taken. */
interface StepsAt {
  readonly rows: readonly Local[];
  readonly weights: Local;
  /** Where weights have 4 bits. */
  readonly nibbles: NibbleVectors | undefined;
  readonly count?: number;
}

/** Vectors that make bytes of nibbles. Engines make a constant anew where it stands, so they are made once. */
export interface NibbleVectors {
  readonly mask: Local;
  readonly bias: Local;
}

/** Makes them; undefined for weights of other types. */
export function emitNibbleVectors(
  f: FunctionBuilder,
  { data }: GemmVariant,
): NibbleVectors | undefined {
  if (data !== "qd4") return undefined;
  const [mask, bias] = [15, NIBBLE_BIAS].map((value) => {
    const vector = f.local("v128");
    f.v128(new Uint8Array(16).fill(value));
    f.set(vector);
    return vector;
  }) as [Local, Local];
  return { mask, bias };
}

interface WeightsAt {
  readonly address: Local;
  readonly offset: number;
}

/** Goes on with `again` until `count` steps are done. */
export function emitRepeat(f: FunctionBuilder, count: Local, again: Label): void {
  f.get(count);
  f.i32(-1);
  f.op("i32.add");
  f.tee(count);
  f.brIf(again);
}

function emitColumns(
  f: FunctionBuilder,
  variant: GemmVariant,
  columns: readonly Local[],
  { address, offset }: WeightsAt,
): void {
  columns.forEach((column, index) => {
    f.get(address);
    if (isWidened(variant)) f.mem("v128.load8x8_s", offset + 8 * index);
    else f.mem("v128.load", offset + 16 * index, 2);
    f.set(column);
  });
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
  { address, offset }: WeightsAt,
  vectors: NibbleVectors,
): void {
  for (let index = 0; index < columns.length; index += 2) {
    const [low, high] = [columns[index], columns[index + 1]] as const;
    f.get(address);
    if (keepsBytes(isa)) f.mem("v128.load", offset + 8 * index, 0);
    else f.mem("v128.load8x8_u", offset + 4 * index, 0);
    f.set(high);
    for (const [half, column] of [low, high].entries()) {
      f.get(high);
      if (keepsBytes(isa)) emitBiasedNibble(f, half, vectors);
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
function emitBiasedNibble(f: FunctionBuilder, half: number, { mask, bias }: NibbleVectors): void {
  if (half === 1) {
    f.i32(4);
    f.op("i16x8.shr_u");
  }
  f.get(mask);
  f.op("v128.and");
  f.get(bias);
  f.op("i8x16.sub");
}

function emitMultiplyAdd(
  f: FunctionBuilder,
  { data, isa }: GemmVariant,
  value: Local,
  column: Local,
  sum: Local,
): void {
  if (isa === "dot") {
    f.get(column);
    f.get(value);
    f.get(sum);
    f.op("i32x4.relaxed_dot_i8x16_i7x16_add_s");
  } else if (isa === "relaxed") {
    f.get(value);
    f.get(column);
    f.get(sum);
    f.op("f32x4.relaxed_madd");
  } else {
    const isFloat = data === "f32";
    f.get(sum);
    f.get(value);
    f.get(column);
    f.op(isFloat ? "f32x4.mul" : "i32x4.dot_i16x8_s");
    f.op(isFloat ? "f32x4.add" : "i32x4.add");
  }
  f.set(sum);
}
