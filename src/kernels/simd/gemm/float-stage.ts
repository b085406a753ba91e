/**
 * Stages with float results. f32: C = clamp(sum + bias). Hybrid: C = clamp(f32(sum) · f32(scale · rowScale) + bias),
 * the law of `reference/output-stage.ts`. Where activations kept their zero point, sum is sum − zero · columnSum first.
 */
import type { FunctionBuilder, Local } from "../../../wasm/function-builder.ts";
import { emitAddTo, emitCopy, emitSplat } from "../emit-basics.ts";
import type { GemmCommon, GemmStage, Tile } from "./emit-gemm.ts";
import { emitRowAddresses } from "./row-addresses.ts";
import { type GemmIsa, keepsBytes } from "./variants.ts";

/** bias: float32 per column, padded to nr. low, high: bounds of the fused activation, ∓Infinity for none. */
export type FloatGemm = (
  ...args: [...common: GemmCommon, bias: number, low: number, high: number]
) => void;

/**
 * scales: float32 per column, padded to nr. rowScales: float32 per row; their stride is 0 where all rows share one
 * scale, else 4. The rest as for floats.
 */
export type HybridGemm = (
  ...args: [
    ...common: GemmCommon,
    scales: number,
    rowScales: number,
    rowScaleStride: number,
    bias: number,
    low: number,
    high: number,
  ]
) => void;

/**
 * The same for `dot` and `dot4`. columnSums: int32 per column, padded to nr. zeroDistance: from a row's scale to its
 * zero point, an int32.
 */
export type HybridDotGemm = (
  ...args: [...hybrid: Parameters<HybridGemm>, columnSums: number, zeroDistance: number]
) => void;

/**
 * What comes last where a tensor of C's shape is added to it: C = clamp(C + residual). distance: from an element of C to
 * that of the tensor, which may be C itself.
 */
export type ResidualArguments = readonly [distance: number, low: number, high: number];

const RESIDUAL_PARAMS = ["i32", "f32", "f32"] as const;

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

export function hybridStage(isa: GemmIsa, residual: boolean): GemmStage {
  const keepsZero = keepsBytes(isa);
  const own = ["i32", "i32", "i32", "i32", "f32", "f32"] as const;
  const zeros = keepsZero ? (["i32", "i32"] as const) : [];
  return {
    params: [...own, ...zeros, ...(residual ? RESIDUAL_PARAMS : [])],
    outputBytes: 4,
    begin(f, params, { mr, nr }) {
      const [scales, rowScales, stride, bias, low, high, columnSums, zeroDistance] =
        params as Local[];
      const last = params.slice(own.length + zeros.length);
      const addResidual = residual ? emitResidual(f, last) : () => undefined;
      const clamp = [emitSplat(f, low), emitSplat(f, high)] as const;
      const rowScale = Array.from({ length: mr }, () => f.local("i32"));
      const next = f.local("i32");
      return {
        startRows: () => emitCopy(f, rowScales, next),
        finish(tile) {
          emitRowAddresses(f, tile, { next, stride, addresses: rowScale });
          if (keepsZero) emitZeroPoints(f, tile, rowScale, columnSums, zeroDistance);
          emitScale(f, tile, scales, rowScale);
          emitBiasAndClamp(f, tile, bias, clamp);
          addResidual(tile);
          emitStores(f, tile);
        },
        nextPanel() {
          const pointers = keepsZero ? [scales, bias, columnSums] : [scales, bias];
          for (const pointer of pointers) emitAddTo(f, pointer, nr * 4);
        },
      };
    },
  };
}

/** sum −= zero · columnSum */
function emitZeroPoints(
  f: FunctionBuilder,
  { columns, sums, value }: Tile,
  rowScale: readonly Local[],
  columnSums: Local,
  zeroDistance: Local,
): void {
  loadVectors(f, columnSums, columns);
  sums.forEach((row, rowIndex) => {
    f.get(rowScale[rowIndex]);
    f.get(zeroDistance);
    f.op("i32.add");
    f.mem("v128.load32_splat");
    f.set(value);
    row.forEach((sum, index) => {
      f.get(sum);
      f.get(columns[index]);
      f.get(value);
      f.op("i32x4.mul");
      f.op("i32x4.sub");
      f.set(sum);
    });
  });
}

/** sum = f32(sum) · f32(scale · rowScale) */
function emitScale(
  f: FunctionBuilder,
  { columns, sums, value }: Tile,
  scales: Local,
  rowScale: readonly Local[],
): void {
  loadVectors(f, scales, columns);
  sums.forEach((row, rowIndex) => {
    f.get(rowScale[rowIndex]);
    f.mem("v128.load32_splat");
    f.set(value);
    row.forEach((sum, index) => {
      f.get(sum);
      f.op("f32x4.convert_i32x4_s");
      f.get(columns[index]);
      f.get(value);
      f.op("f32x4.mul");
      f.op("f32x4.mul");
      f.set(sum);
    });
  });
}

function emitBiasAndClamp(
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
function emitResidual(
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

function loadVectors(f: FunctionBuilder, address: Local, into: readonly Local[]): void {
  into.forEach((vector, index) => {
    f.get(address);
    f.mem("v128.load", 16 * index, 2);
    f.set(vector);
  });
}

/** Stores whole tiles as vectors, the last columns of C in halving pieces. */
export function emitStores(
  f: FunctionBuilder,
  { variant, sums, outputs, columnsLeft }: Tile,
): void {
  f.get(columnsLeft);
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
