/** Small models whose operators call other subgraphs or keep resources. Every input may be zero: loops end. */
import type { Model } from "../src/model/ir.ts";
import { buildModel, optionsFor, type SubgraphSpec } from "./model-builder.ts";

const ONE = { shape: [1], data: Float32Array.of(1) };
const HANDLE = { shape: [], dtype: "resource" } as const;

/** r = a op b on float32[1]. */
function binary(op: "ADD" | "MUL" | "LESS", b: number): SubgraphSpec {
  return {
    tensors: {
      a: { shape: [1] },
      b: { shape: [1], data: Float32Array.of(b) },
      r: { shape: [1], ...(op === "LESS" ? { dtype: "bool" } : {}) },
    },
    operators: [{ op, inputs: ["a", "b"], outputs: ["r"] }],
    inputs: ["a"],
    outputs: ["r"],
  };
}

/** A function of two scalars. */
const SUM: SubgraphSpec = {
  tensors: { a: { shape: [] }, b: { shape: [] }, r: { shape: [] } },
  operators: [{ op: "ADD", inputs: ["a", "b"], outputs: ["r"] }],
  inputs: ["a", "b"],
  outputs: ["r"],
};

function caller(
  operator: SubgraphSpec["operators"][number],
  flag?: "bool" | "int32",
): SubgraphSpec {
  return {
    tensors: {
      ...(flag === undefined ? {} : { flag: { shape: [], dtype: flag } }),
      x: { shape: [1] },
      y: { shape: [1] },
    },
    operators: [operator],
    inputs: flag === undefined ? ["x"] : ["flag", "x"],
    outputs: ["y"],
  };
}

const CONTROL_FLOW: Model[] = [
  buildModel([
    caller(
      {
        ...{ op: "IF", inputs: ["flag", "x"], outputs: ["y"] },
        options: optionsFor("IfOptions", { then_subgraph_index: 1, else_subgraph_index: 2 }),
      },
      "bool",
    ),
    binary("ADD", 10),
    binary("MUL", 10),
  ]),
  buildModel([
    caller({
      ...{ op: "WHILE", inputs: ["x"], outputs: ["y"] },
      options: optionsFor("WhileOptions", { cond_subgraph_index: 1, body_subgraph_index: 2 }),
    }),
    binary("LESS", 10),
    binary("ADD", 3),
  ]),
  buildModel([
    caller(
      {
        ...{ op: "STABLEHLO_CASE", inputs: ["flag", "x"], outputs: ["y"] },
        options2: { type: "StablehloCaseOptions", value: { branch_subgraph_indices: [1, 2] } },
      },
      "int32",
    ),
    binary("ADD", 10),
    binary("MUL", 10),
  ]),
  buildModel([
    caller({
      ...{ op: "STABLEHLO_COMPOSITE", inputs: ["x"], outputs: ["y"] },
      options2: {
        type: "StableHLOCompositeOptions",
        value: {
          ...{ name: "plus", decomposition_subgraph_index: 1, version: 1 },
          composite_attributes_format: "FLEXBUFFERS",
        },
      },
    }),
    binary("ADD", 10),
  ]),
];

const REDUCTIONS: Model[] = [
  buildModel([
    {
      tensors: {
        x: { shape: [2, 3] },
        indices: { shape: [1, 1], dtype: "int32", data: Int32Array.of(1) },
        updates: { shape: [1, 3], data: Float32Array.of(1, 2, 3) },
        y: { shape: [2, 3] },
      },
      operators: [
        {
          ...{ op: "STABLEHLO_SCATTER", inputs: ["x", "indices", "updates"], outputs: ["y"] },
          options2: {
            type: "StablehloScatterOptions",
            value: {
              ...{ indices_are_sorted: false, unique_indices: false, index_vector_dim: 1n },
              ...{ update_window_dims: [1n], inserted_window_dims: [0n] },
              ...{ scatter_dims_to_operand_dims: [0n], update_computation_subgraph_index: 1 },
            },
          },
        },
      ],
      inputs: ["x"],
      outputs: ["y"],
    },
    SUM,
  ]),
  buildModel([
    {
      tensors: {
        x: { shape: [4] },
        initial: { shape: [], data: Float32Array.of(0) },
        y: { shape: [3] },
      },
      operators: [
        {
          ...{ op: "STABLEHLO_REDUCE_WINDOW", inputs: ["x", "initial"], outputs: ["y"] },
          options2: {
            type: "StablehloReduceWindowOptions",
            value: {
              ...{ window_dimensions: [2n], window_strides: [1n], base_dilations: [1n] },
              ...{ window_dilations: [1n], padding: [0n, 0n], body_subgraph_index: 1 },
            },
          },
        },
      ],
      inputs: ["x"],
      outputs: ["y"],
    },
    SUM,
  ]),
];

const VARIABLE = optionsFor("VarHandleOptions", { container: "", shared_name: "total" });
const TABLE = optionsFor("HashtableOptions", {
  ...{ table_id: 3, key_dtype: "INT64", value_dtype: "INT64" },
});
const int64 = (...values: bigint[]) => ({
  ...{ shape: [values.length], dtype: "int64" as const },
  data: BigInt64Array.from(values),
});

const RESOURCES: Model[] = [
  buildModel([
    {
      tensors: { x: { shape: [1] }, v: HANDLE, before: { shape: [1] }, y: { shape: [1] } },
      operators: [
        {
          ...{ op: "CALL_ONCE", inputs: [], outputs: [] },
          options: optionsFor("CallOnceOptions", { init_subgraph_index: 1 }),
        },
        { op: "VAR_HANDLE", inputs: [], outputs: ["v"], options: VARIABLE },
        { op: "READ_VARIABLE", inputs: ["v"], outputs: ["before"] },
        { op: "ADD", inputs: ["before", "x"], outputs: ["y"] },
        { op: "ASSIGN_VARIABLE", inputs: ["v", "y"], outputs: [] },
      ],
      inputs: ["x"],
      outputs: ["y"],
    },
    {
      tensors: { v: HANDLE, one: ONE },
      operators: [
        { op: "VAR_HANDLE", inputs: [], outputs: ["v"], options: VARIABLE },
        { op: "ASSIGN_VARIABLE", inputs: ["v", "one"], outputs: [] },
      ],
      inputs: [],
      outputs: [],
    },
  ]),
  buildModel([
    {
      tensors: {
        ...{ t: { ...HANDLE, shape: [1] }, keys: int64(1n, 2n), values: int64(10n, 20n) },
        ...{ wanted: int64(2n, 9n), missing: int64(-1n) },
        found: { shape: [2], dtype: "int64" },
        size: { shape: [1], dtype: "int64" },
      },
      operators: [
        { op: "HASHTABLE", inputs: [], outputs: ["t"], options: TABLE },
        { op: "HASHTABLE_IMPORT", inputs: ["t", "keys", "values"], outputs: [] },
        { op: "HASHTABLE_FIND", inputs: ["t", "wanted", "missing"], outputs: ["found"] },
        { op: "HASHTABLE_SIZE", inputs: ["t"], outputs: ["size"] },
      ],
      inputs: [],
      outputs: ["found", "size"],
    },
  ]),
];

export const CALLING_MODELS: readonly Model[] = [...CONTROL_FLOW, ...REDUCTIONS, ...RESOURCES];
