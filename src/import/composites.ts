/**
 * Functions that say what they compute. Keras 2 tags the function of an LSTM layer: `api_implements` is "lstm_" and an
 * identifier, `time_major` and `go_backwards` tell how it reads its sequence. TensorFlow's converter believes the tag;
 * for the conversion to be able to, calls of such functions are not inlined here.
 *
 * Arguments: inputs, initial h, initial c, kernel, recurrent kernel, bias. Results: last output, outputs, h, c, device.
 * Source: tf_keras/layers/rnn/lstm.py (standard_lstm), compiler/mlir/lite/transforms/prepare_composite_functions_tf.cc.
 */
import type { FunctionDef } from "../formats/tensorflow/graph-messages.ts";
import type { Attr } from "../graph/ir.ts";
import { toAttr } from "./attr-values.ts";

const TAGS = ["api_implements", "time_major", "go_backwards"] as const;
const ARGUMENTS = 6;
const RESULTS = 5;
/** Number of the type float32. */
const FLOAT = 1;

/**
 * Tells whether calls of a function stay calls. Functions with a mask, with weights as handles (TensorFlow before 2.3)
 * or without the other tags do not say enough: they are inlined like any other.
 */
export function isComposite(definition: FunctionDef): boolean {
  const { input_arg: inputs, output_arg: outputs } = definition.signature;
  const tags = compositeTags(definition);
  const api = tags.get("api_implements");
  return (
    api?.kind === "string" &&
    api.value.startsWith("lstm_") &&
    tags.get("time_major")?.kind === "bool" &&
    tags.get("go_backwards")?.kind === "bool" &&
    inputs.length === ARGUMENTS &&
    outputs.length === RESULTS &&
    inputs.every(({ type, number_attr }) => type === FLOAT && number_attr === "")
  );
}

/** What a function says of itself. */
export function compositeTags({ attr, signature }: FunctionDef): Map<string, Attr> {
  const tags = new Map<string, Attr>();
  for (const name of TAGS) {
    const message = attr.get(name);
    if (message !== undefined) tags.set(name, toAttr(message, `function "${signature.name}"`));
  }
  return tags;
}
