/**
 * Products of int16 activations with int8 or int4 weights: int32 sums where the weights are so small that none can
 * overflow, and what turns them into int16.
 */
import type { ActivationFunctionType } from "../../../formats/tflite/schema.gen.ts";
import type { KernelNode, TensorInfo, TensorView } from "../../kernel.ts";
import {
  quantizedActivationRange,
  quantizeMultiplier,
  reducedMultiplier,
} from "../../reference/fixed-point.ts";
import { biasValues, requantizationFactors } from "../../reference/output-stage.ts";
import { centeredWeights } from "../../reference/weights.ts";
import { inputAt, outputAt, perTensorQuantization } from "../../require.ts";
import type { Region } from "../fast-kernel.ts";
import {
  type DoubleLaw,
  type DoubleRowsFunction,
  doubleRowsName,
  emitDoubleRows,
} from "../finish/emit-double-rows.ts";
import {
  awayColumns,
  type FinishLaw,
  finishOf,
  type SumFinish,
  shareFinish,
  sumFinish,
} from "./integer-finish.ts";

/** How sums become results; those of ties have a bias of 32 bits or none. */
export type WideLaw = DoubleLaw | FinishLaw;

/** What a product needs to know beside its weights and bias. */
export interface WideSettings {
  readonly channels: number;
  readonly law: WideLaw;
  /** The activations; operand 0 by default. */
  readonly input?: TensorInfo;
  /** Weights are [window, channels], as depthwise convolutions have them, instead of [channels, depth]. */
  readonly isDepthwise?: boolean;
}

export interface WideProduct {
  readonly weights: Int8Array;
  /** What the product adds to its sums. */
  readonly sumBias: Int32Array;
  readonly finish: SumFinish;
}

/** Sums with their bias stay below this, where doubles multiply them exactly. */
const LARGEST_SUM = 2 ** 37;

/** The product of a node; undefined where sums could overflow, or a factor does not fit. */
export function wideProduct(
  node: KernelNode,
  activation: ActivationFunctionType,
  { channels, law, input = inputAt(node, 0), isDepthwise = false }: WideSettings,
  filter: TensorView,
  bias: TensorView | undefined,
): WideProduct | undefined {
  const output = outputAt(node, 0);
  const zeroPoints = [filter, input, output].flatMap(
    ({ quantization }) => quantization?.zeroPoint ?? [],
  );
  if (filter.dtype !== "int8" && filter.dtype !== "int4") return undefined;
  if (output.dtype !== "int16" || zeroPoints.some((zero) => zero !== 0)) return undefined;
  const weights = centeredWeights(filter);
  if (!(weights instanceof Int8Array)) return undefined;
  const biases = biasValues(bias, channels);
  const largest = largestSums(weights, channels, isDepthwise);
  const isSmall = biases.every((value, channel) => {
    const sum = largest[channel];
    const own = law === "wide" || law === "real" ? 0 : Math.abs(value);
    return sum + own < 2 ** 31 && Math.abs(value) + sum < LARGEST_SUM;
  });
  if (!isSmall) return undefined;
  const quantization = perTensorQuantization(node, output, "output");
  const { min, max } = quantizedActivationRange(node, activation, "int16", quantization);
  const isPerChannel = (filter.quantization?.scale.length ?? 0) > 1;
  const precision = node.op === "FULLY_CONNECTED" && !isPerChannel ? "per-tensor" : "per-channel";
  const operands = { input, filter, output, channels, precision } as const;
  const factors = requantizationFactors(node, operands);
  if (law === "wide" || law === "real") {
    const finish = doubleFinish(law, factors, biases, [min, max]);
    return { weights, sumBias: new Int32Array(channels), finish };
  }
  const fixed = Array.from(factors, quantizeMultiplier);
  const bounds = { zeroPoint: 0, low: min, high: max };
  const finish = finishOf("int16", fixed, bounds);
  if (finish === undefined) return undefined;
  const away = awayColumns(law, channels);
  return { weights, sumBias: Int32Array.from(biases), finish: sumFinish({ ...finish, away }) };
}

/** The largest magnitude that the sum of each channel can have. */
function largestSums(weights: Int8Array, channels: number, isDepthwise: boolean): Float64Array {
  const sums = new Float64Array(channels);
  const depth = weights.length / channels;
  const [own, next] = isDepthwise ? [1, channels] : [depth, 1];
  for (let channel = 0; channel < channels; channel++) {
    let at = channel * own;
    for (let k = 0; k < depth; k++, at += next) sums[channel] += 2 ** 15 * Math.abs(weights[at]);
  }
  return sums;
}

/** Addresses of the columns. */
type Four = [number, number, number, number];

function doubleFinish(
  law: DoubleLaw,
  real: Float64Array,
  bias: Float64Array,
  [low, high]: readonly [number, number],
): SumFinish {
  const name = doubleRowsName(law);
  const fixed = Array.from(real, quantizeMultiplier);
  const totals = fixed.map(({ shift }) => 15 - shift);
  const factors =
    law === "real"
      ? real
      : Float64Array.from(fixed, ({ multiplier }) => reducedMultiplier(multiplier));
  const columns = [
    bias,
    factors,
    Float64Array.from(totals, (total) => 2 ** (total - 1)),
    Float64Array.from(totals, (total) => 2 ** -total),
  ];
  return {
    functions: [{ name, emit: (module) => emitDoubleRows(module, law) }],
    lay: (persistent: Region) => {
      const at = columns.map((column) => persistent.take(column.byteLength)) as Four;
      return (place) => {
        for (const [index, column] of columns.entries()) {
          new Float64Array(place.memory.buffer, at[index], column.length).set(column);
        }
        const run = place.call<DoubleRowsFunction>(name);
        return shareFinish(place, { name, itemBytes: 2, run }, [...at, low, high]);
      };
    },
  };
}
