/** A network from quantization-aware training: simulated quantization of activations, of channels and of weights. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { convertGraph } from "../../src/convert/pipeline.ts";
import { importGraphDef } from "../../src/import/graph-def.ts";
import { quantizeModel } from "../../src/quantize/quantize-model.ts";
import { Interpreter } from "../../src/runtime/interpreter.ts";

const fixture = (name: string) =>
  readFileSync(new URL(`../fixtures/quantization-aware/${name}`, import.meta.url));

const expected = JSON.parse(fixture("fake_quant.json").toString()) as {
  readonly input: readonly number[];
  readonly outputs: readonly (readonly number[])[];
  readonly weights: readonly number[];
  readonly scales: readonly number[];
};

function converted() {
  const { graph } = importGraphDef(new Uint8Array(fixture("fake_quant.pb")), {
    outputs: ["Identity", "Identity_1"],
  });
  return convertGraph(graph).model;
}

it("gives what TensorFlow gives", async () => {
  const interpreter = await Interpreter.create(converted());
  interpreter.setTensor(0, Float32Array.from(expected.input));
  await interpreter.invoke();
  for (const [i, { index }] of interpreter.getOutputDetails().entries()) {
    const actual = interpreter.getTensor(index) as Float32Array;
    const wanted = expected.outputs[i]!;
    const largest = Math.max(...wanted.map(Math.abs));
    expect(actual).toHaveLength(wanted.length);
    for (const [k, value] of wanted.entries()) {
      expect(Math.abs(actual[k]! - value) / largest).toBeLessThan(1e-5);
    }
  }
  interpreter.dispose();
});

it("leaves no simulated quantization of weights, and the ranges of activations on their tensors", () => {
  const [main] = converted().subgraphs;
  const simulated = main!.operators.filter(({ op }) => op === "FAKE_QUANT");
  const ranges = simulated.map(({ outputs }) => main!.tensors[outputs[0]!]?.quantization);
  expect(ranges.map((range) => [range?.min[0], range?.max[0]])).toEqual([
    [Math.fround(-1.1), Math.fround(1.3)],
    [0, 6],
    [-6, 6],
  ]);
});

it("stores the int8 weights and scales of the official converter", async () => {
  const { model } = await quantizeModel(converted(), { mode: "dynamic_range", minElements: 0 });
  const [main] = model.subgraphs;
  const convolution = main!.operators.find(({ op }) => op === "CONV_2D")!;
  const weights = main!.tensors[convolution.inputs[1]!]!;
  expect([...weights.quantization!.scale]).toEqual(expected.scales);
  const bytes = await model.buffers[weights.buffer]!.load();
  expect([...new Int8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)]).toEqual(
    expected.weights,
  );
});
