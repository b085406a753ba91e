/**
 * Batch normalization at inference: m = scale · rsqrt(variance + ε), y = x·m + (offset − mean·m). With constant
 * statistics both terms fold to constants, and the convolution before takes them in.
 */
import { boolAttr, floatAttr } from "../../graph/attrs.ts";
import type { GraphNode, ValueRef } from "../../graph/ir.ts";
import { attr } from "../attributes.ts";
import type { GraphBuilder } from "../graph-builder.ts";
import { layoutOf } from "../infer/window.ts";
import type { Decomposition } from "./decomposition.ts";

const fusedBatchNorm: Decomposition = (node, build) => {
  const [x, scale, offset] = node.inputs;
  const statistics = boolAttr(node, "is_training")
    ? trainingStatistics(node, build)
    : node.inputs.slice(3, 5);
  const [mean, variance] = statistics ?? [];
  if (!x || !scale || !offset || !mean || !variance || layoutOf(node).channel === 1)
    return undefined;
  const { name } = node;
  const epsilon = build.scalar(floatAttr(node, "epsilon"), variance);
  const deviation = build.add(`${name}/rsqrt`, "Rsqrt", [
    build.add(`${name}/add`, "Add", [variance, epsilon]),
  ]);
  const factor = build.add(`${name}/factor`, "Mul", [scale, deviation]);
  const shift = build.add(`${name}/shift`, "Sub", [
    offset,
    build.add(`${name}/shift/mean`, "Mul", [mean, factor]),
  ]);
  const y = build.add(name, "Add", [build.add(`${name}/mul`, "Mul", [x, factor]), shift]);
  const rest = Array.from({ length: node.outputCount - 1 }, (_, i) =>
    i % 2 === 0 ? mean : variance,
  );
  return [y, ...rest];
};

/** Mean and variance of the batch itself, over all axes but the channels. */
function trainingStatistics(node: GraphNode, build: GraphBuilder): readonly ValueRef[] | undefined {
  const x = node.inputs[0];
  if (x === undefined || build.shape(x)?.length !== 4 || layoutOf(node).channel === 1)
    return undefined;
  const average = (suffix: string, value: ValueRef) =>
    build.add(`${node.name}/${suffix}`, "Mean", [value, build.ints([0, 1, 2])], {
      keep_dims: attr.bool(false),
    });
  const mean = average("mean", x);
  const squares = build.add(`${node.name}/squares`, "SquaredDifference", [x, mean]);
  return [mean, average("variance", squares)];
}

/** Operands x, mean, variance, beta, gamma; gamma counts only when scale_after_normalization is set. */
const globalNormalization: Decomposition = (node, build) => {
  const [x, mean, variance, beta, gamma] = node.inputs;
  if (!x || !mean || !variance || !beta || !gamma) return undefined;
  const { name } = node;
  const epsilon = build.scalar(floatAttr(node, "variance_epsilon"), variance);
  const deviation = build.add(`${name}/rsqrt`, "Rsqrt", [
    build.add(`${name}/add`, "Add", [variance, epsilon]),
  ]);
  const factor = boolAttr(node, "scale_after_normalization")
    ? build.add(`${name}/factor`, "Mul", [gamma, deviation])
    : deviation;
  const shift = build.add(`${name}/shift`, "Sub", [
    beta,
    build.add(`${name}/shift/mean`, "Mul", [mean, factor]),
  ]);
  return [build.add(name, "Add", [build.add(`${name}/mul`, "Mul", [x, factor]), shift])];
};

export const BATCH_NORM: ReadonlyMap<string, Decomposition> = new Map([
  ["FusedBatchNorm", fusedBatchNorm],
  ["FusedBatchNormV2", fusedBatchNorm],
  ["FusedBatchNormV3", fusedBatchNorm],
  ["BatchNormWithGlobalNormalization", globalNormalization],
]);
