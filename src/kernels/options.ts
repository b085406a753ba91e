/** Typed access to the options of an operator. */
import { GraphError } from "../base/errors.ts";
import {
  type BuiltinOptions2Name,
  type BuiltinOptionsName,
  defaultsOf,
} from "../formats/tflite/options.ts";
import type {
  BuiltinOptions,
  BuiltinOptions2,
  TableRecords,
} from "../formats/tflite/schema.gen.ts";
import type { KernelNode } from "./kernel.ts";

/**
 * The options of `node`, which must be of the table `type`. A file may leave the table out; the operator then has
 * the schema's defaults.
 *
 * @throws {GraphError} when the file carries another operator's options.
 */
export function optionsOf<Type extends BuiltinOptionsName | BuiltinOptions2Name>(
  node: KernelNode,
  type: Type,
): TableRecords[Type] {
  const union: BuiltinOptions | BuiltinOptions2 | undefined = node.options ?? node.options2;
  if (union === undefined) return defaultsOf(type);
  if (union.type === type) return union.value as TableRecords[Type];
  throw new GraphError({
    where: node.where,
    found: `options of type ${union.type}`,
    expected: type,
    node: node.op,
  });
}
