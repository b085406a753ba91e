// Writes docs/operators.md from the built tables and the recorded cases; with --check only compares.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { BUILTIN_OPERATOR } from "../dist/formats/tflite/schema.gen.js";
import { REFERENCE_CUSTOM_KERNELS, referenceKernel } from "../dist/kernels/reference/table.js";
import { fastKernel } from "../dist/kernels/simd/table.js";
import { operatorInfo } from "../dist/model/op-table.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const path = `${root}docs/operators.md`;

/** The operand whose type stands for the operator's, where that is not the first. */
const TYPED_OPERAND = {
  ...{ SPLIT: 1, FILL: 1, SELECT: 1, SELECT_V2: 1, SCATTER_ND: 1, ONE_HOT: 2, SPARSE_TO_DENSE: 2 },
  ...{ CONV_3D_TRANSPOSE: 2, HASHTABLE_LOOKUP: 2, EMBEDDING_LOOKUP_SPARSE: 4 },
};

/** Types of operators that whole models cover, and single cases at most in part; "a × b" is activations and weights. */
const PRODUCT = "float32, float32 × int8 / uint8 / int4, int8 × int8 / int4, uint8, int16 × int8";
const SEQUENCE = "float32, float32 × int8 / uint8";
const COVERED_BY_MODELS = {
  AVERAGE_POOL_2D: "float32, int8 q, uint8 q, int16 q",
  MAX_POOL_2D: "float32, int8 q, uint8 q, int16 q",
  L2_POOL_2D: "float32",
  CONV_2D: `${PRODUCT}, int16 × int4`,
  DEPTHWISE_CONV_2D: PRODUCT,
  FULLY_CONNECTED: `${PRODUCT}, int8 / int16 × int4 / int2, uint8 to int16, shuffled uint8`,
  TRANSPOSE_CONV: PRODUCT,
  BATCH_MATMUL: "float32, float32 × int8, int8 q (to int8 or int32), int16 q",
  SOFTMAX: "float32, int8 q, uint8 q (each also to int16), int16 q",
  DEQUANTIZE: "float16, int2, int4, uint4, int8, uint8, int16",
  QUANTIZE:
    "float32 to int4, uint4, int8, uint8, int16; int8, uint8, int16, int32 to other quantization",
  EMBEDDING_LOOKUP: "any; int2 / int4 / int8 / uint8 to float32 or float16",
  LSTM: `${SEQUENCE}, int8 q, basic kernel: float32, uint8 q`,
  UNIDIRECTIONAL_SEQUENCE_LSTM: `${SEQUENCE}, int8 q`,
  BIDIRECTIONAL_SEQUENCE_LSTM: SEQUENCE,
  RNN: SEQUENCE,
  UNIDIRECTIONAL_SEQUENCE_RNN: SEQUENCE,
  BIDIRECTIONAL_SEQUENCE_RNN: SEQUENCE,
  SVDF: `${SEQUENCE}, int8 q`,
  SKIP_GRAM: "string",
  DENSIFY: "float32, float16, int8",
  LSH_PROJECTION: "any",
  ...{ IF: "any", WHILE: "any", CALL_ONCE: "–", STABLEHLO_CASE: "any", STABLEHLO_COMPOSITE: "any" },
  ...{ VAR_HANDLE: "resource", READ_VARIABLE: "any", ASSIGN_VARIABLE: "any" },
  ...{ HASHTABLE: "resource", HASHTABLE_SIZE: "resource" },
  HASHTABLE_FIND: "int64 to string, string to int64",
  HASHTABLE_IMPORT: "int64 to string, string to int64",
  STABLEHLO_SCATTER: "any but string",
  STABLEHLO_REDUCE_WINDOW: "any but string",
};

const ORDER = [
  "float32",
  "float16",
  "float64",
  "complex64",
  "int8",
  "uint8",
  "int16",
  "int32",
  "uint32",
  "int64",
];

/** By operator, the types of its recorded cases: "int8 q" is int8 with a scale. */
function recordedTypes() {
  const folder = `${root}test/fixtures/operators/`;
  const types = new Map();
  for (const file of readdirSync(folder).filter((name) => name.endsWith(".json.gz"))) {
    for (const { op, inputs, outputs } of JSON.parse(gunzipSync(readFileSync(folder + file)))) {
      const operand = op.startsWith("RANDOM_") ? outputs[0] : inputs[TYPED_OPERAND[op] ?? 0];
      if (!operand) continue;
      const type = operand.scale === undefined ? operand.dtype : `${operand.dtype} q`;
      types.set(op, (types.get(op) ?? new Set()).add(type));
    }
  }
  return types;
}

function rank(type) {
  const [dtype, quantized] = type.split(" ");
  const place = ORDER.indexOf(dtype);
  return 2 * (place < 0 ? ORDER.length : place) + (quantized ? 1 : 0);
}

function typesOf(op, recorded) {
  if (op in COVERED_BY_MODELS) return COVERED_BY_MODELS[op];
  return [...(recorded.get(op) ?? [])]
    .sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))
    .join(", ");
}

function document() {
  const recorded = recordedTypes();
  const operators = BUILTIN_OPERATOR.filter((op) => op && operatorInfo(op)).sort();
  const missing = operators.filter((op) => !referenceKernel(op));
  const rows = operators
    .filter((op) => referenceKernel(op))
    .map((op) => {
      const { minVersion, maxVersion } = operatorInfo(op);
      const versions = minVersion === maxVersion ? `${maxVersion}` : `${minVersion}–${maxVersion}`;
      return `| ${op} | ${versions} | ${typesOf(op, recorded)} | ${fastKernel(op) ? "yes" : ""} |`;
    });
  const without =
    missing.length === 0 ? "all of them" : `${rows.length} of them, without ${missing.join(", ")}`;
  return `# Operators

Made by \`scripts/update-operators.mjs\` from the kernel tables and the recorded cases: after \`npm run build\`, run it
anew, or with \`--check\` to see whether this page is current.

TensorFlow Lite 2.21 has kernels for ${operators.length} builtin operators; Octavo runs ${without}.
Operators of the schema that TensorFlow Lite has no kernel for either (most STABLEHLO ones) can be read, written and
inspected.

- Versions: what the official kernels take.
- Types: of the data operand; \`q\` means quantized, \`a × b\` activations and weights. Where single cases are recorded,
  the types that agreed with the official interpreter; for products, recurrences, control flow and resources, which
  whole models cover, what the kernels take. Operators that move data take more types than are listed. Anything else is
  refused when the model is loaded, with an error that names the operator and the type.
- Fast: has a WebAssembly SIMD kernel for some of its types; the others run in JavaScript.

| operator | versions | types | fast |
| --- | --- | --- | --- |
${rows.join("\n")}

## Custom operators

By name: ${Object.keys(REFERENCE_CUSTOM_KERNELS).sort().join(", ")}. Any other custom
operator is kept when a file is rewritten, and refused when it is to run.
`;
}

const text = document();
if (!process.argv.includes("--check")) {
  writeFileSync(path, text);
} else if (!existsSync(path) || readFileSync(path, "utf8") !== text) {
  console.error("docs/operators.md is not current: run node scripts/update-operators.mjs");
  process.exitCode = 1;
}
