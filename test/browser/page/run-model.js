// Runs a model as an application would; used by the page, by a worker of the page, and in a bundle.
import { Interpreter } from "octavo/runtime";

/** Opens `source`, runs it twice on `input`, and tells what came out. */
export async function runModel(source, { input, ...options }) {
  const interpreter = await Interpreter.create(source, options);
  try {
    const [{ index }] = interpreter.getInputDetails();
    const outputs = [];
    for (let run = 0; run < 2; run++) {
      interpreter.setTensor(index, Float32Array.from(input));
      await interpreter.invoke();
      outputs.push(
        ...interpreter.getOutputDetails().map(({ name }) => interpreter.getTensor(name)),
      );
    }
    const { threads, diagnostics } = interpreter;
    return { outputs: outputs.map((output) => Array.from(output)), threads, diagnostics };
  } finally {
    interpreter.dispose();
  }
}
