import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { makeOptions } from "../formats/tflite/options.ts";
import { BUILTIN_OPERATOR, TFLITE_SCHEMA } from "../formats/tflite/schema.gen.ts";
import { operandAt, operatorInfo } from "./op-table.ts";

const measured = JSON.parse(
  readFileSync(
    fileURLToPath(new URL("../../test/fixtures/tflite/operator-versions.json", import.meta.url)),
    "utf8",
  ),
) as Record<string, [number, number]>;

describe("the operator table", () => {
  it("has the operators and versions that TensorFlow Lite has kernels for, and no others", () => {
    const ours = BUILTIN_OPERATOR.flatMap((op) => {
      const info = operatorInfo(op);
      return info === undefined ? [] : [[op, [info.minVersion, info.maxVersion]] as const];
    });
    expect(Object.fromEntries(ours)).toEqual(measured);
  });

  it("names options that the schema has", () => {
    const known = [
      ...(TFLITE_SCHEMA.unions["BuiltinOptions"] ?? []),
      ...(TFLITE_SCHEMA.unions["BuiltinOptions2"] ?? []),
    ];
    const named = BUILTIN_OPERATOR.flatMap((op) => operatorInfo(op)?.options ?? []);
    expect(named.filter((name) => !known.includes(name))).toEqual([]);
  });

  it("tells optional, state and repeated operands", () => {
    const conv = operatorInfo("CONV_2D")!;
    expect(conv.inputs.map(({ name }) => name)).toEqual(["x", "filter", "bias"]);
    expect(operandAt(conv.inputs, 2)?.isOptional).toBe(true);
    expect(operandAt(conv.inputs, 3)).toBeUndefined();
    const concatenation = operatorInfo("CONCATENATION")!;
    expect(operandAt(concatenation.inputs, 17)?.name).toBe("x");
  });

  it("has other operands for an LSTM with the basic kernel", () => {
    const basic = operatorInfo("LSTM", makeOptions("LSTMOptions", { kernel_type: "BASIC" }))!;
    expect(basic.inputs.length).toBe(5);
    expect(basic.outputs.length).toBe(4);
  });

  it.each([
    ["UNIDIRECTIONAL_SEQUENCE_LSTM", 24, [18, 19]],
    ["LSTM", 24, [18, 19]],
    ["BIDIRECTIONAL_SEQUENCE_LSTM", 48, [35, 36, 37, 38]],
    ["UNIDIRECTIONAL_SEQUENCE_RNN", 5, [4]],
    ["BIDIRECTIONAL_SEQUENCE_RNN", 12, [4, 8]],
    ["SVDF", 5, [4]],
  ] as const)("numbers the operands of %s as its kernel does", (op, count, states) => {
    const { inputs } = operatorInfo(op)!;
    expect(inputs.length).toBe(count);
    expect([...inputs.keys()].filter((index) => inputs[index]?.isState)).toEqual(states);
  });
});
