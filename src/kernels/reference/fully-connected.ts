/**
 * FULLY_CONNECTED: input [.., depth] seen as rows, filter [units, depth], bias [units]; out = input × filterᵀ + bias.
 * Float, hybrid (activations quantized per row) and full integer. TensorFlow Lite 2.21 kernels/fully_connected.cc.
 */
import { assert } from "../../base/errors.ts";
import { elementCount, formatShape, type Shape } from "../../base/shape.ts";
import type { FullyConnectedOptions } from "../../formats/tflite/schema.gen.ts";
import type { KernelContext, KernelNode, KernelRun, KernelTable } from "../kernel.ts";
import { optionsOf } from "../options.ts";
import { inputAt, misshapen, outputAt, requireRank, unsupported } from "../require.ts";
import { float32, present } from "../views.ts";
import { clampInPlace, clampRange } from "./activation.ts";
import { arithmeticOf, type ProductOperands, requireProductTypes } from "./arithmetic-kind.ts";
import { blockScales, isBlockwise } from "./blockwise.ts";
import { dotRows } from "./dot.ts";
import { quantizeVector } from "./hybrid.ts";
import {
  biasValues,
  channelScales,
  floatStage,
  hybridStage,
  integerStage,
} from "./output-stage.ts";
import { SHUFFLED_FULLY_CONNECTED } from "./shuffled-fully-connected.ts";
import { centeredWeights, hybridWeights, preparedOnce } from "./weights.ts";

/** rows × depth times depth × units. */
export interface ProductGeometry {
  readonly rows: number;
  readonly depth: number;
  readonly units: number;
}

/**
 * Lays out the product from its operands and options.
 *
 * @throws {ShapeError} for operands that do not fit together.
 */
export function productGeometry(node: KernelNode): ProductGeometry {
  const [input, filter] = [inputAt(node, 0).shape, inputAt(node, 1).shape];
  requireRank(node, filter, [2, 2], "filter");
  const [units, depth] = filter;
  const rows = depth === 0 ? 0 : elementCount(input) / depth;
  const { keep_num_dims } = optionsOf(node, "FullyConnectedOptions");
  if (!Number.isInteger(rows) || (keep_num_dims && input.at(-1) !== depth)) {
    throw misshapen(
      node,
      `input ${formatShape(input)} with filter ${formatShape(filter)}`,
      `rows of ${depth} elements`,
    );
  }
  const bias = node.inputs[2];
  if (bias !== undefined && elementCount(bias.shape) !== units) {
    throw misshapen(node, `bias ${formatShape(bias.shape)}`, `${units} elements`);
  }
  return { rows, depth, units };
}

function outputShape(node: KernelNode): Shape {
  const { rows, units } = productGeometry(node);
  const { keep_num_dims } = optionsOf(node, "FullyConnectedOptions");
  return keep_num_dims ? [...inputAt(node, 0).shape.slice(0, -1), units] : [rows, units];
}

function createFloat(
  node: KernelNode,
  options: FullyConnectedOptions,
  { checkTime }: KernelContext,
): KernelRun {
  const { rows, depth, units } = productGeometry(node);
  const row = new Float64Array(depth);
  const sums = new Float64Array(units);
  return ([input, filter, bias], [out]) => {
    const [values, weights] = [float32(input), float32(filter)];
    const stage = floatStage(node, options.fused_activation_function, biasValues(bias, units));
    for (let r = 0; r < rows; r++) {
      checkTime();
      row.set(values.subarray(r * depth, (r + 1) * depth));
      dotRows(row, depth, weights, 0, units, sums);
      stage(sums, units, 0, present(out).data, r * units);
    }
  };
}

/** Filters of this many rows and columns, the latter even, go to the int4 kernel of their own. */
const INT4_KERNEL_MIN_ROWS = 4;
const INT4_KERNEL_MIN_COLUMNS = 32;

/**
 * Whether rows are quantized with a zero point. The int4 kernel ignores the option: it quantizes symmetrically.
 */
export function isAsymmetric(node: KernelNode, options: FullyConnectedOptions): boolean {
  const filter = inputAt(node, 1);
  const [units, depth] = filter.shape;
  const int4Kernel =
    filter.dtype === "int4" &&
    filter.isConstant &&
    depth % 2 === 0 &&
    units >= INT4_KERNEL_MIN_ROWS &&
    depth >= INT4_KERNEL_MIN_COLUMNS;
  return options.asymmetric_quantize_inputs && !int4Kernel;
}

function createHybrid(
  node: KernelNode,
  options: FullyConnectedOptions,
  { checkTime }: KernelContext,
): KernelRun {
  const { rows, depth, units } = productGeometry(node);
  const asymmetric = isAsymmetric(node, options);
  const weightScales = channelScales(node, inputAt(node, 1), units);
  const scales = new Float32Array(units);
  const row = new Float64Array(depth);
  const sums = new Float64Array(units);
  const weightsOf = preparedOnce(hybridWeights);
  const range = clampRange(node, options.fused_activation_function);
  return ([input, filter, bias], [out]) => {
    const [values, weights] = [float32(input), weightsOf(filter)];
    const biases = biasValues(bias, units);
    const stage = hybridStage(range, biases, scales);
    for (let r = 0; r < rows; r++) {
      checkTime();
      const { scale } = quantizeVector(values, r * depth, depth, asymmetric, row);
      for (let u = 0; u < units; u++) scales[u] = weightScales[u] * scale;
      dotRows(row, depth, weights, 0, units, sums);
      stage(sums, units, 0, present(out).data, r * units);
    }
  };
}

