/**
 * SVDF: a dense layer as rank-1 filters over time. Each of units × rank filters projects the input to one number,
 * remembers the last `memory` of them, and weighs them: s = dot(time weights, memory); out = act(bias + Σ_rank s).
 * Float, and hybrid (int8 feature weights; time weights dequantized once). The memory is a variable operand
 * [batch, memory × filters]. TensorFlow Lite 2.21 kernels/svdf.cc.
 */
import { formatShape } from "../../base/shape.ts";
import type { KernelNode, KernelRun, KernelTable } from "../kernel.ts";
import { optionsOf } from "../options.ts";
import { inputAt, misshapen, requireOperands, requireRank } from "../require.ts";
import { float32, present } from "../views.ts";
import {
  PLAIN_MATH,
  type RecurrentMath,
  requireFloatEnds,
  requireFloats,
  requireShape,
  requireState,
  requireWeights,
  weightMatrix,
  weightVector,
} from "./recurrent-product.ts";
import { createIntegerSvdf, isIntegerSvdf, requireIntegerSvdf } from "./svdf-integer.ts";
import { type SvdfSizes, shiftMemory } from "./svdf-memory.ts";
import { activationFunction } from "./vector-activation.ts";
import { preparedOnce } from "./weights.ts";

/** The sizes of a node, after all operands are checked against each other. */
export function svdfSizes(node: KernelNode): SvdfSizes {
  const [input, feature, time] = [0, 1, 2].map((index) => inputAt(node, index).shape);
  for (const shape of [input, feature, time]) requireRank(node, shape, [2, 2], "operand");
  const { rank } = optionsOf(node, "SVDFOptions");
  const [batch, inputs] = input;
  const [filters] = feature;
  const memory = time[1];
  const units = filters / rank;
  if (rank < 1 || !Number.isInteger(units)) {
    throw misshapen(node, `weights ${formatShape(feature)} of rank ${rank}`, "units × rank rows");
  }
  requireShape(node, node.inputs[1], [filters, inputs]);
  requireShape(node, node.inputs[2], [filters, memory]);
  requireShape(node, node.inputs[3], [units]);
  requireState(node, 4, batch * filters * memory);
  return { batch, inputs, filters, memory, units, rank };
}

/** The float or hybrid form, computing with `math`. */
export function createFloatSvdf(node: KernelNode, math: RecurrentMath): KernelRun {
  const { batch, inputs, filters, memory, units, rank } = svdfSizes(node);
  const options = optionsOf(node, "SVDFOptions");
  const activation = activationFunction(node, options.fused_activation_function);
  const vectors = math.vectors(batch, inputs, options.asymmetric_quantize_inputs);
  const features = new Float32Array(batch * filters);
  const timeWeightsOf = preparedOnce(weightVector);
  return ([input, featureWeights, timeWeights, bias, stateView], [out]) => {
    const [state, result] = [float32(stateView), float32(out)];
    const time = timeWeightsOf(timeWeights);
    vectors.load(float32(input));
    features.fill(0);
    vectors.addProduct(weightMatrix(present(featureWeights)), features);
    shiftMemory(state);
    for (let i = 0; i < features.length; i++) state[i * memory + memory - 1] = features[i];
    const offsets = bias === undefined ? undefined : float32(bias);
    for (let i = 0; i < batch * units; i++) {
      let sum = offsets?.[i % units] ?? 0;
      const first = (i % units) * rank;
      for (let r = first; r < first + rank; r++) {
        const row = (Math.floor(i / units) * filters + r) * memory;
        let dot = 0;
        for (let m = 0; m < memory; m++) dot += time[r * memory + m] * state[row + m];
        sum += dot;
      }
      result[i] = sum;
    }
    math.apply(result, activation);
  };
}

export const SVDF: KernelTable = {
  SVDF: {
    stateful: true,
    check(node) {
      requireOperands(node, [5, 5]);
      for (const index of [0, 1, 2, 4]) inputAt(node, index);
      if (isIntegerSvdf(node)) {
        requireIntegerSvdf(node);
        return;
      }
      requireFloatEnds(node);
      requireFloats(node, [3, 4]);
      requireWeights(node, [1, 2]);
    },
    shapes(node) {
      const { batch, units } = svdfSizes(node);
      return [[batch, units]];
    },
    create: (node) =>
      isIntegerSvdf(node)
        ? createIntegerSvdf(node, svdfSizes(node))
        : createFloatSvdf(node, PLAIN_MATH),
  },
};
