/**
 * Every official file of the reference cases through the interpreter, against the official interpreter's optimized
 * kernels: integers identical, floats within 1e-5 of the largest value, several steps where a case has them.
 */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { parseNpy } from "../../src/formats/npy/npy.ts";
import { Interpreter } from "../../src/runtime/interpreter.ts";
import { describeWithShared, sharedPath } from "../shared.ts";
import { type ArrayFile, caseNames, relativeError } from "./golden-case.ts";

const TOLERANCE = 1e-5;

/**
 * What int8 weights cost where the official kernels are right: the batch-major twins of the recurrent cases,
 * hybrid/bidi_rnn_*, differ from their float forms by up to 5.2 % of the largest value.
 */
const QUANTIZATION_ERROR = 0.052;

/** Where the official kernels are wrong, or a difference in the last bit decides a rounding; see docs/numerics.md. */
const EXCEPTIONS: Readonly<Record<string, string>> = {
  "hybrid/batch_matmul_asym_as_v3_adj_y:dynamic_range": "official row sums of one batch only",
  "hybrid/bidi_rnn_aux_cross_links:float": "official backward pass reads the wrong input",
  "hybrid/bidi_rnn_aux_cross_links:dynamic_range": "official backward pass reads the wrong input",
  "hybrid/bidi_rnn_aux_cross_links:weight_only": "official backward pass reads the wrong input",
  "hybrid/bidi_rnn_time_major_aux:dynamic_range": "official loop over time runs several times",
  "hybrid/bidi_rnn_time_major_v2:dynamic_range": "official loop over time runs several times",
  "keras/activations:dynamic_range": "one activation at a tie of its quantization",
  "keras/activations:dynamic_range_legacy": "one activation at a tie of its quantization",
  "ops/is_nan_finite:float": "official arithmetic on infinities",
};

interface OfficialVariant {
  readonly mode: string;
  readonly path: string;
  readonly inputs?: ArrayFile[];
  readonly io: Readonly<Record<"inputs" | "outputs", { name: string; index: number }[]>>;
}

interface OfficialCase {
  readonly folder: string;
  readonly variants: OfficialVariant[];
  readonly inputs: ArrayFile[] | ArrayFile[][];
  readonly steps?: number;
  readonly outputs: Record<string, Record<string, ArrayFile[] | ArrayFile[][]>>;
  readonly unstable?: string[];
}

function readOfficial(family: string, name: string): OfficialCase {
  const folder = sharedPath("goldens", family, name);
  return { folder, ...JSON.parse(readFileSync(`${folder}/case.json`, "utf8")) };
}

function load({ folder }: OfficialCase, { file }: ArrayFile) {
  return parseNpy(new Uint8Array(readFileSync(`${folder}/${file}`)), file);
}

/** Runs all steps of a variant; the worst relative error, or undefined where there is nothing to compare with. */
async function worstError(
  golden: OfficialCase,
  variant: OfficialVariant,
): Promise<number | undefined> {
  const engines = golden.outputs[variant.mode] ?? {};
  const engine = ["builtin", "ref", "xnnpack"].find((name) => engines[name] !== undefined);
  if (engine === undefined || golden.unstable?.includes(`${variant.mode}/${engine}`)) {
    return undefined;
  }
  const asSteps = (list: unknown) => (golden.steps === undefined ? [list] : list) as ArrayFile[][];
  const expected = asSteps(engines[engine]);
  const bytes = new Uint8Array(readFileSync(`${golden.folder}/${variant.path}`));
  const interpreter = await Interpreter.create(bytes, { kernels: "reference" });
  let worst = 0;
  for (const [step, inputs] of asSteps(variant.inputs ?? golden.inputs).entries()) {
    for (const input of inputs) {
      const { index } = variant.io.inputs.find(({ name }) => name === input.name)!;
      const { shape, data } = load(golden, input);
      await interpreter.resizeInput(index, shape);
      interpreter.setTensor(index, data);
    }
    await interpreter.invoke();
    const details = interpreter.getOutputDetails();
    for (const [at, output] of expected[step]!.entries()) {
      // A signature may name a tensor that is no output.
      const named = variant.io.outputs.find(({ name }) => name === output.name);
      const index = named?.index ?? details[at]!.index;
      expect(interpreter.getTensorDetails()[index]!.shape).toEqual(output.shape);
      const actual = interpreter.getTensor(index);
      worst = Math.max(worst, relativeError(load(golden, output).data, actual));
    }
  }
  interpreter.dispose();
  return worst;
}

for (const family of ["hybrid", "keras", "keras2", "numerics", "ops", "tf1"]) {
  describeWithShared(`official files of ${family}`, () => {
    it.each(caseNames(family))("%s runs as the official interpreter does", async (name) => {
      const golden = readOfficial(family, name);
      const wrong: string[] = [];
      for (const variant of golden.variants) {
        const label = `${family}/${name}:${variant.mode}`;
        if (EXCEPTIONS[label] !== undefined) continue;
        const error = await worstError(golden, variant);
        if (error !== undefined && !(error <= TOLERANCE)) wrong.push(`${label} is off by ${error}`);
      }
      expect(wrong).toEqual([]);
    });
  });
}

describeWithShared("cases where the official kernels are wrong", () => {
  it.each([
    ["hybrid", "batch_matmul_asym_as_v3_adj_y"],
    ["hybrid", "bidi_rnn_time_major_aux"],
    ["hybrid", "bidi_rnn_time_major_v2"],
  ])("%s/%s with int8 weights stays close to its float twin", async (family, name) => {
    const golden = readOfficial(family, name);
    const float = golden.variants.find(({ mode }) => mode === "float")!;
    const quantized = golden.variants.find(({ mode }) => mode === "dynamic_range")!;
    const outputs = { ...golden.outputs, dynamic_range: golden.outputs["float"]! };
    const error = await worstError({ ...golden, outputs }, { ...quantized, io: float.io });
    expect(error).toBeLessThan(QUANTIZATION_ERROR);
  });

  it("ops/is_nan_finite tells what TensorFlow tells", async () => {
    const golden = readOfficial("ops", "is_nan_finite");
    const float = golden.variants.find(({ mode }) => mode === "float")!;
    const outputs = { float: { builtin: golden.outputs["tf"]!["tf"]! } };
    expect(await worstError({ ...golden, outputs }, float)).toBe(0);
  });
});