/**
 * Hybrid with one weight scale for every block of a row: out = (Σ_blocks scale·Σ q_x·q_w)·s_x + bias. Rows are quantized
 * with a zero point whatever the option says. The official kernel leaves the activation out; here it is applied.
 */
function createBlockwise(
  node: KernelNode,
  options: FullyConnectedOptions,
  context: KernelContext,
): KernelRun {
  const { rows, depth, units } = productGeometry(node);
  const { checkTime } = context;
  const { scales, block } = blockScales(node, inputAt(node, 1), context);
  const range = clampRange(node, options.fused_activation_function);
  const blocks = depth / block;
  const row = new Float64Array(depth);
  const weightsOf = preparedOnce(hybridWeights);
  return ([input, filter, bias], [out]) => {
    const [values, weights, result] = [float32(input), weightsOf(filter), float32(out)];
    const biases = biasValues(bias, units);
    for (let r = 0; r < rows; r++) {
      checkTime();
      const { scale } = quantizeVector(values, r * depth, depth, true, row);
      for (let u = 0; u < units; u++) {
        let sum = 0;
        for (let b = 0; b < blocks; b++) {
          const at = u * depth + b * block;
          let products = 0;
          for (let k = 0; k < block; k++) products += row[b * block + k] * weights[at + k];
          sum = Math.fround(sum + Math.fround(products * scales[u * blocks + b]));
        }
        result[r * units + u] = Math.fround(sum * scale) + biases[u];
      }
    }
    clampInPlace(result, range);
  };
}

function createInteger(
  node: KernelNode,
  options: FullyConnectedOptions,
  { checkTime }: KernelContext,
): KernelRun {
  const { rows, depth, units } = productGeometry(node);
  const [input, filter, output] = [inputAt(node, 0), inputAt(node, 1), outputAt(node, 0)];
  const zero = input.quantization?.zeroPoint[0] ?? 0;
  const isPerChannel = (filter.quantization?.scale.length ?? 0) > 1;
  const stageOf = integerStage(node, options.fused_activation_function, {
    input,
    filter,
    output,
    channels: units,
    precision: isPerChannel ? "per-channel" : "per-tensor",
    // Dense int16 layers with a bias of 64 bits are computed by the plain kernel, in double; others by the matrix product.
    law: input.dtype === "int16" && node.inputs[2]?.dtype === "int64" ? "real" : "ties-up",
  });
  const row = new Float64Array(depth);
  const sums = new Float64Array(units);
  const weightsOf = preparedOnce(centeredWeights);
  return ([view, weightsView, bias], [out]) => {
    const { data } = present(view);
    assert(!Array.isArray(data), "numeric input");
    const weights = weightsOf(weightsView);
    const stage = stageOf(biasValues(bias, units));
    for (let r = 0; r < rows; r++) {
      checkTime();
      for (let k = 0; k < depth; k++) row[k] = Number(data[r * depth + k]) - zero;
      dotRows(row, depth, weights, 0, units, sums);
      stage(sums, units, 0, present(out).data, r * units);
    }
  };
}

/** uint8 layers may give int16, as LSTM cells made of single operators have them. */
const OPERANDS: ProductOperands = { input: 0, filter: 1, bias: 2, widerOutput: { uint8: "int16" } };

function isShuffled(node: KernelNode): boolean {
  return optionsOf(node, "FullyConnectedOptions").weights_format === "SHUFFLED4x16INT8";
}

export const FULLY_CONNECTED: KernelTable = {
  FULLY_CONNECTED: {
    check(node) {
      if (isShuffled(node)) {
        SHUFFLED_FULLY_CONNECTED.check(node);
        return;
      }
      requireProductTypes(node, OPERANDS);
      if (isBlockwise(inputAt(node, 1)) && arithmeticOf(node) !== "hybrid") {
        throw unsupported(node, `on ${inputAt(node, 0).dtype} with block-wise weights`);
      }
    },
    shapes(node, known, subgraph) {
      if (isShuffled(node)) return SHUFFLED_FULLY_CONNECTED.shapes(node, known, subgraph);
      return [outputShape(node)];
    },
    create(node, context) {
      if (isShuffled(node)) return SHUFFLED_FULLY_CONNECTED.create(node, context);
      const options = optionsOf(node, "FullyConnectedOptions");
      if (isBlockwise(inputAt(node, 1))) return createBlockwise(node, options, context);
      switch (arithmeticOf(node)) {
        case "float":
          return createFloat(node, options, context);
        case "hybrid":
          return createHybrid(node, options, context);
        case "integer":
          return createInteger(node, options, context);
      }
    },
  },
};
