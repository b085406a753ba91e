/** The choice that hybrid operators have: quantize activations around zero, or over the range they really have. */
import { assert } from "../base/errors.ts";
import { makeOptions } from "../formats/tflite/options.ts";
import type { BuiltinOptions } from "../formats/tflite/schema.gen.ts";
import type { Operator } from "../model/ir.ts";
import { weightRuleOf } from "./weight-operands.ts";

/** The operator with `asymmetric_quantize_inputs` set; its rule must name an option table that has the field. */
export function withAsymmetricInputs(operator: Operator, value: boolean): Operator {
  const type = weightRuleOf(operator)?.flagIn;
  assert(type !== undefined, `${operator.op} has no asymmetric_quantize_inputs`);
  const options = operator.options ?? makeOptions(type);
  if (options.type !== type) return operator;
  const fields = { ...options.value, asymmetric_quantize_inputs: value };
  return { ...operator, options: { type, value: fields } as BuiltinOptions };
}
