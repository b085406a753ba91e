/**
 * Trained TF.js models: what TF.js 4.22 (its CPU backend) computes for the input of `noise`. Each output is its largest
 * magnitude and the first value of each of four equal parts.
 */
import { expect, it } from "vitest";
import { convertGraph } from "../../src/convert/pipeline.ts";
import { importTfjs } from "../../src/import/tfjs.ts";
import type { Model } from "../../src/model/ir.ts";
import { fileTree } from "../../src/node/file-tree.ts";
import { quantizeModel } from "../../src/quantize/quantize-model.ts";
import { Interpreter } from "../../src/runtime/interpreter.ts";
import { describeWithShared, sharedPath } from "../shared.ts";

type Output = readonly [count: number, largest: number, firstOfParts: readonly number[]];

const MODELS: readonly [folder: string, file: string, outputs: readonly Output[]][] = [
  [
    "doodlenet",
    "model.json",
    [
      [
        345,
        0.5588936805725098,
        [
          0.000002976315954583697, 3.017030891783179e-8, 0.000004929432179778814,
          0.000008059430911089294,
        ],
      ],
    ],
  ],
  ["abalone", "model.json", [[1, 8.880949020385742, [8.880949020385742]]]],
  [
    "human",
    "blazeface.json",
    [
      [
        6144,
        155.8717041015625,
        [14.322949409484863, 6.549699783325195, 6.308197975158691, -5.388411998748779],
      ],
      [
        512,
        801.4854125976562,
        [-5.815299034118652, -34.256778717041016, -24.64689826965332, -3.4009015560150146],
      ],
      [
        384,
        89.44990539550781,
        [-1.3499212265014648, -0.783116340637207, -0.8951363563537598, -3.0432791709899902],
      ],
      [
        8192,
        110.98076629638672,
        [-1.1493964195251465, 0.15272390842437744, -1.7739226818084717, -2.5886642932891846],
      ],
    ],
  ],
];

function noise(count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => Math.sin(12.9898 * (i + 1) + (i % 7)));
}

async function converted(folder: string, file: string): Promise<Model> {
  const { graph } = await importTfjs(fileTree(sharedPath("models", "tfjs", folder)), { file });
  return convertGraph(graph).model;
}

async function outputsOf(model: Model): Promise<Float32Array[]> {
  const interpreter = await Interpreter.create(model);
  const [input] = interpreter.getInputDetails();
  interpreter.setTensor(
    input!.index,
    noise(input!.shape.reduce((product, size) => product * size, 1)),
  );
  await interpreter.invoke();
  const outputs = interpreter.getOutputDetails().map(({ index }) => interpreter.getTensor(index));
  interpreter.dispose();
  return outputs as Float32Array[];
}

const largestOf = (values: Float32Array): number =>
  values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);

describeWithShared("trained TF.js models", () => {
  it.each(MODELS)("%s gives what TF.js gives", async (folder, file, wanted) => {
    const outputs = await outputsOf(await converted(folder, file));
    expect(outputs.map(({ length }) => length)).toEqual(wanted.map(([count]) => count));
    for (const [i, [count, largest, firstOfParts]] of wanted.entries()) {
      const actual = outputs[i]!;
      expect(Math.abs(largestOf(actual) - largest) / largest).toBeLessThan(1e-5);
      for (const [part, value] of firstOfParts.entries()) {
        const found = actual[part * Math.floor(count / firstOfParts.length)]!;
        expect(Math.abs(found - value) / largest, `output ${i}, part ${part}`).toBeLessThan(1e-5);
      }
    }
  });

  it.each(MODELS)("%s runs hybrid with dynamic range weights", async (folder, file) => {
    const float = await converted(folder, file);
    const { model, report } = await quantizeModel(float, { mode: "dynamic_range" });
    expect(report.diagnostics).toEqual([]);
    const operators = model.subgraphs.flatMap((subgraph) => subgraph.operators);
    expect(operators.filter(({ op }) => op === "DEQUANTIZE")).toEqual([]);
    const outputs = await outputsOf(model);
    expect(outputs.every((output) => output.every(Number.isFinite))).toBe(true);
  });
});
