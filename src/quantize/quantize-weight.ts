/** The step from float32 data to a stored form, one tensor at a time. */
import { bytesOf } from "../base/dtype.ts";
import { fromFloat16 } from "../base/float16.ts";
import type { Shape } from "../base/shape.ts";
import type { Buffer } from "../model/ir.ts";
import { toBlockScale } from "./block-scale.ts";
import type { ErrorTally } from "./error-tally.ts";
import type { FastRun } from "./fast-symmetric.ts";
import { toHalfFloats } from "./half-floats.ts";
import { packInt4 } from "./int4.ts";
import { quantizeAsymmetricR113, quantizeSymmetricR113 } from "./r1-13.ts";
import { findBounds } from "./range-methods.ts";
import {
  axisSlices,
  blockSlices,
  type Magnitudes,
  measureMagnitudes,
  type Slices,
  tensorSlices,
} from "./slices.ts";
import { quantizeSymmetric, symmetricScale } from "./symmetric.ts";
import type { Granularity, SymmetricFormat, WeightFormat } from "./weight-format.ts";

/** A constant in its new form. */
export interface QuantizedWeight {
  /** Empty where `onDemand` makes them when they are wanted. */
  readonly bytes: Uint8Array;
  readonly onDemand?: Buffer;
  /** What values were divided by: the scales before they were rounded to float32. Absent in other forms. */
  readonly divisors?: Float64Array;
  /** One for the tensor or one a channel; empty for float16 and for blocks. */
  readonly scale: Float32Array;
  /** Half floats, one a block, row after row; absent for other granularities. */
  readonly blocks?: { readonly size: number; readonly scales: Uint16Array };
  readonly zeroPoint: readonly number[];
  readonly quantizedDimension: number;
  readonly tally: ErrorTally;
  /** NaN found in the data: stored as 0, or as NaN in float16. */
  readonly nan: number;
  /** Infinities found in the data: only float16 has a place for them, the largest finite number. */
  readonly infinite: number;
}

/** Infinities leave no scale: the tensor must stay float. */
export interface Unquantizable {
  readonly infinite: number;
  readonly bytes?: never;
}

/** Largest integer of each symmetric type; the one below −qmax is never used, so that kernels may negate. */
const QMAX = { int8: 127, int4: 7 } as const;

/** For values that are a part of something larger. */
export interface PartOptions {
  /** Where the stored bytes go; aligned for their type. New memory where absent. */
  readonly into?: Uint8Array;
  /** The magnitudes of the whole, where it has one scale. */
  readonly known?: Magnitudes;
  /** Emitted code for long runs. */
  readonly fastRun?: FastRun | undefined;
}

/**
 * Stores `values`, row-major with the given shape, in the given format. Scales are not repeated here, see
 * `quantizeConstant`.
 */
export function quantizeWeight(
  values: Float32Array,
  shape: Shape,
  format: WeightFormat,
  { into, known, fastRun }: PartOptions = {},
): QuantizedWeight | Unquantizable {
  if (format.dtype === "float16") {
    const half = toHalfFloats(values, into);
    return { ...half, scale: new Float32Array(0), zeroPoint: [], quantizedDimension: 0 };
  }
  const slices =
    format.dtype === "uint8" ? tensorSlices(shape) : slicesOf(shape, format.granularity);
  const magnitudes = known ?? measureMagnitudes(values, slices);
  const { nan, infinite } = magnitudes;
  if (infinite > 0) return { infinite };
  const finite = nan === 0 ? values : values.map((value) => (Number.isNaN(value) ? 0 : value));
  const found = { nan, infinite };
  if (format.dtype === "uint8") {
    return { ...quantizeAsymmetricR113(finite), ...found, quantizedDimension: 0 };
  }
  return { ...storeSymmetric(finite, slices, magnitudes, format, { into, fastRun }), ...found };
}

/** The slices that share a scale. */
export function slicesOf(shape: Shape, granularity: Granularity): Slices {
  switch (granularity.kind) {
    case "tensor":
      return tensorSlices(shape);
    case "channel":
      return axisSlices(shape, granularity.axis);
    case "block":
      return blockSlices(shape, granularity.size);
  }
}

function storeSymmetric(
  values: Float32Array,
  slices: Slices,
  { largest }: Magnitudes,
  format: SymmetricFormat,
  { into, fastRun }: Pick<PartOptions, "fastRun"> & { readonly into: Uint8Array | undefined },
): Omit<QuantizedWeight, "nan" | "infinite"> {
  const qmax = QMAX[format.dtype];
  const q =
    format.dtype === "int8" && into !== undefined
      ? new Int8Array(into.buffer, into.byteOffset, values.length)
      : new Int8Array(values.length);
  let scale: Float32Array;
  let tally: ErrorTally;
  let divisors: Float64Array | undefined;
  if (format.method === "r1.13") {
    ({ scale, tally } = quantizeSymmetricR113(values, largest[0] ?? 0, q));
  } else {
    const bounds = findBounds(format.method, values, slices, largest, qmax);
    const scales = bounds.map((bound) => symmetricScale(bound, qmax));
    if (format.granularity.kind === "block") {
      return storeBlocks(values, slices, scales, qmax, q, into);
    }
    tally = quantizeSymmetric(values, slices, scales, qmax, q, fastRun);
    scale = Float32Array.from(scales);
    divisors = scales;
  }
  return {
    bytes: format.dtype === "int4" ? packInt4(q, into) : bytesOf(q),
    scale,
    zeroPoint: new Array<number>(scale.length).fill(0),
    quantizedDimension: format.granularity.kind === "channel" ? format.granularity.axis : 0,
    tally,
    ...(divisors === undefined ? {} : { divisors }),
  };
}

/** Blocks: the file keeps their scales as half floats in a tensor of their own, so values are divided by those. */
function storeBlocks(
  values: Float32Array,
  slices: Slices,
  scales: Float64Array,
  qmax: number,
  q: Int8Array,
  into: Uint8Array | undefined,
): Omit<QuantizedWeight, "nan" | "infinite"> {
  const blockScales = Uint16Array.from(scales, toBlockScale);
  const stored = Float64Array.from(blockScales, fromFloat16);
  const tally = quantizeSymmetric(values, slices, stored, qmax, q);
  return {
    bytes: packInt4(q, into),
    scale: new Float32Array(0),
    blocks: { size: slices.inner, scales: blockScales },
    zeroPoint: [],
    quantizedDimension: 0,
    tally,
  };
}
