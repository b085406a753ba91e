/** The project's own TF.js models: imported, converted and run, against what TF.js computed. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { convertGraph } from "../../src/convert/pipeline.ts";
import { verifyGraph } from "../../src/graph/verify.ts";
import { importTfjs } from "../../src/import/tfjs.ts";
import type { Model } from "../../src/model/ir.ts";
import { fileTree } from "../../src/node/file-tree.ts";
import { Interpreter } from "../../src/runtime/interpreter.ts";

interface Expected {
  readonly inputs: readonly (readonly number[])[];
  readonly outputs: readonly (readonly number[])[];
}

const folderOf = (name: string): string =>
  fileURLToPath(new URL(`../fixtures/tfjs/${name}`, import.meta.url));

async function converted(name: string): Promise<Model> {
  const { graph } = await importTfjs(fileTree(folderOf(name)));
  verifyGraph(graph);
  return convertGraph(graph).model;
}

/** Operators of the main subgraph, in order. */
const operatorsOf = ({ subgraphs }: Model): string[] => subgraphs[0]!.operators.map(({ op }) => op);

it.each(["vision", "sequence", "dialect", "fused", "loop"])(
  "%s gives what TF.js gives",
  async (name) => {
    const json = readFileSync(`${folderOf(name)}/expected.json`, "utf8");
    const expected = JSON.parse(json) as Expected;
    const interpreter = await Interpreter.create(await converted(name));
    for (const [i, { index }] of interpreter.getInputDetails().entries()) {
      interpreter.setTensor(index, Float32Array.from(expected.inputs[i]!));
    }
    await interpreter.invoke();
    const outputs = interpreter.getOutputDetails().map(({ index }) => interpreter.getTensor(index));
    expect(outputs).toHaveLength(expected.outputs.length);
    for (const [i, wanted] of expected.outputs.entries()) {
      const actual = [...(outputs[i] as Float32Array)];
      expect(actual).toHaveLength(wanted.length);
      const scale = Math.max(...wanted.map(Math.abs));
      const difference = Math.max(...actual.map((value, k) => Math.abs(value - wanted[k]!)));
      expect(difference / scale, `output ${i}`).toBeLessThan(1e-5);
    }
    interpreter.dispose();
  },
);

it("a hash table that a second graph fills gives what TF.js gives", async () => {
  const model = await converted("table");
  const json = readFileSync(`${folderOf("table")}/expected.json`, "utf8");
  const { inputs, outputs } = JSON.parse(json) as { inputs: string[][]; outputs: number[][] };
  expect(operatorsOf(model)).toEqual(["CALL_ONCE", "HASHTABLE", "HASHTABLE_FIND", "CAST", "ADD"]);
  const interpreter = await Interpreter.create(model);
  const [input] = interpreter.getInputDetails();
  const [output] = interpreter.getOutputDetails();
  const words = inputs[0]!.map((word) => new TextEncoder().encode(word));
  interpreter.setTensor(input!.index, words);
  await interpreter.invoke();
  expect([...(interpreter.getTensor(output!.index) as Int32Array)]).toEqual(outputs[0]);
  interpreter.dispose();
});

it("fused operations that were taken apart are fused again", async () => {
  expect(operatorsOf(await converted("fused"))).toEqual([
    "CONV_2D",
    "PRELU",
    "DEPTHWISE_CONV_2D",
    "CONV_2D",
    "LEAKY_RELU",
    "MEAN",
    "FULLY_CONNECTED",
    "ELU",
    "PRELU",
    "SOFTMAX",
  ]);
});

it("LSTMs that TF.js has saved become fused operators", async () => {
  const operators = operatorsOf(await converted("sequence"));
  expect(operators.filter((op) => op.endsWith("SEQUENCE_LSTM")).length).toBeGreaterThan(0);
});

it("the signature of a graph model names its inputs and outputs", async () => {
  const [signature] = (await converted("fused")).signatures;
  expect(signature?.inputs.map(({ name }) => name)).toEqual(["image"]);
  expect(signature?.outputs.map(({ name }) => name)).toEqual(["features", "scores"]);
});
