import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { makeOptions } from "../formats/tflite/options.ts";
import {
  EMPTY_BUFFER,
  type Model,
  type Operator,
  residentBuffer,
  type Subgraph,
  type Tensor,
} from "./ir.ts";
import { parseModel } from "./read.ts";
import { verifyModel } from "./verify.ts";

const folder = fileURLToPath(new URL("../../test/fixtures/tflite/", import.meta.url));

const FLOAT: Tensor = {
  name: "x",
  dtype: "float32",
  shape: [2],
  buffer: 0,
  isVariable: false,
  hasRank: true,
};
const TANH: Operator = { op: "TANH", version: 1, inputs: [0], outputs: [1] };

/** x -> TANH -> y, changed in one place by each test. */
function tiny(subgraph: Partial<Subgraph> = {}, model: Partial<Model> = {}): Model {
  return {
    version: 3,
    description: "",
    operatorCodes: [],
    buffers: [EMPTY_BUFFER, residentBuffer(new Uint8Array(8))],
    metadata: [],
    signatures: [],
    subgraphs: [
      {
        name: "main",
        tensors: [FLOAT, { ...FLOAT, name: "y" }],
        operators: [TANH],
        inputs: [0],
        outputs: [1],
        ...subgraph,
      },
    ],
    ...model,
  };
}

function withTensor(tensor: Partial<Tensor>): Model {
  return tiny({
    tensors: [FLOAT, { ...FLOAT, name: "y" }, { ...FLOAT, name: "w", buffer: 1, ...tensor }],
  });
}

function quantized(scale: number[], zeroPoint: number[], quantizedDimension = 0): Partial<Tensor> {
  const none = new Float32Array(0);
  return {
    quantization: {
      scale: Float32Array.from(scale),
      zeroPoint,
      min: none,
      max: none,
      quantizedDimension,
    },
  };
}

function calling(body: number): Subgraph {
  const options = makeOptions("WhileOptions", {
    cond_subgraph_index: body,
    body_subgraph_index: body,
  });
  const operators: Operator[] = [{ op: "WHILE", version: 1, inputs: [0], outputs: [1], options }];
  return { ...tiny().subgraphs[0]!, operators };
}

describe("verifyModel", () => {
  it.each(readdirSync(folder).filter((name) => /^(cnn.*|while|lstm)\.tflite$/.test(name)))(
    "accepts %s",
    (name) => {
      verifyModel(parseModel(readFileSync(`${folder}${name}`)).model, name);
    },
  );

  it("accepts the model that the next tests break", () => {
    verifyModel(tiny());
    verifyModel(withTensor(quantized([1], [0])));
  });

  it.each<[string, Model, RegExp]>([
    ["no subgraph", tiny({}, { subgraphs: [] }), /^model: no subgraph, expected at least one\./],
    [
      "data in buffer 0",
      tiny({}, { buffers: [residentBuffer(new Uint8Array(1))] }),
      /buffer 0: has data/,
    ],
    [
      "a tensor's buffer that is not there",
      withTensor({ buffer: 9 }),
      /tensor 2 "w": buffer 9, expected 0 to 1/,
    ],
    [
      "data of another size",
      withTensor({ shape: [3] }),
      /tensor 2 "w", data: 8 bytes, expected 12 for float32\[3\]/,
    ],
    [
      "packed data of another size",
      withTensor({ dtype: "int4", shape: [17] }),
      /8 bytes, expected 9 for int4/,
    ],
    ["a variable with data", withTensor({ isVariable: true }), /a variable with constant data/],
    [
      "an absurd shape",
      withTensor({ buffer: 0, shape: [1e6, 1e6, 1e6] }),
      /shape: \[1000000, 1000000, 1000000\]/,
    ],
    ["a negative size", withTensor({ buffer: 0, shape: [-1] }), /shape: \[-1\]/],
    [
      "a signature of another rank",
      withTensor({ shapeSignature: [-1, 2] }),
      /shape signature: \[-1, 2\]/,
    ],
    ["zero points missing", withTensor(quantized([1], [])), /1 scales, 0 zero points/],
    [
      "scales beside the axis",
      withTensor(quantized([1, 1, 1], [0, 0, 0])),
      /3 scales along axis 0 of \[2\]/,
    ],
    [
      "an operand that is not there",
      tiny({ operators: [{ ...TANH, inputs: [7] }] }),
      /operator 0 TANH, inputs: tensor 7, expected from -1 to 1/,
    ],
    ["a missing output", tiny({ outputs: [2] }), /inputs and outputs: tensor 2/],
    [
      "operators out of order",
      tiny({ inputs: [] }),
      /tensor 0 "x" read before anything computes it/,
    ],
    [
      "a result computed twice",
      tiny({ operators: [TANH, TANH] }),
      /operator 1 TANH: tensor 1 "y" written again/,
    ],
    [
      "an input written over",
      tiny({ operators: [{ ...TANH, inputs: [1], outputs: [0] }], inputs: [0, 1] }),
      /tensor 0 "x" written again/,
    ],
    [
      "a custom operator without a name",
      tiny({ operators: [{ ...TANH, op: "CUSTOM" }] }),
      /operator 0 CUSTOM "": no name/,
    ],
    [
      "a mutating list of another length",
      tiny({ operators: [{ ...TANH, mutatingVariableInputs: [true, false] }] }),
      /mutating inputs: 2 entries/,
    ],
    [
      "a call of no subgraph",
      tiny({}, { subgraphs: [calling(3)] }),
      /subgraph 0: a call of subgraph 3/,
    ],
    [
      "a subgraph that calls itself",
      tiny({}, { subgraphs: [tiny().subgraphs[0]!, calling(2), calling(1)] }),
      /subgraph 1: calls itself/,
    ],
    [
      "metadata without a buffer",
      tiny({}, { metadata: [{ name: "m", buffer: 5 }] }),
      /metadata "m": buffer 5/,
    ],
    [
      "a signature of no subgraph",
      tiny({}, { signatures: [{ key: "s", inputs: [], outputs: [], subgraphIndex: 1 }] }),
      /signature "s": subgraph 1, expected 0 to 0/,
    ],
    [
      "a signature of no tensor",
      tiny(
        {},
        {
          signatures: [
            { key: "s", inputs: [{ name: "a", tensorIndex: 2 }], outputs: [], subgraphIndex: 0 },
          ],
        },
      ),
      /signature "s", "a": tensor 2/,
    ],
  ])("rejects %s", (_, model, message) => {
    expect(() => verifyModel(model)).toThrow(message);
  });

  it("checks the layout of string constants", () => {
    const strings = (...words: number[]): Model => {
      const bytes = new Uint8Array(Int32Array.from(words).buffer);
      return {
        ...withTensor({ dtype: "string", shape: [1] }),
        buffers: [EMPTY_BUFFER, residentBuffer(bytes)],
      };
    };
    verifyModel(strings(1, 12, 16, 0x61626364));
    expect(() => verifyModel(strings(1, 12, 17, 0))).toThrow(
      /string 1: offset 17, expected from 12 to 16/,
    );
    expect(() => verifyModel(strings(5, 12, 16, 0))).toThrow(/data: 5 strings in 16 bytes/);
  });
});
