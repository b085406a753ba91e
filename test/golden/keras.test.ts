/** Keras files end to end: imported, converted, run by the reference kernels, and compared with TensorFlow's outputs. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { convertGraph } from "../../src/convert/pipeline.ts";
import { parseNpy } from "../../src/formats/npy/npy.ts";
import { verifyGraph } from "../../src/graph/verify.ts";
import { importKeras } from "../../src/import/keras.ts";
import { Interpreter } from "../../src/runtime/interpreter.ts";
import { describeWithShared, hasShared, sharedPath } from "../shared.ts";

interface ArrayFile {
  readonly name: string;
  readonly shape: readonly number[];
  readonly file: string;
}

interface Case {
  readonly source: { readonly kind: string; readonly path: string };
  readonly alt_sources?: readonly { readonly kind: string; readonly path: string }[];
  readonly steps?: number;
  readonly inputs: readonly ArrayFile[] | readonly (readonly ArrayFile[])[];
  readonly outputs: {
    readonly tf?: { readonly tf: readonly ArrayFile[] | readonly (readonly ArrayFile[])[] };
  };
}

const TOLERANCE = 1e-5;

function sources(): [title: string, folder: string, path: string][] {
  if (!hasShared) return [];
  return ["keras", "keras2"].flatMap((family) =>
    readdirSync(sharedPath("goldens", family)).flatMap((name) => {
      const folder = sharedPath("goldens", family, name);
      const golden = readCase(folder);
      return [golden.source, ...(golden.alt_sources ?? [])]
        .filter(({ kind, path }) => kind.startsWith("keras") && existsSync(`${folder}/${path}`))
        .map(({ path }): [string, string, string] => [`${family}/${name}/${path}`, folder, path]);
    }),
  );
}

function readCase(folder: string): Case {
  return JSON.parse(readFileSync(`${folder}/case.json`, "utf8")) as Case;
}

function load(folder: string, { file }: ArrayFile) {
  return parseNpy(new Uint8Array(readFileSync(`${folder}/${file}`)));
}

/** Largest difference, divided by the largest expected value. */
function relativeDifference(
  actual: ArrayLike<number | bigint>,
  expected: ArrayLike<number | bigint>,
): number {
  expect(actual.length).toBe(expected.length);
  let largest = 0;
  let difference = 0;
  for (let i = 0; i < expected.length; i++) {
    largest = Math.max(largest, Math.abs(Number(expected[i])));
    difference = Math.max(difference, Math.abs(Number(actual[i]) - Number(expected[i])));
  }
  return difference / Math.max(largest, 1e-30);
}

async function compare(folder: string, path: string): Promise<void> {
  const golden = readCase(folder);
  const tf = golden.outputs.tf!.tf;
  const steps = (
    golden.steps ? golden.inputs : [golden.inputs]
  ) as readonly (readonly ArrayFile[])[];
  const wanted = (golden.steps ? tf : [tf]) as readonly (readonly ArrayFile[])[];
  const bytes = new Uint8Array(readFileSync(`${folder}/${path}`));
  const single = steps[0]!.length === 1;
  const inputShapes = steps[0]!.map(({ name, shape }) => (single ? { shape } : { name, shape }));
  const { graph } = await importKeras(bytes, { inputShapes });
  verifyGraph(graph);
  const interpreter = await Interpreter.create(convertGraph(graph).model, { kernels: "reference" });
  const keys = graph.inputs.map(({ key }) => key);
  for (const [step, inputs] of steps.entries()) {
    for (const input of inputs) {
      const index = interpreter.getInputDetails()[single ? 0 : keys.indexOf(input.name)]!.index;
      interpreter.setTensor(index, load(folder, input).data as Float32Array);
    }
    await interpreter.invoke();
    for (const [i, output] of wanted[step]!.entries()) {
      const actual = interpreter.getTensor(interpreter.getOutputDetails()[i]!.index);
      const difference = relativeDifference(
        actual as ArrayLike<number>,
        load(folder, output).data as ArrayLike<number>,
      );
      expect(difference, `step ${step}, output ${i}`).toBeLessThan(TOLERANCE);
    }
  }
  interpreter.dispose();
}

describeWithShared("Keras models give what TensorFlow gives", () => {
  it.each(sources())("%s", async (_, folder, path) => {
    await compare(folder, path);
  });
});
