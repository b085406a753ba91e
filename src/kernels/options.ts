/** Typed access to the options of an operator. */
import { GraphError } from "../base/errors.ts";
import type { BuiltinOptions, BuiltinOptions2 } from "../formats/tflite/schema.gen.ts";
import type { KernelNode } from "./kernel.ts";

type OptionsByType = {
  [Union in BuiltinOptions | BuiltinOptions2 as Union["type"]]: Union["value"];
};

/**
 * The options of `node`, which must be of the table `type`. A file may leave the table out; the operator then has
 * `defaults`, those of the schema.
 *
 * @throws {GraphError} when the file carries another operator's options.
 */
export function optionsOf<Type extends keyof OptionsByType>(
  node: KernelNode,
  type: Type,
  defaults: OptionsByType[Type],
): OptionsByType[Type] {
  const union: BuiltinOptions | BuiltinOptions2 | undefined = node.options ?? node.options2;
  if (union === undefined) return defaults;
  if (isOfType(union, type)) return union.value;
  throw new GraphError({
    where: node.where,
    found: `options of type ${union.type}`,
    expected: type,
    node: node.op,
  });
}

function isOfType<Type extends keyof OptionsByType>(
  union: BuiltinOptions | BuiltinOptions2,
  type: Type,
): union is (BuiltinOptions | BuiltinOptions2) & { type: Type; value: OptionsByType[Type] } {
  return union.type === type;
}
