/**
 * Conversion held to TensorFlow: every SavedModel of the reference cases converts, the float file computes what
 * TensorFlow computes (1e-5 of the largest value; integers exactly), and it has at most as many operators and bytes as the
 * official converter's. What is different is listed here, each with its reason.
 */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { convertGraph } from "../../src/convert/pipeline.ts";
import { verifyGraph } from "../../src/graph/verify.ts";
import { importSavedModel } from "../../src/import/saved-model.ts";
import type { Model } from "../../src/model/ir.ts";
import { parseModel } from "../../src/model/read.ts";
import { verifyModel } from "../../src/model/verify.ts";
import { encodeModel } from "../../src/model/write.ts";
import { fileTree } from "../../src/node/file-tree.ts";
import { Interpreter } from "../../src/runtime/interpreter.ts";
import { describeWithShared } from "../shared.ts";
import { caseNames, type GoldenCase, loadArray, readCase, relativeError } from "./golden-case.ts";

const FAMILIES = ["keras", "keras2", "ops", "tf1"];
const TOLERANCE = 1e-5;

/** Cases with more operators (or bytes) than the official file: how many more, and why. */
const LARGER: ReadonlyMap<string, { readonly by: number; readonly why: string }> = new Map([
  ["ops/softplus", { by: 2, why: "log(1 + exp(x)) is kept from overflowing" }],
]);

const operatorCount = (model: Model): number =>
  model.subgraphs.reduce((sum, { operators }) => sum + operators.length, 0);

interface Converted {
  readonly model: Model;
  /** The report says that operators keep a state which TensorFlow's layers do not. */
  readonly keepsState: boolean;
}

async function convert(golden: GoldenCase): Promise<Converted> {
  const inputShapes = (golden.steps[0] ?? []).map(({ name, shape }) => ({ name, shape }));
  const tree = fileTree(`${golden.folder}/${golden.source.path}`);
  const { graph } = await importSavedModel(tree, { inputShapes });
  const { model, report } = convertGraph(graph, { onGraph: (_, each) => verifyGraph(each) });
  return { model, keepsState: report.diagnostics.some(({ id }) => id === "recurrent-state") };
}

async function worstError(golden: GoldenCase, { model, keepsState }: Converted): Promise<number> {
  const interpreter = await Interpreter.create(model, { kernels: "reference" });
  let worst = 0;
  for (const [step, inputs] of golden.steps.entries()) {
    if (keepsState) interpreter.resetVariables();
    for (const input of inputs) interpreter.setTensor(input.name, loadArray(golden, input).data);
    await interpreter.invoke();
    for (const output of golden.expected[step] ?? []) {
      const actual = interpreter.getTensor(output.name);
      worst = Math.max(worst, relativeError(loadArray(golden, output).data, actual));
    }
  }
  interpreter.dispose();
  return worst;
}

describeWithShared("conversion of the reference cases", () => {
  for (const family of FAMILIES) {
    describe(family, () => {
      for (const name of caseNames(family)) {
        const key = `${family}/${name}`;
        it(`${name} computes what TensorFlow computes, with no more operators than the official file`, async () => {
          const golden = readCase(family, name);
          const converted = await convert(golden);
          const { model } = converted;
          verifyModel(model);
          expect(await worstError(golden, converted)).toBeLessThanOrEqual(TOLERANCE);
          const official = golden.variants.find(({ mode }) => mode === "float");
          if (official === undefined) return;
          const bytes = new Uint8Array(readFileSync(`${golden.folder}/${official.path}`));
          if (!LARGER.has(key))
            expect((await encodeModel(model)).byteLength).toBeLessThanOrEqual(official.bytes);
          const limit = operatorCount(parseModel(bytes).model) + (LARGER.get(key)?.by ?? 0);
          expect(operatorCount(model)).toBeLessThanOrEqual(limit);
        });
      }
    });
  }
});
