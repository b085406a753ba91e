/**
 * TensorFlow Lite's kernel for block-wise weights leaves out the fused activation (kernels/internal/optimized/4bit),
 * so it is put behind the operator as one of its own.
 */
import { optionsAs } from "../formats/tflite/options.ts";
import type { ActivationFunctionType, BuiltinOperatorName } from "../formats/tflite/schema.gen.ts";
import type { Operator, Tensor } from "../model/ir.ts";

const OPERATOR_OF: Readonly<Partial<Record<ActivationFunctionType, BuiltinOperatorName>>> = {
  RELU: "RELU",
  RELU6: "RELU6",
  RELU_N1_TO_1: "RELU_N1_TO_1",
  TANH: "TANH",
};

/** The fully connected operator without its activation, and that. Appends the tensor between them to `tensors`. */
export function splitActivation(operator: Operator, tensors: Tensor[]): readonly Operator[] {
  const options = optionsAs(operator.options, "FullyConnectedOptions");
  const op = options && OPERATOR_OF[options.fused_activation_function];
  if (options === undefined || op === undefined) return [operator];
  const output = operator.outputs[0]!;
  const tensor = tensors[output]!;
  const between = tensors.push({ ...tensor, name: `${tensor.name}_linear` }) - 1;
  const value = { ...options, fused_activation_function: "NONE" } as const;
  return [
    { ...operator, outputs: [between], options: { type: "FullyConnectedOptions", value } },
    { op, version: 1, inputs: [between], outputs: [output] },
  ];
}
