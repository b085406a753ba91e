/** Types of elementwise operations. */
import type { DType } from "../../base/dtype.ts";
import { typeAttr } from "../../graph/attrs.ts";
import type { PartialShape } from "../../graph/ir.ts";
import { broadcastShapes } from "../broadcast.ts";
import {
  inputShape,
  inputType,
  one,
  placeOf,
  type TypedNode,
  type TypeRule,
} from "./typed-node.ts";

/** Output 0 has the type of input 0. */
const SAME_AS_INPUT = [
  "Abs Neg Exp Expm1 Log Log1p Sqrt Rsqrt Square Reciprocal Inv Sin Cos Tan Asin Acos Atan Sinh Cosh",
  "Asinh Acosh Atanh Tanh Sigmoid Erf Erfc Lgamma Digamma Floor Ceil Round Rint Sign Relu Relu6 Elu Selu LeakyRelu",
  "Softplus Softsign Softmax LogSoftmax LogicalNot Identity StopGradient PreventGradient CheckNumerics Snapshot",
  "GuaranteeConst ZerosLike OnesLike Cumsum Cumprod LRN FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars",
  "FakeQuantWithMinMaxVarsPerChannel QuantizeAndDequantizeV2 QuantizeAndDequantizeV3 QuantizeAndDequantizeV4",
  "BiasAdd ClipByValue ReverseV2 ReverseSequence Roll InvertPermutation TensorScatterUpdate TensorScatterAdd TensorScatterSub",
  "MatrixBandPart MatrixSetDiag MatrixSetDiagV2 MatrixSetDiagV3 XlaDynamicUpdateSlice Invert",
  "Gelu HardSwish PRelu L2Normalization ReluN1To1 Relu0To1 Print XlaSharding PlaceholderWithDefault",
]
  .join(" ")
  .split(" ");

const BROADCAST = [
  "Add AddV2 Sub Mul Div RealDiv FloorDiv TruncateDiv FloorMod Mod TruncateMod Maximum Minimum Pow SquaredDifference",
  "Atan2 DivNoNan MulNoNan Xdivy Xlogy LogicalAnd LogicalOr BitwiseAnd BitwiseOr BitwiseXor LeftShift RightShift",
  "NextAfter",
]
  .join(" ")
  .split(" ");

const COMPARISON = "Equal NotEqual Less LessEqual Greater GreaterEqual ApproximateEqual".split(" ");

const sameAsInput: TypeRule = (typed) => [inputType(typed, 0)];

const broadcast =
  (result?: DType): TypeRule =>
  (typed) => {
    const { dtype, shape } = inputType(typed, 0);
    return one(result ?? dtype, broadcastPartial(typed, shape, inputShape(typed, 1)));
  };

function broadcastPartial(typed: TypedNode, a: PartialShape, b: PartialShape): PartialShape {
  return a && b && broadcastShapes(a, b, placeOf(typed.node));
}

const cast: TypeRule = (typed) => one(typeAttr(typed.node, "DstT"), inputShape(typed, 0));

const select: TypeRule = (typed) => {
  const { dtype, shape } = inputType(typed, 1);
  const values = broadcastPartial(typed, shape, inputShape(typed, 2));
  const condition = inputShape(typed, 0);
  if (typed.node.op === "Select") return one(dtype, shape ?? inputShape(typed, 2));
  return one(dtype, broadcastPartial(typed, condition, values));
};

const addN: TypeRule = (typed) => {
  const known = typed.inputs.map(({ shape }) => shape).filter((shape) => shape !== undefined);
  const merged = known.reduce<PartialShape>(
    (a, b) => (a ? b.map((size, axis) => (size < 0 ? (a[axis] ?? -1) : size)) : b),
    undefined,
  );
  return one(inputType(typed, 0).dtype, merged);
};

const toBool: TypeRule = (typed) => one("bool", inputShape(typed, 0));

const part: TypeRule = (typed) => one("float32", inputShape(typed, 0));

const complex: TypeRule = (typed) =>
  one("complex64", broadcastPartial(typed, inputShape(typed, 0), inputShape(typed, 1)));

/** Bitcast: a size change moves the last dimension. */
const bitcast: TypeRule = (typed) => {
  const target = typeAttr(typed.node, "type");
  return one(target, inputShape(typed, 0));
};

const allInputs: TypeRule = (typed) => typed.inputs;

const bucketize: TypeRule = (typed) => one("int32", inputShape(typed, 0));

const ensureShape: TypeRule = (typed) => {
  const { dtype, shape } = inputType(typed, 0);
  const wanted = typed.node.attrs.get("shape");
  const known = wanted?.kind === "shape" ? wanted.value : undefined;
  if (shape === undefined || known === undefined) return one(dtype, shape ?? known);
  return one(
    dtype,
    shape.map((size, axis) => (size < 0 ? (known[axis] ?? -1) : size)),
  );
};

export const ELEMENTWISE_TYPES: ReadonlyMap<string, TypeRule> = new Map<string, TypeRule>([
  ...SAME_AS_INPUT.map((op) => [op, sameAsInput] as const),
  ...BROADCAST.map((op) => [op, broadcast()] as const),
  ...COMPARISON.map((op) => [op, broadcast("bool")] as const),
  ["Cast", cast],
  ["Select", select],
  ["SelectV2", select],
  ["AddN", addN],
  ["AccumulateNV2", addN],
  ["IsNan", toBool],
  ["IsInf", toBool],
  ["IsFinite", toBool],
  ["ComplexAbs", part],
  ["Real", part],
  ["Imag", part],
  ["Angle", part],
  ["Complex", complex],
  ["Conj", sameAsInput],
  ["Bitcast", bitcast],
  ["Bucketize", bucketize],
  ["IdentityN", allInputs],
  ["EnsureShape", ensureShape],
]);
