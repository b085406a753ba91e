/**
 * The stage of hybrid products: C = clamp(f32(sum) · f32(scale · rowScale) + bias), the law of
 * `reference/output-stage.ts`. Where activations kept their zero point, sum is sum − zero · columnSum first. Rows that
 * share their scale have the same factors and the same zero · columnSum, which are then made once for each panel.
 */
import type { FunctionBuilder, Local } from "../../../wasm/function-builder.ts";
import { emitAddTo, emitCopy, emitSplat } from "../emit-basics.ts";
import type { BoundStage, GemmCommon, GemmStage, Tile } from "./emit-gemm.ts";
import {
  emitBiasAndClamp,
  emitResidual,
  emitStores,
  loadVectors,
  RESIDUAL_PARAMS,
} from "./float-stage.ts";
import { emitRowAddresses } from "./row-addresses.ts";
import { type GemmFinish, type GemmIsa, keepsBytes } from "./variants.ts";

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
 * The same for `dot` and `pairs`. columnSums: int32 per column, padded to nr. zeroDistance: from a row's scale to its
 * zero point, an int32.
 */
export type HybridDotGemm = (
  ...args: [...hybrid: Parameters<HybridGemm>, columnSums: number, zeroDistance: number]
) => void;

/** Where the numbers of columns and rows lie. */
interface Operands {
  readonly scales: Local;
  readonly rowScales: Local;
  readonly stride: Local;
  /** Undefined where activations have no zero point. */
  readonly zeros: { readonly columnSums: Local; readonly distance: Local } | undefined;
}

/** How sums become floats, before the bias. */
type Scaling = Pick<BoundStage, "initial" | "startRows"> & { apply(tile: Tile): void };

export function hybridStage(
  isa: GemmIsa,
  { residual, oneScale }: Pick<GemmFinish, "residual" | "oneScale">,
): GemmStage {
  const keepsZero = keepsBytes(isa);
  const own = ["i32", "i32", "i32", "i32", "f32", "f32"] as const;
  const zeroParams = keepsZero ? (["i32", "i32"] as const) : [];
  return {
    params: [...own, ...zeroParams, ...(residual ? RESIDUAL_PARAMS : [])],
    outputBytes: 4,
    begin(f, params, { mr, nr }) {
      const [scales, rowScales, stride, bias, low, high, columnSums, distance] = params as Local[];
      const zeros = keepsZero ? { columnSums, distance } : undefined;
      const operands = { scales, rowScales, stride, zeros };
      const scaling = oneScale ? sharedScaling(f, operands, nr) : rowScaling(f, operands, mr);
      const last = params.slice(own.length + zeroParams.length);
      const addResidual = residual ? emitResidual(f, last) : () => undefined;
      const clamp = [emitSplat(f, low), emitSplat(f, high)] as const;
      return {
        ...scaling,
        finish(tile) {
          scaling.apply(tile);
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

/** All rows have the scale and the zero point of the first. */
function sharedScaling(
  f: FunctionBuilder,
  { scales, rowScales, zeros }: Operands,
  nr: number,
): Scaling {
  const vectors = () => Array.from({ length: nr / 4 }, () => f.local("v128"));
  const factors = vectors();
  const initial = zeros === undefined ? [] : vectors();
  return {
    initial,
    startRows() {
      loadVectors(f, scales, factors);
      for (const factor of factors) {
        f.get(factor);
        f.get(rowScales);
        f.mem("v128.load32_splat");
        f.op("f32x4.mul");
        f.set(factor);
      }
      if (zeros === undefined) return;
      loadVectors(f, zeros.columnSums, initial);
      for (const start of initial) {
        f.get(start);
        emitZeroPoint(f, rowScales, zeros.distance);
        f.op("i32x4.mul");
        f.op("i32x4.neg");
        f.set(start);
      }
    },
    apply({ sums }) {
      for (const row of sums) {
        row.forEach((sum, index) => {
          f.get(sum);
          f.op("f32x4.convert_i32x4_s");
          f.get(factors[index] as Local);
          f.op("f32x4.mul");
          f.set(sum);
        });
      }
    },
  };
}

/** Each row has a scale and a zero point of its own. */
function rowScaling(
  f: FunctionBuilder,
  { scales, rowScales, stride, zeros }: Operands,
  mr: number,
): Scaling {
  const addresses = Array.from({ length: mr }, () => f.local("i32"));
  const next = f.local("i32");
  return {
    startRows: () => emitCopy(f, rowScales, next),
    apply(tile) {
      emitRowAddresses(f, tile, { next, stride, addresses });
      if (zeros !== undefined) emitZeroPoints(f, tile, addresses, zeros);
      emitScale(f, tile, scales, addresses);
    },
  };
}

/** Emits [] → the zero point that belongs to a scale, in all lanes. */
function emitZeroPoint(f: FunctionBuilder, rowScale: Local, distance: Local): void {
  f.get(rowScale);
  f.get(distance);
  f.op("i32.add");
  f.mem("v128.load32_splat");
}

/** sum −= zero · columnSum */
function emitZeroPoints(
  f: FunctionBuilder,
  { columns, sums, value }: Tile,
  rowScales: readonly Local[],
  { columnSums, distance }: NonNullable<Operands["zeros"]>,
): void {
  loadVectors(f, columnSums, columns);
  sums.forEach((row, rowIndex) => {
    emitZeroPoint(f, rowScales[rowIndex] as Local, distance);
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
  rowScales: readonly Local[],
): void {
  loadVectors(f, scales, columns);
  sums.forEach((row, rowIndex) => {
    f.get(rowScales[rowIndex]);
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
