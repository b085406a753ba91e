/** Elementwise operations of `keras.ops` that are formulas of TensorFlow's, as Keras' TensorFlow backend writes them. */
import { FLOAT32_MAX } from "../../../base/dtype.ts";
import { Formula } from "../formula.ts";
import type { LayerCall, Translate } from "../layer.ts";
import { tensorsOf, unsupported } from "../layer.ts";
import type { Symbolic } from "../node-writer.ts";
import { onlyOperand } from "./array-operations.ts";
import {
  argumentOf,
  asTensor,
  binaryOperation,
  operand,
  option,
  plainValue,
  unaryOperation,
} from "./operations.ts";
import { axesOf } from "./shape-operations.ts";

type Unary = (f: Formula, x: Symbolic, call: LayerCall) => Symbolic;
type Binary = (f: Formula, a: Symbolic, b: Symbolic, call: LayerCall) => Symbolic;

const unary =
  (write: Unary): Translate =>
  (call) =>
    write(new Formula(call), onlyOperand(call), call);

const binary =
  (write: Binary): Translate =>
  (call) => {
    const given = [operand(call, 0, ["x1"]), operand(call, 1, ["x2"])];
    const known = given.flatMap(tensorsOf)[0];
    const [a, b] = given.map((argument) => asTensor(call, argument, known));
    return write(new Formula(call), a!, b!, call);
  };

const scaled = (factor: number): Translate => unary((f, x) => f.of("Mul", x, factor));
const unchanged = unary((_, x) => x);
/** Whether each number is of a kind. */
const predicate = (op: string): Translate => unary((f, x) => f.of(op, x));
const isNan = (f: Formula, x: Symbolic): Symbolic => f.of("IsNan", x);

/** The sum, mean, largest or smallest of what is a number. */
const withoutNan = (op: "Max" | "Min" | "Sum" | "Prod", instead: number): Translate =>
  unary((f, x, call) => {
    const cleaned = f.where(isNan(f, x), instead, x);
    return f.reduce(op, cleaned, axesOf(call, x), option(call, "keepdims") === true);
  });

/** log(eᵃ + eᵇ) to a base whose natural logarithm is `unit`. */
const logAddExp = (unit: number): Translate =>
  binary((f, a, b) => {
    const gap = f.of("Neg", f.of("Abs", f.of("Sub", a, b)));
    const rest = f.of("Log1p", f.of("Exp", unit === 1 ? gap : f.of("Mul", gap, unit)));
    return f.of("AddV2", f.of("Maximum", a, b), unit === 1 ? rest : f.of("RealDiv", rest, unit));
  });

/** The extreme of two numbers; of a number and what is none, the number. */
const extreme = (op: "Maximum" | "Minimum"): Translate =>
  binary((f, a, b) => f.where(isNan(f, a), b, f.where(isNan(f, b), a, f.of(op, a, b))));

const nanToNumber: Unary = (f, x, call) => {
  const level = (name: string, fallback: number) => Number(option(call, name) ?? fallback);
  const numbers = f.where(isNan(f, x), level("nan", 0), x);
  const capped = f.where(f.of("Equal", numbers, Infinity), level("posinf", FLOAT32_MAX), numbers);
  return f.where(f.of("Equal", capped, -Infinity), level("neginf", -FLOAT32_MAX), capped);
};

const isClose: Binary = (f, a, b, call) => {
  if (option(call, "equal_nan") === true) throw unsupported(call.config, "isclose with equal_nan");
  const number = (name: string, index: number, fallback: number) =>
    Number(plainValue(argumentOf(call, name, index)) ?? fallback);
  const allowed = f.of(
    "AddV2",
    f.of("Mul", f.of("Abs", b), number("rtol", 2, 1e-5)),
    number("atol", 3, 1e-8),
  );
  return f.of("LessEqual", f.of("Abs", f.of("Sub", a, b)), allowed);
};

/** Differences of neighbours along an axis, `n` times. */
const diff: Unary = (f, x, call) => {
  const { config, writer, path } = call;
  const axis = Number(option(call, "axis") ?? -1);
  const own = axis < 0 ? axis + x.shape.length : axis;
  let y = x;
  for (let i = 0; i < Number(option(call, "n") ?? 1); i++) {
    const size = y.shape[own] ?? -1;
    if (size < 1) throw unsupported(config, "diff along an open dimension");
    const [, later] = writer.splitSizes(`${path}/split`, y, own, [1, size - 1]);
    const [earlier] = writer.splitSizes(`${path}/split`, y, own, [size - 1, 1]);
    y = f.of("Sub", later!, earlier!);
  }
  return y;
};

