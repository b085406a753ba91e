/** Sizes of the basic kernel of LSTM: operands x, h, weights, bias and c; results h, c and two intermediate ones. */
import type { Shape } from "../../base/shape.ts";
import type { KernelNode } from "../kernel.ts";
import { inputAt, requireRank } from "../require.ts";
import { requireShape, requireState } from "./recurrent-product.ts";

export interface BasicSizes {
  readonly batch: number;
  readonly inputs: number;
  readonly cells: number;
}

/**
 * The sizes, after all operands are checked against each other.
 *
 * @throws {ShapeError}
 */
export function basicSizes(node: KernelNode): BasicSizes {
  const { shape } = inputAt(node, 0);
  requireRank(node, shape, [2, 2], "input");
  const [batch, inputs] = shape;
  const cells = inputAt(node, 1).shape.at(-1) ?? 0;
  requireShape(node, node.inputs[2], [4 * cells, inputs + cells]);
  requireShape(node, node.inputs[3], [4 * cells]);
  requireState(node, 1, batch * cells);
  requireState(node, 4, batch * cells);
  return { batch, inputs, cells };
}

/** Shapes of h, c, [x, h] and the gates. */
export function basicShapes({ batch, inputs, cells }: BasicSizes): Shape[] {
  return [
    [batch, cells],
    [batch, cells],
    [batch, inputs + cells],
    [batch, 4 * cells],
  ];
}
