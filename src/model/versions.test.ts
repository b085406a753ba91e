import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { makeOptions } from "../formats/tflite/options.ts";
import type { Model, Quantization, Tensor } from "./ir.ts";
import { parseModel } from "./read.ts";
import { minRuntimeOf, minRuntimeOfModel } from "./runtime-versions.ts";
import { requiredVersion } from "./version-rules.ts";
import { withVersions } from "./versions.ts";

function model(name: string): Model {
  const path = fileURLToPath(new URL(`../../test/fixtures/tflite/${name}.tflite`, import.meta.url));
  return parseModel(readFileSync(path)).model;
}

/** The model with all versions and its runtime forgotten. */
function forgotten(source: Model): Model {
  const subgraphs = source.subgraphs.map((subgraph) => ({
    ...subgraph,
    operators: subgraph.operators.map((operator) => ({ ...operator, version: 1 })),
  }));
  const operatorCodes = source.operatorCodes.map((code) => ({ ...code, version: 1 }));
  return { ...source, subgraphs, operatorCodes };
}

function runtimeOf({ metadata, buffers }: Model): string {
  const entry = metadata.find(({ name }) => name === "min_runtime_version");
  const text = new TextDecoder().decode(entry && buffers[entry.buffer]?.bytes);
  return text.replace(/\0+$/, "");
}

describe("operator versions", () => {
  it.each(["cnn_float", "cnn_dynamic_range", "cnn_float16", "cnn_int8", "while"])(
    "are TensorFlow's when they are set again, with its runtime: %s",
    (name) => {
      const official = model(name);
      const ours = withVersions(forgotten(official));
      const byName = (a: { op: string }, b: { op: string }): number => a.op.localeCompare(b.op);
      expect([...ours.operatorCodes].sort(byName)).toEqual(
        [...official.operatorCodes].sort(byName),
      );
      expect(runtimeOf(ours)).toBe(runtimeOf(official));
    },
  );

  it("are one per operator, the highest that any use needs, and never lower than they were", () => {
    const official = model("cnn_dynamic_range");
    const subgraph = official.subgraphs[0]!;
    const operators = subgraph.operators.map((operator) =>
      operator.op === "SOFTMAX" ? { ...operator, version: 3 } : operator,
    );
    const { operatorCodes } = withVersions({
      ...official,
      subgraphs: [{ ...subgraph, operators }],
    });
    expect(operatorCodes.find(({ op }) => op === "SOFTMAX")?.version).toBe(3);
    expect(new Set(operatorCodes.map(({ op }) => op)).size).toBe(operatorCodes.length);
  });

  it("are recorded in a buffer of their own when the one there serves something else", () => {
    const official = model("cnn_float");
    const metadata = [
      { name: "min_runtime_version", buffer: official.subgraphs[0]!.tensors[1]!.buffer },
    ];
    const ours = withVersions({ ...official, metadata });
    expect(ours.buffers.slice(0, -1)).toEqual(official.buffers);
    expect(ours.metadata).toEqual([
      { name: "min_runtime_version", buffer: official.buffers.length },
    ]);
    expect(runtimeOf(ours)).toBe(runtimeOf(official));
  });

  it("of unused operators leave the table", () => {
    const official = model("cnn_float");
    const operatorCodes = [...official.operatorCodes, { op: "DEQUANTIZE", version: 9 } as const];
    expect(withVersions({ ...official, operatorCodes }).operatorCodes).toEqual(
      withVersions(official).operatorCodes,
    );
  });

  it("of custom operators stay what they are", () => {
    const { operatorCodes } = withVersions(model("unusual"));
    expect(operatorCodes).toContainEqual({ op: "CUSTOM", version: 2, customCode: "Frobnicate" });
  });
});

const PLAIN = { name: "", buffer: 0, isVariable: false, hasRank: true };

function quantization(scaleCount: number): Quantization {
  return {
    scale: new Float32Array(scaleCount).fill(0.5),
    zeroPoint: new Array<number>(scaleCount).fill(0),
    min: new Float32Array(0),
    max: new Float32Array(0),
    quantizedDimension: 0,
  };
}

describe("the version of a hybrid FULLY_CONNECTED", () => {
  const float: Tensor = { ...PLAIN, dtype: "float32", shape: [1, 8] };
  const weights = (scaleCount: number): Tensor => ({
    ...PLAIN,
    dtype: "int8",
    shape: [4, 8],
    quantization: quantization(scaleCount),
  });
  const versionWith = (scaleCount: number, asymmetric: boolean, bias = true): number =>
    requiredVersion({
      operator: {
        op: "FULLY_CONNECTED",
        version: 1,
        inputs: [],
        outputs: [],
        options: makeOptions("FullyConnectedOptions", { asymmetric_quantize_inputs: asymmetric }),
      },
      inputs: bias ? [float, weights(scaleCount), undefined] : [float, weights(scaleCount)],
      outputs: [float],
    });

  it("is 12 per channel, else 9 or 3 by the asymmetric flag; a bias that is left out counts as one", () => {
    expect(versionWith(4, true)).toBe(12);
    expect(versionWith(1, true)).toBe(9);
    expect(versionWith(1, false)).toBe(3);
    expect(versionWith(1, false, false)).toBe(6);
  });
});

describe("the least runtime", () => {
  it("is known for every version of an operator that has one", () => {
    expect(minRuntimeOf("CONV_2D", 5)).toBe("2.4.0");
    expect(minRuntimeOf("BROADCAST_TO", 1)).toBeUndefined();
    expect(minRuntimeOf("CUSTOM", 1)).toBeUndefined();
  });

  it("is compared number by number, not as text", () => {
    const conv = (version: number) =>
      ({ op: "CONV_2D", version, inputs: [], outputs: [] }) as const;
    const subgraph = { name: "", tensors: [], inputs: [], outputs: [] };
    const base = model("cnn_float");
    const least = minRuntimeOfModel({
      ...base,
      subgraphs: [{ ...subgraph, operators: [conv(6), conv(7)] }],
    });
    expect(least).toBe("2.11.0");
  });
});