export const ELEMENTWISE_OPERATIONS: Readonly<Record<string, Translate>> = {
  Arccos: unaryOperation("Acos"),
  Arccosh: unaryOperation("Acosh"),
  Arcsin: unaryOperation("Asin"),
  Arcsinh: unaryOperation("Asinh"),
  Arctan2: binaryOperation("Atan2"),
  Arctanh: unaryOperation("Atanh"),
  BitwiseXor: binaryOperation("BitwiseXor"),
  Cbrt: unary((f, x) => f.of("Mul", f.of("Sign", x), f.of("Pow", f.of("Abs", x), 1 / 3))),
  Conj: unchanged,
  Conjugate: unchanged,
  ConvertToTensor: unchanged,
  Copy: unchanged,
  CountNonzero: unary((f, x, call) =>
    f.reduce("Sum", f.cast(f.of("NotEqual", x, 0), "int32"), axesOf(call, x), false),
  ),
  Deg2rad: scaled(Math.PI / 180),
  Diff: (call) =>
    diff(new Formula(call), asTensor(call, operand(call, 0, ["a", "x"]), undefined), call),
  DivideNoNan: binaryOperation("DivNoNan"),
  Erfc: unaryOperation("Erfc"),
  Exp2: unary((f, x) => f.of("Pow", 2, x)),
  Fabs: unaryOperation("Abs"),
  Fmax: extreme("Maximum"),
  Fmin: extreme("Minimum"),
  Fmod: binary((f, a, b) =>
    f.of("Mul", f.of("Sign", a), f.of("FloorMod", f.of("Abs", a), f.of("Abs", b))),
  ),
  Heaviside: binary((f, a, b) =>
    f.where(f.of("Less", a, 0), 0, f.where(f.of("Greater", a, 0), 1, b)),
  ),
  Hypot: binary((f, a, b) => f.of("Sqrt", f.of("AddV2", f.of("Square", a), f.of("Square", b)))),
  Isclose: binary(isClose),
  Isfinite: predicate("IsFinite"),
  Isinf: predicate("IsInf"),
  Isnan: predicate("IsNan"),
  Isneginf: unary((f, x) => f.of("Equal", x, -Infinity)),
  Isposinf: unary((f, x) => f.of("Equal", x, Infinity)),
  Log10: unary((f, x) => f.of("Mul", f.of("Log", x), 1 / Math.LN10)),
  Log2: unary((f, x) => f.of("Mul", f.of("Log", x), 1 / Math.LN2)),
  Logaddexp: logAddExp(1),
  Logaddexp2: logAddExp(Math.LN2),
  LogicalXor: binaryOperation("NotEqual", true),
  NanToNum: unary(nanToNumber),
  Nanmax: withoutNan("Max", -Infinity),
  Nanmean: unary((f, x, call) => {
    const [axes, keep] = [axesOf(call, x), option(call, "keepdims") === true];
    const sum = f.reduce("Sum", f.where(isNan(f, x), 0, x), axes, keep);
    const counts = f.cast(f.of("LogicalNot", isNan(f, x)), "float32");
    return f.of("RealDiv", sum, f.reduce("Sum", counts, axes, keep));
  }),
  Nanmin: withoutNan("Min", Infinity),
  Nanprod: withoutNan("Prod", 1),
  Nansum: withoutNan("Sum", 0),
  OnesLike: unaryOperation("OnesLike"),
  Ptp: unary((f, x, call) => {
    const [axes, keep] = [axesOf(call, x), option(call, "keepdims") === true];
    return f.of("Sub", f.reduce("Max", x, axes, keep), f.reduce("Min", x, axes, keep));
  }),
  Rad2deg: scaled(180 / Math.PI),
  Real: unchanged,
  RightShift: binaryOperation("RightShift"),
  Sinc: unary((f, x) => {
    const angle = f.of("Mul", x, Math.PI);
    return f.where(f.of("Equal", x, 0), 1, f.of("RealDiv", f.of("Sin", angle), angle));
  }),
  StopGradient: unchanged,
  Trunc: unary((f, x) => f.where(f.of("Less", x, 0), f.of("Ceil", x), f.of("Floor", x))),
};
