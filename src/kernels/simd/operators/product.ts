/**
 * What convolutions and fully connected layers share once their input is a matrix: the choice of a tile, constants
 * packed in linear memory, and the calls. A product is float, hybrid or integer, as its operand types say.
 */
import { assert } from "../../../base/errors.ts";
import { elementCount } from "../../../base/shape.ts";
import type { ActivationFunctionType } from "../../../formats/tflite/schema.gen.ts";
import type { KernelNode, TensorView } from "../../kernel.ts";
import type { ClampRange } from "../../reference/activation.ts";
import { channelScales, type FactorPrecision } from "../../reference/output-stage.ts";
import { centeredWeights, hybridWeights } from "../../reference/weights.ts";
import { inputAt, perTensorQuantization } from "../../require.ts";
import type { ByteType } from "../activations/emit-quantize.ts";
import { type EmittedFunction, type FastPlace, type FastRequest, Region } from "../fast-kernel.ts";
import { blockColumns, blockRows } from "../gemm/blocks.ts";
import { chooseGemm, gemmIsa } from "../gemm/choose.ts";
import { emitGemm, type GemmCommon } from "../gemm/emit-gemm.ts";
import type { FloatGemm, HybridDotGemm, HybridGemm } from "../gemm/float-stage.ts";
import type { IntegerGemm } from "../gemm/integer-stage.ts";
import {
  columnSums,
  gemmSteps,
  packedByteLength,
  packFloat,
  packGroups,
  packNibbles,
  stepGroup,
} from "../gemm/pack.ts";
import type { GemmData, GemmVariant } from "../gemm/variants.ts";
import { type ActivationPass, bytePass, quantizingPass, wideningPass } from "./activation-pass.ts";
import { requantizationOf } from "./requantization.ts";

/** What an operator says about its product. */
export interface ProductRequest {
  /** Rows that are multiplied at a time. */
  readonly rows: number;
  /** Columns of the result. */
  readonly n: number;
  /** Length of the sums. */
  readonly k: number;
  readonly activation: ActivationFunctionType;
  /** The range of an activation on floats: whether overflow stops at the largest float is the operator's own. */
  floatRange(node: KernelNode, activation: ActivationFunctionType): ClampRange;
  /** Whether float activations are quantized with a zero point, where they are. */
  readonly asymmetric: boolean;
  /** How integer products compute their factors. */
  readonly precision: FactorPrecision;
}

/** Multiplies `rows` rows at `a` (bytes, as is `aStride`) and writes them to `out`, row after row. */
export type Multiply = (a: number, aStride: number, rows: number, out: number) => void;

/** Scales (float32) and zero points (int32) of the rows of a hybrid product, `stride` bytes apart (0: one for all). */
export interface RowParameters {
  readonly scales: number;
  readonly zeroPoints: number;
  readonly stride: number;
}

export interface Product {
  readonly variant: GemmVariant;
  readonly functions: readonly EmittedFunction[];
  /** Comes before the product; undefined for floats. */
  readonly pass: ActivationPass | undefined;
  /** Bytes of an element of the operator's input and output. */
  readonly elementBytes: number;
  /** Bytes of a row of A. */
  readonly rowBytes: number;
  readonly persistentBytes: number;
  bind(place: FastPlace, parameters: RowParameters): Multiply;
}

/** Packed constants: columns of numbers that a stage reads, and the weights. */
interface Constants {
  readonly data: GemmData;
  /** Made when they are packed, so that no unpacked copy outlives it. */
  weights(): Float32Array | Int8Array | Int16Array;
  readonly columns: readonly (Float32Array | Int32Array)[];
}

/** The stage's arguments for a block of rows from `row` on and columns from `column` on. */
type StageArguments = (row: number, column: number) => readonly number[];
type BindStage = (columns: readonly number[], rows: RowParameters) => StageArguments;

/** A stage's own arguments: those behind the common ones. */
type StageOf<Gemm extends (...args: never[]) => void> =
  Parameters<Gemm> extends [...GemmCommon, ...infer Rest] ? Rest : never;

/** A kind of product: its constants, what comes before it, and how its function is called. */
interface ProductKind extends Constants {
  readonly pass: ActivationPass | undefined;
  readonly elementBytes: number;
  readonly bindStage: BindStage;
}

