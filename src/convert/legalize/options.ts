/** Small pieces of operator options that several families need. */
import type { DType } from "../../base/dtype.ts";
import type { Padding, TensorType } from "../../formats/tflite/schema.gen.ts";
import { stringAttr } from "../../graph/attrs.ts";
import type { GraphNode } from "../../graph/ir.ts";
import { intsOrNone } from "../attributes.ts";
import type { Lowering } from "./lowering.ts";

/** The schema's spelling of an element type. */
export const tensorType = (dtype: DType): TensorType => dtype.toUpperCase() as TensorType;

/** SAME or VALID; explicit paddings have become Pad nodes before. */
export function paddingOf(lowering: Lowering): Padding {
  const padding = stringAttr(lowering.node, "padding");
  return padding === "SAME" || padding === "VALID" ? padding : lowering.fail(`padding ${padding}`);
}

/** Strides or dilations along height and width; NHWC. */
export function heightWidth(node: GraphNode, name: string): readonly [number, number] {
  const [, height = 1, width = 1] = intsOrNone(node, name);
  return [height, width];
}
