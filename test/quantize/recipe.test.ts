import { expect, test } from "vitest";
import { makeOptions } from "../../src/formats/tflite/options.ts";
import { encodeModel } from "../../src/model/write.ts";
import type { QuantizeOptions } from "../../src/quantize/options.ts";
import { quantizeModel } from "../../src/quantize/quantize-model.ts";
import { encodeRecipe } from "../../src/quantize/recipe/encode-recipe.ts";
import { parseRecipe } from "../../src/quantize/recipe/parse-recipe.ts";
import { randomValues, tinyModel } from "./tiny-model.ts";

/** Two dense layers, outputs t2 and t4, and a matrix product, output t6. */
function stackModel() {
  const dense = { op: "FULLY_CONNECTED", options: makeOptions("FullyConnectedOptions") } as const;
  return tinyModel(
    [
      { shape: [1, 64] },
      { shape: [64, 64], data: randomValues(4096, 1) },
      { shape: [1, 64] },
      { shape: [64, 64], data: randomValues(4096, 2) },
      { shape: [1, 64] },
      { shape: [64, 8], data: randomValues(512, 3) },
      { shape: [1, 8] },
    ],
    [
      { ...dense, inputs: [0, 1, -1], outputs: [2] },
      { ...dense, inputs: [2, 3, -1], outputs: [4] },
      {
        op: "BATCH_MATMUL",
        inputs: [4, 5],
        outputs: [6],
        options: makeOptions("BatchMatMulOptions"),
      },
    ],
    [0],
    [6],
  );
}

const INT8 = { num_bits: 8, symmetric: true, granularity: "CHANNELWISE", dtype: "INT" };
const INT4 = { ...INT8, num_bits: 4 };

function entry(regex: string, operation: string, weights?: object, more: object = {}) {
  if (weights === undefined) return { regex, operation, algorithm_key: "no_quantize" };
  const op_config = { weight_tensor_config: weights, compute_precision: "INTEGER", ...more };
  return { regex, operation, algorithm_key: "min_max_uniform_quantize", op_config };
}

async function typesWith(entries: object[]) {
  const recipe = parseRecipe(JSON.stringify(entries), "r.json");
  const { model, report } = await quantizeModel(stackModel(), { mode: "dynamic_range", recipe });
  const { tensors, operators } = model.subgraphs[0]!;
  const types = [1, 3, 5].map((index) => tensors[index]!.dtype);
  return { types, report, operators: operators.map(({ op }) => op) };
}

test("the last entry that fits an operator wins", async () => {
  const { types, report } = await typesWith([
    entry(".*", "*", INT8),
    entry("^t4;$", "FULLY_CONNECTED", INT4),
    entry("t6", "*"),
  ]);
  expect(types).toEqual(["int8", "int4", "float32"]);
  expect(report.kept[0]!.reasons[0]).toMatchObject({
    code: "recipe_says_float",
    text: "entry 3 of r.json leaves it alone",
  });
});

test("an entry that the policy does not allow for an operator leaves the word to an earlier one", async () => {
  const entries = [entry(".*", "*", INT8), entry(".*", "*", INT4)];
  expect((await typesWith(entries)).types).toEqual(["int4", "int4", "int8"]);
  const unchecked = [entry(".*", "*", INT8), entry(".*", "*", INT4, { min_weight_elements: 4097 })];
  expect((await typesWith(unchecked)).types).toEqual(["float32", "float32", "int8"]);
});

test("weight-only entries put a DEQUANTIZE in front", async () => {
  const { operators } = await typesWith([
    entry("t2", "*", INT8, { compute_precision: "FLOAT", explicit_dequantize: true }),
  ]);
  expect(operators).toEqual(["DEQUANTIZE", "FULLY_CONNECTED", "FULLY_CONNECTED", "BATCH_MATMUL"]);
});

test("entries that match nothing are remarked on", async () => {
  const { report } = await typesWith([entry(".*", "*", INT8), entry("t9", "CONV_2D", INT8)]);
  expect(report.diagnostics.map(({ text }) => text)).toEqual([
    'Entry 2 of r.json (CONV_2D, "t9") matches no operator.',
  ]);
});

test.each<QuantizeOptions>([
  { mode: "dynamic_range", minElements: 600, exclude: ["op:BATCH_MATMUL"] },
  { mode: "dynamic_range", minElements: 0, weightType: "int4", blockSize: 32, method: "octav" },
  { mode: "weight_only", minElements: 0, weightType: "int4", exclude: ["t4"] },
  { mode: "dynamic_range", perTensor: true },
])("saved options do what the options do: %j", async (options) => {
  const recipe = parseRecipe(encodeRecipe(options));
  const [direct, saved] = await Promise.all([
    quantizeModel(stackModel(), options),
    quantizeModel(stackModel(), { mode: "dynamic_range", recipe }),
  ]);
  expect(await encodeModel(saved.model)).toEqual(await encodeModel(direct.model));
  expect(saved.report.diagnostics).toEqual([]);
});
