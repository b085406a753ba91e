import { describe, expect, it } from "vitest";
import { isOctavoError } from "../../base/errors.ts";
import { applyActivation } from "./activations.ts";
import { Config, type Json } from "./config.ts";
import type { NodeWriter, Symbolic } from "./node-writer.ts";

const X = { shape: [1, 4], dtype: "float32" } as unknown as Symbolic;

/** The operator that an activation becomes, or what is thrown. */
function operatorOf(activation: Json): string {
  const writer = { unary: (_: string, op: string) => op } as unknown as NodeWriter;
  const config = new Config({ activation }, "layer d");
  try {
    return String(applyActivation(writer, "d", X, config, "activation", 3));
  } catch (error) {
    if (isOctavoError(error)) return `${error.code}: ${error.message}`;
    throw error;
  }
}

const layer = (name: string, config: Json): Json => ({ class_name: name, config });

describe("applyActivation, of layers", () => {
  it.each<[string, Json, string]>([
    ["ReLU", { max_value: null, negative_slope: 0, threshold: 0, name: "r" }, "Relu"],
    ["ELU", { alpha: 1 }, "Elu"],
    ["Softmax", { axis: -1 }, "Softmax"],
    ["ReLU", {}, "Relu"],
  ])("takes %s with %j for the function", (name, config, operator) => {
    expect(operatorOf(layer(name, config))).toBe(operator);
  });

  it.each<[string, Json, string]>([
    ["ReLU", { max_value: 6 }, "max_value 6"],
    ["ReLU", { negative_slope: 0.5 }, "negative_slope 0.5"],
    ["ReLU", { threshold: 1 }, "threshold 1"],
    ["ELU", { alpha: 0.3 }, "alpha 0.3"],
    ["Softmax", { axis: 1 }, "axis 1"],
    ["Softmax", { axis: [1, 2] }, "axis [1,2]"],
  ])("refuses %s with %j, which the function does not have", (name, config, option) => {
    expect(operatorOf(layer(name, config))).toContain(
      `UnsupportedError: layer d: activation ${name} with ${option}, expected`,
    );
  });
});
