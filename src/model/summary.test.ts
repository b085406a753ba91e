/** Held to what TensorFlow 2.21's converter made of one small network in four modes (see scripts/fixtures). */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseModel } from "./read.ts";
import { type ModelSummary, summarizeModel } from "./summary.ts";

function summaryOf(name: string): ModelSummary {
  const path = new URL(`../../test/fixtures/tflite/${name}.tflite`, import.meta.url);
  return summarizeModel(parseModel(readFileSync(path), name).model);
}

const kindsOf = (name: string): string[] =>
  summaryOf(name).subgraphs.flatMap(({ operators }) =>
    operators.map(({ op, kind }) => `${op} ${kind}`),
  );

describe("the summary of a model", () => {
  it("tells how each operator computes", () => {
    expect(kindsOf("cnn_float")).toEqual([
      "CONV_2D float",
      "DEPTHWISE_CONV_2D float",
      "MEAN float",
      "FULLY_CONNECTED float",
      "SOFTMAX float",
    ]);
    expect(kindsOf("cnn_dynamic_range")).toEqual([
      "CONV_2D float",
      "DEPTHWISE_CONV_2D hybrid",
      "MEAN float",
      "FULLY_CONNECTED hybrid",
      "SOFTMAX float",
    ]);
    expect(kindsOf("cnn_int8").every((kind) => kind.endsWith(" integer"))).toBe(true);
    expect(kindsOf("cnn_float16").filter((kind) => kind.endsWith(" float16"))).toEqual([
      "CONV_2D float16",
      "DEPTHWISE_CONV_2D float16",
      "FULLY_CONNECTED float16",
    ]);
  });

  it("counts constant bytes where they are first read, behind DEQUANTIZE too", () => {
    const bytesOf = (name: string): Record<string, number> =>
      Object.fromEntries(
        summaryOf(name).operators.map(({ op, constantBytes }) => [op, constantBytes]),
      );
    expect(bytesOf("cnn_float")).toEqual({
      DEPTHWISE_CONV_2D: 4 * (9 * 128 + 128),
      FULLY_CONNECTED: 4 * (8 * 128 + 8),
      CONV_2D: 4 * (9 * 16 + 16),
      MEAN: 8,
      SOFTMAX: 0,
    });
    expect(bytesOf("cnn_float16")).toMatchObject({
      DEPTHWISE_CONV_2D: 2 * (9 * 128 + 128),
      DEQUANTIZE: 0,
    });
    expect(bytesOf("cnn_dynamic_range")).toMatchObject({ FULLY_CONNECTED: 8 * 128 + 4 * 8 });
  });

  it("adds up: bytes by type, by operator and in total", () => {
    for (const name of [
      "cnn_float",
      "cnn_dynamic_range",
      "cnn_float16",
      "cnn_int8",
      "lstm",
      "while",
    ]) {
      const { constants, constantBytes, operators } = summaryOf(name);
      const sum = (rows: readonly number[]): number =>
        rows.reduce((total, value) => total + value, 0);
      expect(sum(constants.map(({ byteLength }) => byteLength)), name).toBe(constantBytes);
      expect(sum(operators.map((row) => row.constantBytes)), name).toBeLessThanOrEqual(
        constantBytes,
      );
    }
  });

  it("shows scales by tensor and by channel", () => {
    const [graph] = summaryOf("cnn_dynamic_range").subgraphs;
    const weights = graph?.tensors.filter(({ dtype }) => dtype === "int8") ?? [];
    expect(weights.map(({ quantization }) => quantization)).toMatchObject([
      { granularity: "channel", axis: 3, zeroPoint: 0 },
      { granularity: "channel", axis: 0, zeroPoint: 0 },
    ]);
    const [input] = summaryOf("cnn_int8").subgraphs[0]?.inputs ?? [];
    expect(input?.quantization?.granularity).toBe("tensor");
  });

  it("lists signatures by the names that callers use", () => {
    expect(summaryOf("cnn_float").signatures).toMatchObject([
      { key: "serving_default", subgraph: 0, inputs: ["image"] },
    ]);
  });
});
