/**
 * SVDF in full integer: int8 input and feature weights, int16 (or int8) time weights and memory, int32 bias, int8 output.
 * Two requantizations: into the memory, s_in·s_feature / s_memory, and out, s_memory·s_time / s_out.
 * TensorFlow Lite 2.21 kernels/internal/reference/svdf.h.
 */
import { assert } from "../../base/errors.ts";
import type { KernelNode, KernelRun, TensorView } from "../kernel.ts";
import { optionsOf } from "../options.ts";
import { inputAt, outputAt, perTensorQuantization, requireType, unsupported } from "../require.ts";
import { int8, int32, present } from "../views.ts";
import { multiplyByQuantizedMultiplier, quantizeMultiplier } from "./fixed-point.ts";
import { type SvdfSizes, shiftMemory } from "./svdf-memory.ts";

/** Whether the operator is fully quantized. */
export function isIntegerSvdf(node: KernelNode): boolean {
  return inputAt(node, 0).dtype === "int8";
}

/** Checks types and quantization of a fully quantized operator. */
export function requireIntegerSvdf(node: KernelNode): void {
  const roles = ["input", "feature weights", "time weights", "bias", "state"];
  requireType(node, inputAt(node, 1), ["int8"], "feature weights");
  requireType(node, inputAt(node, 2), ["int16", "int8"], "time weights");
  requireType(node, inputAt(node, 4), [inputAt(node, 2).dtype], "state");
  requireType(node, outputAt(node, 0), ["int8"], "output");
  const bias = node.inputs[3];
  if (bias !== undefined) requireType(node, bias, ["int32"], "bias");
  for (const index of [0, 1, 2, 4]) {
    perTensorQuantization(node, inputAt(node, index), roles[index]);
  }
  perTensorQuantization(node, outputAt(node, 0), "output");
  const { fused_activation_function: activation } = optionsOf(node, "SVDFOptions");
  if (activation !== "NONE" && activation !== "RELU") {
    throw unsupported(node, `in full integer with activation ${activation}`);
  }
}

/** Sums of all filters on an input: Σ weight·(q − zero point), [batch, filters]. */
export type FeatureSums = (input: TensorView, weights: TensorView) => ArrayLike<number>;

/** The definition of the sums. */
function plainSums(node: KernelNode, { batch, inputs, filters }: SvdfSizes): FeatureSums {
  const { zeroPoint } = perTensorQuantization(node, inputAt(node, 0), "input");
  const sums = new Float64Array(batch * filters);
  return (input, weights) => {
    const [values, feature] = [int8(input), int8(weights)];
    for (let at = 0; at < sums.length; at++) {
      const [row, filter] = [Math.floor(at / filters) * inputs, (at % filters) * inputs];
      let sum = 0;
      for (let k = 0; k < inputs; k++) sum += feature[filter + k] * (values[row + k] - zeroPoint);
      sums[at] = sum;
    }
    return sums;
  };
}

/** Binds a fully quantized operator, whose sums `features` computes. */
export function createIntegerSvdf(
  node: KernelNode,
  sizes: SvdfSizes,
  features: FeatureSums = plainSums(node, sizes),
): KernelRun {
  const { batch, filters, memory, units, rank } = sizes;
  const quantization = (index: number) =>
    perTensorQuantization(node, inputAt(node, index), "operand");
  const [input, state] = [quantization(0), quantization(4)];
  const output = perTensorQuantization(node, outputAt(node, 0), "output");
  const toState = quantizeMultiplier((input.scale * quantization(1).scale) / state.scale);
  const toOutput = quantizeMultiplier((state.scale * quantization(2).scale) / output.scale);
  const [stateMin, stateMax] = inputAt(node, 4).dtype === "int8" ? [-128, 127] : [-32768, 32767];
  return ([x, featureView, timeView, bias, stateView], [out]) => {
    const result = int8(out);
    const sums = features(present(x), present(featureView));
    const { data: time } = present(timeView);
    const { data: remembered } = present(stateView);
    assert(time instanceof Int16Array || time instanceof Int8Array, "integer time weights");
    assert(remembered instanceof Int16Array || remembered instanceof Int8Array, "integer memory");
    const offsets = bias && int32(bias);
    shiftMemory(remembered);
    for (let b = 0; b < batch; b++) {
      for (let f = 0; f < filters; f++) {
        const sum = sums[b * filters + f];
        const q = multiplyByQuantizedMultiplier(sum, toState.multiplier, toState.shift);
        const at = (b * filters + f) * memory + memory - 1;
        remembered[at] = Math.max(stateMin, Math.min(stateMax, q + state.zeroPoint));
      }
      for (let u = 0; u < units; u++) {
        let sum = offsets?.[u] ?? 0;
        for (let r = u * rank; r < (u + 1) * rank; r++) {
          const row = (b * filters + r) * memory;
          for (let m = 0; m < memory; m++) {
            sum += time[r * memory + m] * (remembered[row + m] - state.zeroPoint);
          }
        }
        const q = multiplyByQuantizedMultiplier(sum, toOutput.multiplier, toOutput.shift);
        result[b * units + u] = Math.max(-128, Math.min(127, q + output.zeroPoint));
      }
    }
  };
}
