/**
 * The stage of full-integer products: C = clamp(requantize(sum + bias) + zero point) as bytes
 * (`emit-requantize.ts` has the formula).
 */
import type { FunctionBuilder, Local } from "../../../wasm/function-builder.ts";
import { emitAddTo, emitCopy, emitIntegerSplat } from "../emit-basics.ts";
import {
  beginJoinedDoubles,
  emitHighMultiply,
  emitOutputBytes,
  emitRequantizeSmall,
  type JoinedDoubles,
  loadColumnDoubles,
} from "../emit-requantize.ts";
import type { GemmCommon, GemmStage, Tile } from "./emit-gemm.ts";
import { emitRowAddresses } from "./row-addresses.ts";
import { emitByColumns } from "./tile-columns.ts";
import type { SmallSums } from "./variants.ts";

/**
 * multipliers, exponents (2^(31−r)), bias: int32 per column, padded to nr. zeroPoint, low, high: int32; the bounds are
 * those of the fused activation within the output's type.
 */
export type IntegerGemm = (
  ...args: [
    ...common: GemmCommon,
    multipliers: number,
    exponents: number,
    bias: number,
    zeroPoint: number,
    low: number,
    high: number,
  ]
) => void;

/** The same for small sums. factors, offsets: float64 per column, padded to nr. */
export type SmallIntegerGemm = (
  ...args: [
    ...common: GemmCommon,
    factors: number,
    offsets: number,
    zeroPoint: number,
    low: number,
    high: number,
  ]
) => void;

/** What comes last where there are terms of rows: int32 per row, `stride` bytes apart, added to the row's sums. */
export type RowTermArguments = readonly [rowTerms: number, stride: number];

export interface IntegerStageOptions {
  readonly output: "int8" | "uint8";
  readonly smallSums: SmallSums;
  readonly rowTerms: boolean;
}

export function integerStage({ output, smallSums, rowTerms }: IntegerStageOptions): GemmStage {
  const isSmall = smallSums !== "no";
  const columnCount = isSmall ? 2 : 3;
  return {
    params: Array<"i32">(columnCount + 3 + (rowTerms ? 2 : 0)).fill("i32"),
    outputBytes: 1,
    begin(f, params, { mr, nr, keepsSums }) {
      const columns = params.slice(0, columnCount);
      const [zeroPoint, low, high, terms, stride] = params.slice(columnCount) as Local[];
      const bounds = {
        zeroPoint: emitIntegerSplat(f, "i16x8", zeroPoint),
        low: emitIntegerSplat(f, "i8x16", low),
        high: emitIntegerSplat(f, "i8x16", high),
      };
      const wide = [f.local("v128"), f.local("v128")] as const;
      const joined = isSmall && keepsSums ? beginJoinedDoubles(f) : undefined;
      const next = f.local("i32");
      const addresses = rowTerms ? Array.from({ length: mr }, () => f.local("i32")) : [];
      return {
        startRows() {
          if (rowTerms) emitCopy(f, terms, next);
        },
        finish(tile) {
          emitRowAddresses(f, tile, { next, stride, addresses });
          emitRowTerms(f, tile, addresses);
          if (isSmall)
            emitSmall(f, tile, columns, { relaxed: smallSums === "relaxed", wide, joined });
          else emitFixed(f, tile, columns, wide);
          for (const row of tile.sums)
            emitOutputBytes(f, row, output, bounds, row[0], { joined: joined !== undefined });
          emitStores(f, tile);
        },
        nextPanel() {
          for (const column of columns) emitAddTo(f, column, nr * (isSmall ? 8 : 4));
        },
      };
    },
  };
}

/** sum += term of the row */
function emitRowTerms(
  f: FunctionBuilder,
  { sums, value }: Tile,
  addresses: readonly Local[],
): void {
  addresses.forEach((address, row) => {
    f.get(address);
    f.mem("v128.load32_splat");
    f.set(value);
    for (const sum of sums[row] ?? []) {
      f.get(sum);
      f.get(value);
      f.op("i32x4.add");
      f.set(sum);
    }
  });
}

function emitFixed(
  f: FunctionBuilder,
  tile: Tile,
  [multipliers, exponents, bias]: readonly Local[],
  wide: readonly [Local, Local],
): void {
  emitEachColumn(f, tile, bias, () => f.op("i32x4.add"));
  for (const factors of [multipliers, exponents]) {
    emitEachColumn(f, tile, factors, () => emitHighMultiply(f, wide));
  }
}

function emitSmall(
  f: FunctionBuilder,
  { columns, sums }: Tile,
  [factors, offsets]: readonly Local[],
  {
    relaxed,
    wide,
    joined,
  }: {
    readonly relaxed: boolean;
    readonly wide: readonly [Local, Local];
    readonly joined: JoinedDoubles | undefined;
  },
): void {
  const pair = () => [f.local("v128"), f.local("v128")] as const;
  const doubles = { factors: pair(), offsets: pair() };
  for (let vector = 0; vector < columns.length; vector++) {
    for (const [address, into] of [
      [factors, doubles.factors],
      [offsets, doubles.offsets],
    ] as const) {
      loadColumnDoubles(f, { address, offset: 0, vector }, joined !== undefined, into);
    }
    for (const row of sums) {
      const sum = row[vector] as Local;
      emitRequantizeSmall(f, sum, doubles, { from: "int32", relaxed, halves: wide, joined });
    }
  }
}

/** sum = operation(sum, column operand) for every sum of the tile. */
function emitEachColumn(
  f: FunctionBuilder,
  { columns, sums }: Tile,
  address: Local,
  operation: () => void,
): void {
  columns.forEach((column, index) => {
    f.get(address);
    f.mem("v128.load", 16 * index, 2);
    f.set(column);
  });
  for (const row of sums) {
    row.forEach((sum, index) => {
      f.get(sum);
      f.get(columns[index]);
      operation();
      f.set(sum);
    });
  }
}

/** Stores nr bytes per row at once, the last columns of C in halving pieces. */
function emitStores(f: FunctionBuilder, tile: Tile): void {
  const { variant, sums, outputs } = tile;
  emitByColumns(
    f,
    tile,
    () => {
      sums.forEach(([bytes], row) => {
        f.get(outputs[row]);
        f.get(bytes as Local);
        if (variant.nr === 16) f.mem("v128.store", 0, 0);
        else f.memLane("v128.store64_lane", 0, 0, 0);
      });
    },
    (columnsLeft) => {
      sums.forEach(([bytes], row) => {
        emitPartialStore(f, bytes as Local, outputs[row], columnsLeft, variant.nr / 2);
      });
    },
  );
}

const LANE_STORE = {
  8: "v128.store64_lane",
  4: "v128.store32_lane",
  2: "v128.store16_lane",
  1: "v128.store8_lane",
} as const;

/** Stores the first n bytes, using the bits of n from `widest` down. Destroys `bytes` and `output`. */
function emitPartialStore(
  f: FunctionBuilder,
  bytes: Local,
  output: Local,
  n: Local,
  widest: number,
): void {
  for (let width = widest; width >= 1; width /= 2) {
    f.get(n);
    f.i32(width);
    f.op("i32.and");
    f.if(() => {
      f.get(output);
      f.get(bytes);
      f.memLane(LANE_STORE[width as keyof typeof LANE_STORE], 0, 0, 0);
      f.get(bytes);
      f.get(bytes);
      f.shuffle(Array.from({ length: 16 }, (_, index) => (index + width) % 16));
      f.set(bytes);
      emitAddTo(f, output, width);
    });
  }
}