/** Plans the product of an operator whose weights are operand 1 and whose bias is operand 2. */
export function planProduct(fast: FastRequest, request: ProductRequest): Product | undefined {
  const kind = kindOf(fast, request);
  if (kind === undefined) return undefined;
  const { n, k } = request;
  const variant = chooseGemm(kind.data, request, fast.features);
  const lay = (region: Region) => ({
    weights: region.take(packedByteLength(variant, n, k)),
    columns: kind.columns.map(() => region.take(Math.ceil(n / variant.nr) * variant.nr * 4)),
  });
  const measured = new Region();
  lay(measured);
  const steps = gemmSteps(variant, k);
  return {
    variant,
    functions: [
      { name: variant.name, emit: (module) => emitGemm(module, variant) },
      ...(kind.pass?.functions ?? []),
    ],
    pass: kind.pass,
    elementBytes: kind.elementBytes,
    rowBytes: steps * 4,
    persistentBytes: measured.byteLength,
    bind(place, parameters) {
      const at = lay(new Region(place.persistent));
      storeWeights(place.memory.buffer, variant, kind.weights(), n, k, at.weights);
      for (const [index, values] of kind.columns.entries()) {
        storeColumn(place.memory.buffer, values, at.columns[index] ?? 0);
      }
      const stage = kind.bindStage(at.columns, parameters);
      const panelBytes = packedByteLength(variant, variant.nr, k);
      const cStride = n * kind.elementBytes;
      return (a, aStride, rows, out) => {
        const block = blockRows(rows, aStride, variant.mr);
        const columns = blockColumns(n, variant.nr, Math.ceil(rows / block), place.threads);
        const calls: number[][] = [];
        for (let column = 0; column < n; column += columns) {
          const weights = at.weights + (column / variant.nr) * panelBytes;
          for (let row = 0; row < rows; row += block) {
            const common: GemmCommon = [
              a + row * aStride,
              aStride,
              weights,
              out + row * cStride + column * kind.elementBytes,
              cStride,
              Math.min(block, rows - row),
              Math.min(columns, n - column),
              steps,
            ];
            calls.push([...common, ...stage(row, column)]);
          }
        }
        place.callAll(variant.name, calls, rows * n * k);
      };
    },
  };
}

function kindOf(fast: FastRequest, request: ProductRequest): ProductKind | undefined {
  const { node, known } = fast;
  const filter = known(1);
  const bias = node.inputs[2] === undefined ? undefined : known(2);
  if (filter === undefined || (node.inputs[2] !== undefined && bias === undefined))
    return undefined;
  if (filter.quantization?.details !== undefined) return undefined;
  if (request.k === 0 || elementCount(filter.shape) !== request.n * request.k) return undefined;
  const input = inputAt(node, 0).dtype;
  if (input === "float32" && filter.dtype === "float32") {
    return floatKind(fast, request, filter, bias);
  }
  if (input === "float32" && (filter.dtype === "int8" || filter.dtype === "int4")) {
    return hybridKind(fast, request, filter, bias);
  }
  if (
    (input === "int8" && filter.dtype === "int8") ||
    (input === "uint8" && filter.dtype === "uint8")
  ) {
    return integerKind(fast, request, input, filter, bias);
  }
  return undefined;
}

/** The bias as floats; zeros where there is none. */
function floatBias(bias: TensorView | undefined, n: number): Float32Array {
  return bias?.data instanceof Float32Array ? bias.data : new Float32Array(n);
}

function floatKind(
  { node }: FastRequest,
  { n, activation, floatRange }: ProductRequest,
  filter: TensorView,
  bias: TensorView | undefined,
): ProductKind {
  const { data } = filter;
  assert(data instanceof Float32Array, "float weights");
  const { min, max } = floatRange(node, activation);
  return {
    data: "f32",
    weights: () => data,
    columns: [floatBias(bias, n)],
    pass: undefined,
    elementBytes: 4,
    bindStage: ([bias = 0]) => {
      return (_, column): StageOf<FloatGemm> => [bias + column * 4, min, max];
    },
  };
}

