/** Moves RELU, RELU6 and RELU_N1_TO_1 into the operator before them, where nothing else reads its result. */
import type { ActivationFunctionType, BuiltinOptions } from "../formats/tflite/schema.gen.ts";
import { type Draft, type DraftOperator, rewriteDraft } from "./draft.ts";
import { activationOf } from "./fold-affine.ts";

const FUSABLE: Readonly<Partial<Record<DraftOperator["op"], ActivationFunctionType>>> = {
  RELU: "RELU",
  RELU6: "RELU6",
  RELU_N1_TO_1: "RELU_N1_TO_1",
};

/** Operators whose kernels clamp their result. */
const HOSTS: ReadonlySet<DraftOperator["op"]> = new Set([
  "ADD",
  "SUB",
  "MUL",
  "DIV",
  "CONV_2D",
  "DEPTHWISE_CONV_2D",
  "FULLY_CONNECTED",
  "AVERAGE_POOL_2D",
  "MAX_POOL_2D",
  "TRANSPOSE_CONV",
  "CONV_3D",
]);

export function fuseActivations(draft: Draft): Draft {
  return rewriteDraft(draft, (operator, editor) => {
    const activation = FUSABLE[operator.op];
    const input = operator.inputs[0] ?? -1;
    const host = activation && editor.soleProducer(input);
    if (activation === undefined || host === undefined || !HOSTS.has(host.op)) return undefined;
    if (activationOf(host) !== "NONE" || editor.tensor(input).dtype !== "float32") return undefined;
    const options = withActivation(host.options, activation);
    if (options === undefined) return undefined;
    editor.remove(host);
    return [{ ...host, options, outputs: operator.outputs }];
  });
}

function withActivation(
  options: BuiltinOptions | undefined,
  activation: ActivationFunctionType,
): BuiltinOptions | undefined {
  if (options === undefined || !("fused_activation_function" in options.value)) return undefined;
  return {
    ...options,
    value: { ...options.value, fused_activation_function: activation },
  } as BuiltinOptions;
}
