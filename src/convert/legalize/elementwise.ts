/** Elementwise operations, most of them one operator with the same operands. */
import { makeOptions } from "../../formats/tflite/options.ts";
import type { BuiltinOperatorName, BuiltinOptions } from "../../formats/tflite/schema.gen.ts";
import { findAttr, floatAttr } from "../../graph/attrs.ts";
import { flagAttr } from "../attributes.ts";
import type { LegalizationRow, Lowering } from "./lowering.ts";
import { tensorType } from "./options.ts";

/** Emits the operator on all inputs as they are. */
const same =
  (op: BuiltinOperatorName, options?: (lowering: Lowering) => BuiltinOptions): LegalizationRow =>
  (lowering) =>
    lowering.emit(op, lowering.inputs(), options?.(lowering));

/** TensorFlow op, operator, options table if the operator has one. */
const PLAIN: readonly (readonly [string, BuiltinOperatorName, BuiltinOptions["type"]?])[] = [
  ["Abs", "ABS", "AbsOptions"],
  ["Neg", "NEG", "NegOptions"],
  ["Exp", "EXP", "ExpOptions"],
  ["Log", "LOG"],
  ["Sqrt", "SQRT"],
  ["Rsqrt", "RSQRT"],
  ["Square", "SQUARE", "SquareOptions"],
  ["Sin", "SIN"],
  ["Cos", "COS", "CosOptions"],
  ["Floor", "FLOOR"],
  ["Ceil", "CEIL"],
  ["Round", "ROUND"],
  ["Sign", "SIGN"],
  ["Tanh", "TANH"],
  ["Sigmoid", "LOGISTIC"],
  ["Relu", "RELU"],
  ["Relu6", "RELU6"],
  ["ReluN1To1", "RELU_N1_TO_1"],
  ["Relu0To1", "RELU_0_TO_1"],
  ["Elu", "ELU"],
  ["HardSwish", "HARD_SWISH", "HardSwishOptions"],
  ["PRelu", "PRELU"],
  ["L2Normalization", "L2_NORMALIZATION", "L2NormOptions"],
  ["LogSoftmax", "LOG_SOFTMAX", "LogSoftmaxOptions"],
  ["Add", "ADD", "AddOptions"],
  ["AddV2", "ADD", "AddOptions"],
  ["BiasAdd", "ADD", "AddOptions"],
  ["Sub", "SUB", "SubOptions"],
  ["Mul", "MUL", "MulOptions"],
  ["Div", "DIV", "DivOptions"],
  ["RealDiv", "DIV", "DivOptions"],
  ["FloorDiv", "FLOOR_DIV", "FloorDivOptions"],
  ["FloorMod", "FLOOR_MOD", "FloorModOptions"],
  ["Maximum", "MAXIMUM", "MaximumMinimumOptions"],
  ["Minimum", "MINIMUM", "MaximumMinimumOptions"],
  ["Pow", "POW", "PowOptions"],
  ["SquaredDifference", "SQUARED_DIFFERENCE", "SquaredDifferenceOptions"],
  ["Atan2", "ATAN2", "ATan2Options"],
  ["Equal", "EQUAL", "EqualOptions"],
  ["NotEqual", "NOT_EQUAL", "NotEqualOptions"],
  ["Less", "LESS", "LessOptions"],
  ["LessEqual", "LESS_EQUAL", "LessEqualOptions"],
  ["Greater", "GREATER", "GreaterOptions"],
  ["GreaterEqual", "GREATER_EQUAL", "GreaterEqualOptions"],
  ["LogicalAnd", "LOGICAL_AND", "LogicalAndOptions"],
  ["LogicalOr", "LOGICAL_OR", "LogicalOrOptions"],
  ["LogicalNot", "LOGICAL_NOT", "LogicalNotOptions"],
  ["BitwiseXor", "BITWISE_XOR", "BitwiseXorOptions"],
  ["RightShift", "RIGHT_SHIFT", "RightShiftOptions"],
  ["Bitcast", "BITCAST", "BitcastOptions"],
  ["AddN", "ADD_N", "AddNOptions"],
  ["ZerosLike", "ZEROS_LIKE", "ZerosLikeOptions"],
  ["ComplexAbs", "COMPLEX_ABS"],
  ["Real", "REAL"],
  ["Imag", "IMAG"],
];

const softmax: LegalizationRow = (lowering) =>
  lowering.emit("SOFTMAX", [lowering.input(0)], makeOptions("SoftmaxOptions", { beta: 1 }));

const leakyRelu: LegalizationRow = (lowering) =>
  lowering.emit(
    "LEAKY_RELU",
    [lowering.input(0)],
    makeOptions("LeakyReluOptions", { alpha: floatAttr(lowering.node, "alpha") }),
  );

const gelu: LegalizationRow = (lowering) =>
  lowering.emit(
    "GELU",
    [lowering.input(0)],
    makeOptions("GeluOptions", { approximate: flagAttr(lowering.node, "approximate") }),
  );

const cast: LegalizationRow = (lowering) =>
  lowering.emit(
    "CAST",
    [lowering.input(0)],
    makeOptions("CastOptions", {
      in_data_type: tensorType(lowering.type(0).dtype),
      out_data_type: tensorType(lowering.outputType(0).dtype),
    }),
  );

const select: LegalizationRow = (lowering) => {
  const shapes = [0, 1, 2].map((input) => `${lowering.type(input).shape}`);
  const equal = shapes.every((shape) => shape === shapes[0]) && !shapes.includes("undefined");
  const isFirst = lowering.node.op === "Select" || equal;
  lowering.emit(
    isFirst ? "SELECT" : "SELECT_V2",
    lowering.inputs(),
    makeOptions(isFirst ? "SelectOptions" : "SelectV2Options"),
  );
};

const bucketize: LegalizationRow = (lowering) => {
  const list = findAttr(lowering.node, "boundaries", "list") ?? [];
  const boundaries = Float32Array.from(list, (item) =>
    item.kind === "float" ? item.value : Number.NaN,
  );
  lowering.emit("BUCKETIZE", [lowering.input(0)], makeOptions("BucketizeOptions", { boundaries }));
};

/** The range is in attributes, or in two constant operands. */
const fakeQuant: LegalizationRow = (lowering) => {
  const { node } = lowering;
  const limit = (name: "min" | "max", input: number): number => {
    const given = findAttr(node, name, "float") ?? lowering.value(input)?.data[0];
    return typeof given === "number" ? given : lowering.fail("a range that is computed");
  };
  lowering.emit(
    "FAKE_QUANT",
    [lowering.input(0)],
    makeOptions("FakeQuantOptions", {
      min: limit("min", 1),
      max: limit("max", 2),
      num_bits: findAttr(node, "num_bits", "int") ?? 8,
      narrow_range: flagAttr(node, "narrow_range"),
    }),
  );
};

export const ELEMENTWISE_ROWS: ReadonlyMap<string, LegalizationRow> = new Map<
  string,
  LegalizationRow
>([
  ...PLAIN.map(
    ([name, op, options]) =>
      [name, same(op, options && (() => makeOptions(options) as BuiltinOptions))] as const,
  ),
  ["Softmax", softmax],
  ["LeakyRelu", leakyRelu],
  ["Gelu", gelu],
  ["Cast", cast],
  ["Select", select],
  ["SelectV2", select],
  ["Bucketize", bucketize],
  ["FakeQuantWithMinMaxArgs", fakeQuant],
  ["FakeQuantWithMinMaxVars", fakeQuant],
]);
