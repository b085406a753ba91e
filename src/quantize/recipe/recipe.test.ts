import { describe, expect, test } from "vitest";
import { isOctavoError } from "../../base/errors.ts";
import { encodeRecipe } from "./encode-recipe.ts";
import { parseRecipe } from "./parse-recipe.ts";

const WEIGHTS = { num_bits: 8, symmetric: true, granularity: "CHANNELWISE", dtype: "INT" };
const CONFIG = {
  weight_tensor_config: WEIGHTS,
  compute_precision: "INTEGER",
  explicit_dequantize: false,
  skip_checks: false,
  min_weight_elements: 0,
};
const ENTRY = {
  regex: ".*",
  operation: "FULLY_CONNECTED",
  algorithm_key: "min_max_uniform_quantize",
  op_config: CONFIG,
};

function failureOf(entries: unknown): unknown {
  try {
    parseRecipe(JSON.stringify(entries), "r.json");
    return undefined;
  } catch (error) {
    return error;
  }
}

describe("reading", () => {
  test("understands block-wise entries, the older block_size, operators by their recipe names", () => {
    const blocks = { ...WEIGHTS, num_bits: 4, granularity: "BLOCKWISE_32" };
    const older = { ...WEIGHTS, num_bits: 4, granularity: "CHANNELWISE", block_size: 64 };
    const { entries } = parseRecipe(
      JSON.stringify([
        { ...ENTRY, op_config: { ...CONFIG, weight_tensor_config: blocks } },
        { ...ENTRY, op_config: { ...CONFIG, weight_tensor_config: older } },
        { ...ENTRY, operation: "CONV_2D_TRANSPOSE", algorithm_key: "OCTAV" },
        { regex: "logits", operation: "*", algorithm_key: "no_quantize" },
      ]),
    );
    expect(entries.map(({ operation }) => operation)).toEqual([
      "FULLY_CONNECTED",
      "FULLY_CONNECTED",
      "TRANSPOSE_CONV",
      "*",
    ]);
    expect(entries.map(({ config }) => config?.granularity)).toEqual([
      32,
      64,
      "channel",
      undefined,
    ]);
    expect(entries[2]!.config).toMatchObject({ method: "octav", dtype: "int8", weightOnly: false });
  });

  test("names the entry and the field that it does not understand", () => {
    const wrong: [unknown, string][] = [
      [{}, "r.json: an object, expected an array of entries."],
      [
        [ENTRY, { ...ENTRY, regexp: "x" }],
        'r.json, entry 2: the unknown field "regexp", expected one of regex, operation, algorithm_key, op_config.',
      ],
      [
        [{ ...ENTRY, operation: "DENSE" }],
        'r.json, entry 1, "operation": "DENSE", expected an operator such as FULLY_CONNECTED, or *.',
      ],
      [[{ ...ENTRY, regex: "(" }], 'r.json, entry 1, "regex": "(", expected a regular expression.'],
      [
        [{ ...ENTRY, op_config: { ...CONFIG, weight_tensor_config: { ...WEIGHTS, bits: 8 } } }],
        'r.json, entry 1, "op_config", "weight_tensor_config": the unknown field "bits", expected one of ' +
          "num_bits, symmetric, granularity, dtype, block_size, algorithm_params.",
      ],
      [
        [{ ...ENTRY, op_config: undefined }],
        'r.json, entry 1, "op_config": nothing, expected an object.',
      ],
    ];
    for (const [entries, message] of wrong) {
      const failure = failureOf(entries);
      expect(isOctavoError(failure, "FormatError")).toBe(true);
      expect((failure as Error).message).toBe(message);
    }
    expect(() => parseRecipe("[", "r.json")).toThrow(/text that is not JSON/);
  });

  test("lists every entry that needs more than the weight modes, all at once", () => {
    const activations = { ...CONFIG, activation_tensor_config: { ...WEIGHTS, symmetric: false } };
    const failure = failureOf([
      { ...ENTRY, op_config: activations },
      ENTRY,
      { ...ENTRY, algorithm_key: "GPTQ" },
      { ...ENTRY, op_config: { ...CONFIG, compute_precision: "FLOAT" } },
    ]);
    expect(isOctavoError(failure, "UnsupportedError") && failure.features).toEqual([
      "entry 1: quantized activations",
      "entry 3: algorithm GPTQ",
      "entry 4: compute_precision FLOAT without explicit_dequantize",
    ]);
  });
});

describe("writing", () => {
  test("says what the options say", () => {
    const text = encodeRecipe({
      mode: "weight_only",
      weightType: "int4",
      method: "mse",
      minElements: 64,
      exclude: ["head", "op:TRANSPOSE_CONV"],
    });
    const { entries } = parseRecipe(text);
    expect(entries[1]).toMatchObject({
      operation: "*",
      config: {
        dtype: "int4",
        granularity: "channel",
        method: "mse",
        weightOnly: true,
        minElements: 64,
        skipChecks: false,
      },
    });
    expect(entries.slice(-2).map(({ operation, config }) => [operation, config])).toEqual([
      ["*", undefined],
      ["TRANSPOSE_CONV", undefined],
    ]);
  });

  test("refuses what recipes have no words for", () => {
    expect(() => encodeRecipe({ mode: "float16" })).toThrow(/option mode: "float16"/);
    expect(() => encodeRecipe({ mode: "dynamic_range", legacy: "r1.13" })).toThrow(/option legacy/);
  });
});
