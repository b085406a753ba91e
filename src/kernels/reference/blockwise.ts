/**
 * Weights with one scale for every block of a row: float16 scales [rows, depth / block] in a tensor of the same subgraph,
 * which the quantization of the weights names by index. Zero points are 0.
 */

import { GraphError } from "../../base/errors.ts";
import { fromFloat16 } from "../../base/float16.ts";
import { elementCount } from "../../base/shape.ts";
import type { KernelContext, KernelNode, TensorInfo } from "../kernel.ts";

/** Scales of a matrix [rows, depth], block by block. */
export interface BlockScales {
  /** float32[rows, depth / block]. */
  readonly scales: Float32Array;
  readonly block: number;
}

/** Whether weights are quantized in blocks. */
export function isBlockwise(weights: TensorInfo): boolean {
  return weights.quantization?.details?.type === "BlockwiseQuantization";
}

/**
 * The scales of weights that are quantized in blocks.
 *
 * @throws {GraphError} where the scales are no constant float16 tensor of the right size.
 */
export function blockScales(
  node: KernelNode,
  weights: TensorInfo,
  context: KernelContext,
): BlockScales {
  const details = weights.quantization?.details;
  const fail = (found: string, expected: string) =>
    new GraphError({ where: node.where, found, expected, node: node.op });
  if (details?.type !== "BlockwiseQuantization")
    throw fail("no block scales", "block-wise weights");
  const { scales: tensor, block_size: block } = details.value;
  const rows = weights.shape[0] ?? 0;
  const depth = elementCount(weights.shape.slice(1));
  if (block < 1 || depth % block !== 0) {
    throw fail(`blocks of ${block} in rows of ${depth}`, "rows of whole blocks");
  }
  const data = context.constant(tensor)?.data;
  const count = (rows * depth) / block;
  if (!(data instanceof Uint16Array) || data.length !== count) {
    throw fail(`block scales in tensor ${tensor}`, `a constant of ${count} half floats`);
  }
  return { scales: Float32Array.from(data, fromFloat16), block };
}
