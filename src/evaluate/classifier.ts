/** A model that is asked for the scores of classes: one input, one output, one sample at a time. */
import type { TypedArray } from "../base/dtype.ts";
import { ShapeError, UnsupportedError } from "../base/errors.ts";
import { elementCount, formatShape } from "../base/shape.ts";
import { Interpreter, type TensorDetails } from "../runtime/interpreter.ts";
import type { InterpreterOptions } from "../runtime/interpreter-options.ts";
import type { InputDescription } from "./preprocess.ts";
import { realValues } from "./real-values.ts";

export interface Classifier {
  /** For reports: a file name. */
  readonly name: string;
  /** Size of the model file. */
  readonly byteLength: number;
  readonly input: InputDescription;
  readonly classCount: number;
  /** Runs the model on one input in its own element type. */
  classify(input: TypedArray): Promise<Classification>;
  dispose(): void;
}

export interface Classification {
  /** Real values, whatever the type of the output. */
  readonly scores: Float32Array;
  /** Time of the run alone, in milliseconds. */
  readonly elapsedMs: number;
}

/**
 * Opens a .tflite classifier. State that the model keeps between runs is cleared before each.
 * @throws {UnsupportedError} when it has more than one input or output, or takes more than one sample at a time
 * @throws what `Interpreter.create` throws
 */
export async function openClassifier(
  name: string,
  model: Uint8Array,
  options: InterpreterOptions = {},
): Promise<Classifier> {
  const interpreter = await Interpreter.create(model, options);
  try {
    const input = onlyOne(interpreter.getInputDetails(), name, "input");
    const output = onlyOne(interpreter.getOutputDetails(), name, "output");
    if (input.shape.length > 1 && input.shape[0] !== 1) {
      throw new UnsupportedError({
        where: name,
        found: `an input of shape ${formatShape(input.shape)}`,
        expected: "one sample at a time: [1, …]",
        remedy: "Convert the model with a batch of 1, for example --input-shape 1,224,224,3",
        features: ["evaluation with a batch"],
      });
    }
    return {
      name,
      byteLength: model.byteLength,
      input,
      classCount: elementCount(output.shape),
      classify: (data) => classify(interpreter, input, output, data),
      dispose: () => interpreter.dispose(),
    };
  } catch (error) {
    interpreter.dispose();
    throw error;
  }
}

function onlyOne(details: readonly TensorDetails[], name: string, what: string): TensorDetails {
  const [only] = details;
  if (details.length === 1 && only !== undefined) return only;
  const names = details.map((tensor) => `"${tensor.name}"`).join(", ");
  throw new UnsupportedError({
    where: name,
    found: `${details.length} ${what}s (${names})`,
    expected: `one ${what}, as a classifier has`,
    features: [`classifiers with ${details.length} ${what}s`],
  });
}

async function classify(
  interpreter: Interpreter,
  input: TensorDetails,
  output: TensorDetails,
  data: TypedArray,
): Promise<Classification> {
  interpreter.resetVariables();
  interpreter.setTensor(input.index, data);
  const startedAt = performance.now();
  await interpreter.invoke();
  const elapsedMs = performance.now() - startedAt;
  return { scores: scoresOf(interpreter, output), elapsedMs };
}

function scoresOf(interpreter: Interpreter, output: TensorDetails): Float32Array {
  const scores = realValues(output, interpreter.getTensor(output.index));
  if (scores !== undefined) return scores;
  throw new ShapeError({
    where: `output "${output.name}"`,
    found: output.dtype,
    expected: "a score for each class",
  });
}
