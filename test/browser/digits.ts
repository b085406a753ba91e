/** The embedded model as tests in pages use it: its files, an input that keeps threads busy, and Node's answers. */
import { fileURLToPath } from "node:url";
import { Interpreter, type KernelChoice, Optimize, TFLiteConverter } from "../../src/index.ts";

const savedModel = fileURLToPath(new URL("../fixtures/digits/saved_model", import.meta.url));

/** As many images as make every layer's work worth sharing. */
const SHAPE = [64, 8, 8, 1];

/** Grey values between 0 and 1 that repeat nowhere. */
export const INPUT: readonly number[] = Array.from({ length: 64 * 64 }, (_, index) => {
  return Math.fround((1 + Math.sin(index * 0.7)) / 2);
});

/** The model's file, float or with dynamic-range weights. */
export async function digitsFile(kind: "float" | "dynamic_range"): Promise<Uint8Array> {
  const converter = await TFLiteConverter.fromSavedModel(savedModel, {
    inputShapes: [{ shape: SHAPE }],
  });
  if (kind === "dynamic_range") converter.optimizations = [Optimize.DEFAULT];
  return converter.convert();
}

/** What one thread in Node computes for `INPUT`. */
export async function answerInNode(file: Uint8Array, kernels: KernelChoice): Promise<number[]> {
  const interpreter = await Interpreter.create(file, { kernels });
  const [input] = interpreter.getInputDetails();
  const [output] = interpreter.getOutputDetails();
  interpreter.setTensor(input!.index, Float32Array.from(INPUT));
  await interpreter.invoke();
  const answer = Array.from(interpreter.getTensor(output!.index) as Float32Array);
  interpreter.dispose();
  return answer;
}
