/** The stage of products of floats, C = clamp(sum + bias), and what those with float results have in common. */
import type { FunctionBuilder, Local } from "../../../wasm/function-builder.ts";
import { emitAddTo, emitCopy, emitSplat } from "../emit-basics.ts";
import type { GemmCommon, GemmStage, Tile } from "./emit-gemm.ts";
import { emitByColumns } from "./tile-columns.ts";

/** bias: float32 per column, padded to nr. low, high: bounds of the fused activation, ∓Infinity for none. */
export type FloatGemm = (
  ...args: [...common: GemmCommon, bias: number, low: number, high: number]
) => void;

/**
 * What comes last where a tensor of C's shape is added to it: C = clamp(C + residual). distance: from an element of C to
 * that of the tensor, which may be C itself.
 */
export type ResidualArguments = readonly [distance: number, low: number, high: number];

/** Types of `ResidualArguments`. */
export const RESIDUAL_PARAMS = ["i32", "f32", "f32"] as const;

export function floatStage(residual: boolean): GemmStage {
  return {
    params: ["i32", "f32", "f32", ...(residual ? RESIDUAL_PARAMS : [])],
    outputBytes: 4,
    begin(f, params, { nr }) {
      const [bias, low, high] = params as [Local, Local, Local];
      const clamp = [emitSplat(f, low), emitSplat(f, high)] as const;
      const addResidual = residual ? emitResidual(f, params.slice(3)) : () => undefined;
      return {
        startRows: () => undefined,
        finish(tile) {
          emitBiasAndClamp(f, tile, bias, clamp);
          addResidual(tile);
          emitStores(f, tile);
        },
        nextPanel: () => emitAddTo(f, bias, nr * 4),
      };
    },
  };
}

/** sum = clamp(sum + bias) */
export function emitBiasAndClamp(
  f: FunctionBuilder,
  { columns, sums }: Tile,
  bias: Local,
  [low, high]: readonly [Local, Local],
): void {
  loadVectors(f, bias, columns);
  for (const row of sums) {
    row.forEach((sum, index) => {
      f.get(sum);
      f.get(columns[index]);
      f.op("f32x4.add");
      f.get(low);
      f.op("f32x4.pmax");
      f.get(high);
      f.op("f32x4.pmin");
      f.set(sum);
    });
  }
}

/**
 * Prepares the addition of a residual; the result emits it for a tile: all loads, then all sums. Columns beyond C's take
 * what stands there, and are not stored.
 */
export function emitResidual(
  f: FunctionBuilder,
  [distance, low, high]: readonly Local[],
): (tile: Tile) => void {
  const bounds = [low, high].map((bound) => emitSplat(f, bound as Local));
  const address = f.local("i32");
  return ({ sums, outputs, columns }) => {
    sums.forEach((row, rowIndex) => {
      f.get(outputs[rowIndex]);
      f.get(distance as Local);
      f.op("i32.add");
      f.set(address);
      loadVectors(f, address, columns);
      row.forEach((sum, index) => {
        f.get(sum);
        f.get(columns[index]);
        f.op("f32x4.add");
        f.get(bounds[0] as Local);
        f.op("f32x4.pmax");
        f.get(bounds[1] as Local);
        f.op("f32x4.pmin");
        f.set(sum);
      });
    });
  };
}

/** Loads vectors that lie one behind the other. */
export function loadVectors(f: FunctionBuilder, address: Local, into: readonly Local[]): void {
  into.forEach((vector, index) => {
    f.get(address);
    f.mem("v128.load", 16 * index, 2);
    f.set(vector);
  });
}

/** Stores whole tiles as vectors, the last columns of C in halving pieces. */
export function emitStores(f: FunctionBuilder, tile: Tile): void {
  const { sums, outputs } = tile;
  emitByColumns(
    f,
    tile,
    () => {
      sums.forEach((row, rowIndex) => {
        row.forEach((sum, index) => {
          f.get(outputs[rowIndex]);
          f.get(sum);
          f.mem("v128.store", 16 * index, 2);
        });
      });
    },
    (columnsLeft) => {
      sums.forEach((row, rowIndex) => {
        emitPartialStore(f, row, outputs[rowIndex], columnsLeft);
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
  const widest = 2 ** Math.ceil(Math.log2(row.length * 2));
  for (let width = widest; width >= 1; width /= 2) {
    f.get(n);
    f.i32(width);
    f.op("i32.and");
    f.if(() => {
      if (width >= 4) storeVectors(f, row, output, width / 4);
      else storeLanes(f, row[0], output, width);
      emitAddTo(f, output, width * 4);
    });
  }
}

function storeVectors(
  f: FunctionBuilder,
  row: readonly Local[],
  output: Local,
  count: number,
): void {
  for (let index = 0; index < count; index++) {
    f.get(output);
    f.get(row[index]);
    f.mem("v128.store", 16 * index, 2);
  }
  for (let index = 0; index + count < row.length; index++) {
    emitCopy(f, row[index + count], row[index]);
  }
}

function storeLanes(f: FunctionBuilder, vector: Local, output: Local, width: number): void {
  f.get(output);
  f.get(vector);
  f.memLane(width === 2 ? "v128.store64_lane" : "v128.store32_lane", 0, 0, 2);
  if (width !== 2) return;
  f.get(vector);
  f.get(vector);
  f.shuffle([8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15]);
  f.set(vector);
}
