/**
 * Products of quantized activations with quantized weights, to quantized results. With a dot product of bytes the zero
 * points stay in the operands; with w' = w − 128 for weights of uint8,
 *
 *   Σ (a − z)(w' − v) = Σ a·w' − z Σ w' − v Σ a + k·z·v
 *
 * The second and fourth term belong to columns and go into the bias, the third belongs to rows (`emit-row-sums.ts`).
 */
import type { TensorView } from "../../kernel.ts";
import { centeredWeights } from "../../reference/weights.ts";
import { inputAt, perTensorQuantization } from "../../require.ts";
import type { ByteType } from "../activations/emit-quantize.ts";
import type { FastRequest } from "../fast-kernel.ts";
import { gemmIsa } from "../gemm/choose.ts";
import type { IntegerGemm, RowTermArguments, SmallIntegerGemm } from "../gemm/integer-stage.ts";
import { columnSums } from "../gemm/pack.ts";
import { listsFor, type PairLists } from "../gemm/pair-lists.ts";
import type { GemmData } from "../gemm/variants.ts";
import { type ActivationPass, bytePass, movedZeroPoint, wideningPass } from "./activation-pass.ts";
import type { ProductKind, ProductRequest, RowSums, StageOf } from "./product-kind.ts";
import { doubleFactors, type Requantization, requantizationOf } from "./requantization.ts";

/** What differs between ways to multiply the same integers. */
interface IntegerOperands {
  readonly data: GemmData;
  readonly lists?: PairLists | undefined;
  readonly weights: Int8Array | Int16Array;
  /** With what the zero points add to columns. */
  readonly bias: Int32Array;
  readonly pass: ActivationPass | undefined;
  readonly zeroPoint: number;
  readonly rowSums?: RowSums;
  /** Largest magnitude of an activation as it is multiplied, and of what is added to all sums of a row. */
  readonly largestActivation: number;
  readonly largestTerm: number;
}

/** Plans the kind for weights `filter`; undefined where the factors do not fit. */
export function integerKind(
  fast: FastRequest,
  request: ProductRequest,
  filter: TensorView,
  bias: TensorView | undefined,
): ProductKind | undefined {
  const { n, k, activation, precision } = request;
  const requantization = requantizationOf(fast.node, activation, n, precision);
  if (requantization === undefined || (bias !== undefined && bias.dtype !== "int32"))
    return undefined;
  const biases = bias?.data instanceof Int32Array ? bias.data : new Int32Array(n);
  const operands = operandsOf(fast, request, filter, biases);
  const { data, lists, weights, pass, zeroPoint, rowSums } = operands;
  const { largestActivation, largestTerm } = operands;
  const largest = columnMagnitudes(weights, n, k).map(
    (magnitude) => magnitude * largestActivation + largestTerm,
  );
  const doubles = doubleFactors(requantization, operands.bias, largest);
  const columns =
    doubles === undefined
      ? [requantization.multipliers, requantization.exponents, operands.bias]
      : [doubles.factors, doubles.offsets];
  return {
    data,
    lists,
    smallSums: doubles !== undefined,
    weights: () => weights,
    columns,
    pass,
    zeroPoint,
    ...(rowSums === undefined ? {} : { rowSums }),
    elementBytes: 1,
    bindStage: (addresses, { terms }) => {
      const columnArguments =
        doubles === undefined ? fixedStage(requantization) : smallStage(requantization);
      return (row, column) => {
        const rowTerms: RowTermArguments | [] = rowSums === undefined ? [] : [terms + row * 4, 4];
        return [...columnArguments(addresses, column), ...rowTerms];
      };
    },
  };
}

/** The stage's arguments for columns from `column` on, before those of rows. */
type ColumnArguments = (addresses: readonly number[], column: number) => readonly number[];

function fixedStage({ zeroPoint, low, high }: Requantization): ColumnArguments {
  return ([multipliers = 0, exponents = 0, bias = 0], column): StageOf<IntegerGemm> => {
    const offset = column * 4;
    return [multipliers + offset, exponents + offset, bias + offset, zeroPoint, low, high];
  };
}

function smallStage({ zeroPoint, low, high }: Requantization): ColumnArguments {
  return ([factors = 0, offsets = 0], column): StageOf<SmallIntegerGemm> => {
    return [factors + column * 8, offsets + column * 8, zeroPoint, low, high];
  };
}

function operandsOf(
  { node, features }: FastRequest,
  { rows, n, k }: ProductRequest,
  filter: TensorView,
  bias: Int32Array,
): IntegerOperands {
  const input = inputAt(node, 0);
  const from: ByteType = input.dtype === "uint8" ? "uint8" : "int8";
  const inputZero = perTensorQuantization(node, input, "input").zeroPoint;
  const isExact = gemmIsa("qs8", features) === "dot";
  const dot = isExact ? features.dot : features.pairs;
  const bytes = dot === undefined ? undefined : dotWeights(filter, k);
  const isListed = bytes !== undefined && !isExact;
  const lists = isListed ? listsFor(bytes.weights, { rows, n, k }, features) : undefined;
  if (dot === undefined || bytes === undefined || (!isExact && lists === undefined)) {
    const weights = centeredWeights(filter);
    const data = from === "uint8" ? "qu16" : weights instanceof Int8Array ? "qs8" : "qs16";
    const pass = wideningPass("int16", from, inputZero);
    return { data, weights, bias, pass, zeroPoint: 0, largestActivation: 255, largestTerm: 0 };
  }
  const { weights, zeroPoint: weightZero } = bytes;
  const stored = movedZeroPoint(from, dot, inputZero);
  const sums = columnSums(weights, n, k);
  const factor = -weightZero;
  return {
    data: from === "uint8" ? "qu8" : "qs8",
    lists,
    weights,
    // Wraps as int32 sums do.
    bias: bias.map((value, c) => value - stored * (sums[c] ?? 0) + k * stored * weightZero),
    pass: from === dot ? undefined : bytePass(from, dot, inputZero),
    zeroPoint: stored,
    ...(from === "int8" ? {} : { rowSums: { from: dot, factor } }),
    largestActivation: 255,
    largestTerm: 255 * k * Math.abs(factor),
  };
}

/** The highest bits of four bytes. */
const HIGHEST_BITS = 0x80808080;

/** Weights as int8 with their zero point; undefined where they need more, or rows could not be summed in whole steps. */
function dotWeights(
  filter: TensorView,
  k: number,
): { readonly weights: Int8Array; readonly zeroPoint: number } | undefined {
  const zeroPoint = filter.quantization?.zeroPoint[0] ?? 0;
  if (filter.data instanceof Uint8Array && filter.dtype === "uint8") {
    if (k % 4 !== 0) return undefined;
    // As int8, w − 128 is w with its highest bit turned over; here of four weights at a time.
    const weights = new Int8Array(filter.data);
    const words = new Int32Array(weights.buffer);
    for (let at = 0; at < words.length; at++) words[at] ^= HIGHEST_BITS;
    return { weights, zeroPoint: zeroPoint - 128 };
  }
  const weights = centeredWeights(filter);
  return weights instanceof Int8Array ? { weights, zeroPoint: 0 } : undefined;
}

/** Σ over k of |w| of each column of integers [n, k]. */
function columnMagnitudes(weights: Int8Array | Int16Array, n: number, k: number): Float64Array {
  return Float64Array.from({ length: n }, (_, column) => {
    let sum = 0;
    for (let at = column * k; at < (column + 1) * k; at++) sum += Math.abs(weights[at]);
    return sum;
  });
}
