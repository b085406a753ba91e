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
    ["ReLU", { max_value: 6 }, "Relu6"],
    ["ReLU", { negative_slope: 0.5 }, "LeakyRelu"],
    ["LeakyReLU", { negative_slope: 0.5 }, "LeakyRelu"],
    ["Activation", { activation: "tanh" }, "Tanh"],
  ])("hands the options of %s with %j on", (name, config, operator) => {
    expect(operatorOf(layer(name, config))).toBe(operator);
  });

  it.each<[string, Json, string]>([
    ["PReLU", {}, 'activation {"class_name":"PReLU","config":{}}'],
    ["Softmax", { axis: "last" }, 'axis "last"'],
    ["Softmax", { axis: [0, -2] }, "axis [0,-2]"],
    ["Softmax", { axis: 2 }, "axis 2"],
    ["ReLU", { max_value: "six" }, 'max_value "six"'],
  ])("refuses %s with %j", (name, config, found) => {
    expect(operatorOf(layer(name, config))).toContain(found);
  });
});