function hybridKind(
  { node, features }: FastRequest,
  { n, k, activation, asymmetric, floatRange }: ProductRequest,
  filter: TensorView,
  bias: TensorView | undefined,
): ProductKind {
  const { min, max } = floatRange(node, activation);
  const data = filter.dtype === "int4" ? "qd4" : "qd8";
  const dot = gemmIsa(data, features) === "dot" ? features.dot : undefined;
  const columns: (Float32Array | Int32Array)[] = [
    channelScales(node, filter, n),
    floatBias(bias, n),
  ];
  if (dot !== undefined) columns.push(columnSums(hybridWeights(filter), n, k));
  return {
    data,
    weights: () => hybridWeights(filter),
    columns,
    pass: quantizingPass(dot ?? "int16", asymmetric),
    elementBytes: 4,
    bindStage: ([scales = 0, bias = 0, sums = 0], rows) => {
      const distance = rows.zeroPoints - rows.scales;
      return (row, column) => {
        const common: StageOf<HybridGemm> = [
          scales + column * 4,
          rows.scales + row * rows.stride,
          rows.stride,
          bias + column * 4,
          min,
          max,
        ];
        if (dot === undefined) return common;
        const stage: StageOf<HybridDotGemm> = [...common, sums + column * 4, distance];
        return stage;
      };
    },
  };
}

function integerKind(
  { node, features }: FastRequest,
  { n, k, activation, precision }: ProductRequest,
  input: ByteType,
  filter: TensorView,
  bias: TensorView | undefined,
): ProductKind | undefined {
  const requantization = requantizationOf(node, activation, n, precision);
  if (requantization === undefined || (bias !== undefined && bias.dtype !== "int32"))
    return undefined;
  const { zeroPoint, low, high } = requantization;
  const weights = centeredWeights(filter);
  const biases = bias?.data instanceof Int32Array ? bias.data : new Int32Array(n);
  const inputZero = perTensorQuantization(node, inputAt(node, 0), "input").zeroPoint;
  const data = input === "uint8" ? "qu16" : weights instanceof Int8Array ? "qs8" : "qs16";
  const dot = gemmIsa(data, features) === "dot" ? features.dot : undefined;
  const storedZero = dot === "uint8" ? inputZero + 128 : inputZero;
  return {
    data,
    weights: () => weights,
    columns: [
      requantization.multipliers,
      requantization.exponents,
      dot === undefined ? biases : withoutZeroPoint(biases, storedZero, columnSums(weights, n, k)),
    ],
    pass: dot === undefined ? wideningPass("int16", input, inputZero) : bytePass(dot, inputZero),
    elementBytes: 1,
    bindStage: ([multipliers = 0, exponents = 0, bias = 0]) => {
      return (_, column): StageOf<IntegerGemm> => [
        multipliers + column * 4,
        exponents + column * 4,
        bias + column * 4,
        zeroPoint,
        low,
        high,
      ];
    },
  };
}

/** bias − zeroPoint · sum of weights, which makes products of what keeps its zero point right. Wraps as int32 sums do. */
function withoutZeroPoint(bias: Int32Array, zeroPoint: number, sums: Int32Array): Int32Array {
  return bias.map((value, column) => value - zeroPoint * (sums[column] ?? 0));
}

function storeWeights(
  buffer: ArrayBufferLike,
  variant: GemmVariant,
  weights: ReturnType<Constants["weights"]>,
  n: number,
  k: number,
  at: number,
): void {
  const byteLength = packedByteLength(variant, n, k);
  const shape = { nr: variant.nr, group: stepGroup(variant) };
  if (weights instanceof Float32Array) {
    packFloat(weights, n, k, variant.nr, new Float32Array(buffer, at, byteLength / 4));
  } else if (variant.data === "qd4") {
    assert(weights instanceof Int8Array, "weights of 4 bits");
    packNibbles(weights, n, k, shape, new Uint8Array(buffer, at, byteLength));
  } else if (variant.data === "qd8" || variant.data === "qs8") {
    packGroups(weights, n, k, shape, new Int8Array(buffer, at, byteLength));
  } else {
    packGroups(weights, n, k, shape, new Int16Array(buffer, at, byteLength / 2));
  }
}

function storeColumn(buffer: ArrayBufferLike, values: Float32Array | Int32Array, at: number): void {
  if (values instanceof Float32Array) new Float32Array(buffer, at, values.length).set(values);
  else new Int32Array(buffer, at, values.length).set(values);
}
