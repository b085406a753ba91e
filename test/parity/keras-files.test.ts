/** The project's own Keras files: imported, converted and run, against what Keras computed. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { convertGraph } from "../../src/convert/pipeline.ts";
import { verifyGraph } from "../../src/graph/verify.ts";
import { importKeras } from "../../src/import/keras.ts";
import { Interpreter } from "../../src/runtime/interpreter.ts";

const fixture = (name: string): string =>
  fileURLToPath(new URL(`../fixtures/import/${name}`, import.meta.url));

interface Expected {
  readonly input: readonly number[];
  readonly outputs: readonly (readonly number[])[];
}

it.each(
  [
    "vision",
    "sequence",
    "scales",
    "layers",
    "operations",
    "disguises",
    "rearranged",
    "stacks",
    "heads",
    "formulas",
    "categories",
    "states",
  ]
    .flatMap((name) => [`${name}.keras`, `${name}.h5`])
    // Functions and nodes of TensorFlow as layers: only Keras 2 wrote them.
    .concat("lambdas.h5", "nodes.h5"),
)("%s gives what Keras gives", async (name) => {
  const json = readFileSync(fixture(name.replace(/\.\w+$/, ".json")), "utf8");
  const expected = JSON.parse(json) as Expected;
  const { graph } = await importKeras(new Uint8Array(readFileSync(fixture(name))));
  verifyGraph(graph);
  const interpreter = await Interpreter.create(convertGraph(graph).model);
  const [input] = interpreter.getInputDetails();
  const isFloat = input!.dtype === "float32";
  interpreter.setTensor(
    input!.index,
    isFloat ? Float32Array.from(expected.input) : Int32Array.from(expected.input),
  );
  await interpreter.invoke();
  const outputs = interpreter.getOutputDetails().map(({ index }) => interpreter.getTensor(index));
  expect(outputs).toHaveLength(expected.outputs.length);
  for (const [i, wanted] of expected.outputs.entries()) {
    const scale = Math.max(...wanted.map(Math.abs));
    const actual = [...(outputs[i] as Float32Array)];
    expect(actual).toHaveLength(wanted.length);
    const difference = Math.max(...actual.map((value, k) => Math.abs(value - wanted[k]!)));
    expect(difference / scale).toBeLessThan(1e-5);
  }
  interpreter.dispose();
});
