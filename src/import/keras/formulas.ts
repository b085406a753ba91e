/** Formulas of activations, written as TensorFlow operations. */
import { elementCount } from "../../base/shape.ts";
import { float, type NodeWriter, type Symbolic, type } from "./node-writer.ts";

/** Options of the ReLU function and layer. */
export interface Rectifier {
  readonly maxValue?: number | undefined;
  /** Slope below `threshold`. */
  readonly negativeSlope: number;
  /** Values up to it are not passed on. */
  readonly threshold: number;
}

/** min(x, maxValue) where x > threshold, else negativeSlope · (x - threshold). */
export function relu(
  writer: NodeWriter,
  path: string,
  x: Symbolic,
  { maxValue, negativeSlope, threshold }: Rectifier,
): Symbolic {
  const cut = (y: Symbolic): Symbolic =>
    maxValue === undefined
      ? y
      : writer.binary(`${path}/Minimum`, "Minimum", y, writer.float(`${path}/max`, maxValue));
  if (threshold === 0) {
    if (negativeSlope !== 0) return cut(leakyRelu(writer, path, x, negativeSlope));
    return maxValue === 6
      ? writer.unary(`${path}/Relu6`, "Relu6", x)
      : cut(writer.unary(`${path}/Relu`, "Relu", x));
  }
  const bound = writer.float(`${path}/threshold`, threshold);
  const positive = cut(where(writer, path, "Greater", x, bound, x, 0));
  if (negativeSlope === 0) return positive;
  const below = writer.binary(`${path}/sub`, "Sub", bound, x);
  const slope = writer.float(`${path}/slope`, negativeSlope);
  const rectified = writer.unary(`${path}/Relu`, "Relu", below);
  const negative = writer.binary(`${path}/mul`, "Mul", slope, rectified);
  return writer.binary(`${path}/sub_1`, "Sub", positive, negative);
}

/** `yes` where x compares so with `bound`, else `no`. */
function where(
  writer: NodeWriter,
  path: string,
  comparison: string,
  x: Symbolic,
  bound: Symbolic,
  yes: Symbolic,
  no: Symbolic | number,
): Symbolic {
  const chosen = writer.binary(`${path}/${comparison}`, comparison, x, bound, "bool");
  const other = typeof no === "number" ? writer.float(`${path}/otherwise`, no) : no;
  return writer.select(`${path}/SelectV2`, chosen, yes, other);
}

export function leakyRelu(writer: NodeWriter, path: string, x: Symbolic, slope: number): Symbolic {
  return writer.unary(`${path}/LeakyRelu`, "LeakyRelu", x, { alpha: float(slope) });
}

/** x where it is positive, else alpha · (exp(x) - 1): ELU keeps the sign, so that a slope scales its lower part. */
export function elu(writer: NodeWriter, path: string, x: Symbolic, alpha: number): Symbolic {
  const plain = writer.unary(`${path}/Elu`, "Elu", x);
  return alpha === 1 ? plain : leakyRelu(writer, path, plain, alpha);
}

/** max(x, 0) + alpha · (exp(min(x, 0) / alpha) - 1). */
export function celu(writer: NodeWriter, path: string, x: Symbolic, alpha: number): Symbolic {
  if (alpha === 1) return writer.unary(`${path}/Elu`, "Elu", x);
  const scale = writer.float(`${path}/alpha`, alpha);
  const low = writer.binary(`${path}/Minimum`, "Minimum", x, writer.float(`${path}/zero`, 0));
  const shrunk = writer.binary(`${path}/truediv`, "RealDiv", low, scale);
  const negative = writer.unary(`${path}/Elu`, "Elu", shrunk);
  const scaled = writer.binary(`${path}/mul`, "Mul", negative, scale);
  return writer.binary(`${path}/add`, "AddV2", writer.unary(`${path}/Relu`, "Relu", x), scaled);
}

/**
 * Softmax over any axes: TensorFlow's own is over the last one. Others are brought to the end, and several become one.
 * Undefined where that would need sizes that are open.
 */
export function softmax(
  writer: NodeWriter,
  path: string,
  x: Symbolic,
  axes: readonly number[],
): Symbolic | undefined {
  const rank = x.shape.length;
  const own = axes.map((axis) => (axis < 0 ? axis + rank : axis));
  if (own.length === 1) return softmaxAlong(writer, path, x, own[0]!);
  const inner = own.map((axis) => x.shape[axis]!);
  const open = x.shape.filter((size) => size < 0).length;
  if (open > 1 || inner.some((size) => size < 0)) return undefined;
  const perm = [...x.shape.keys()].filter((axis) => !own.includes(axis)).concat(own);
  const isInOrder = perm.every((axis, i) => axis === i);
  const moved = isInOrder ? x : writer.transpose(`${path}/transpose`, x, perm);
  const outer = moved.shape.slice(0, -inner.length);
  const flat = writer.reshape(`${path}/Reshape`, moved, [...outer, elementCount(inner)]);
  const soft = writer.unary(`${path}/Softmax`, "Softmax", flat);
  const back = writer.reshape(`${path}/Reshape_1`, soft, moved.shape);
  const inverse = perm.map((_, axis) => perm.indexOf(axis));
  return isInOrder ? back : writer.transpose(`${path}/transpose_1`, back, inverse);
}

function softmaxAlong(writer: NodeWriter, path: string, x: Symbolic, axis: number): Symbolic {
  const last = x.shape.length - 1;
  if (axis === last) return writer.unary(`${path}/Softmax`, "Softmax", x);
  const moved = writer.exchange(`${path}/transpose`, x, axis, last);
  const soft = writer.unary(`${path}/Softmax`, "Softmax", moved);
  return writer.exchange(`${path}/transpose_1`, soft, axis, last);
}

/**
 * max(x - τ, 0) along the last axis (Martins and Astudillo, 2016). Of the values in falling order z₁ ≥ z₂ ≥ …, with the
 * running sums s₁, s₂, …, the first k with k · z_k > s_k - 1 count. τ = (s₁ + … + s_k - 1) / k, as Keras 3 computes it; in
 * the paper it is (s_k - 1) / k.
 */
export function sparsemax(writer: NodeWriter, path: string, x: Symbolic): Symbolic {
  const size = x.shape.at(-1)!;
  const results = [{ shape: x.shape }, { shape: x.shape, dtype: "int32" as const }];
  const [sorted] = writer.emitMany(
    `${path}/TopKV2`,
    "TopKV2",
    [x, writer.ints(`${path}/k`, size)],
    results,
  );
  const last = writer.ints(`${path}/axis`, -1);
  const sums = writer.emit(`${path}/Cumsum`, "Cumsum", [sorted!, last], { shape: x.shape });
  const one = writer.float(`${path}/one`, 1);
  const ranks = writer.constant(`${path}/ranks`, {
    dtype: "float32",
    shape: [size],
    data: Float32Array.from({ length: size }, (_, i) => i + 1),
  });
  const reached = writer.binary(`${path}/mul`, "Mul", ranks, sorted!);
  const needed = writer.binary(`${path}/sub`, "Sub", sums, one);
  const counts = writer.binary(`${path}/Greater`, "Greater", reached, needed, "bool");
  const result = { shape: x.shape, dtype: "float32" } as const;
  const support = writer.emit(`${path}/Cast`, "Cast", [counts], result, { DstT: type("float32") });
  const kept = writer.binary(`${path}/mul_1`, "Mul", sums, support);
  const total = writer.reduce(`${path}/Sum`, "Sum", kept, [-1], true);
  const count = writer.reduce(`${path}/Sum_1`, "Sum", support, [-1], true);
  const excess = writer.binary(`${path}/sub_1`, "Sub", total, one);
  const tau = writer.binary(`${path}/truediv`, "RealDiv", excess, count);
  return writer.unary(`${path}/Relu`, "Relu", writer.binary(`${path}/sub_2`, "Sub", x, tau));
}

/** x · Φ(x), with the error function or its approximation by tanh. */
export function gelu(
  writer: NodeWriter,
  path: string,
  x: Symbolic,
  approximate: boolean,
): Symbolic {
  const constant = (name: string, value: number) => writer.float(`${path}/Gelu/${name}`, value);
  const mul = (name: string, a: Symbolic, b: Symbolic) =>
    writer.binary(`${path}/Gelu/${name}`, "Mul", a, b);
  const half = mul("mul", constant("half", 0.5), x);
  let inner: Symbolic;
  if (approximate) {
    const cube = writer.binary(`${path}/Gelu/Pow`, "Pow", x, constant("three", 3));
    const sum = writer.binary(
      `${path}/Gelu/add`,
      "AddV2",
      x,
      mul("mul_1", constant("cubic", 0.044715), cube),
    );
    const scaled = mul("mul_2", constant("root", Math.sqrt(2 / Math.PI)), sum);
    inner = writer.unary(`${path}/Gelu/Tanh`, "Tanh", scaled);
  } else {
    const scaled = writer.binary(
      `${path}/Gelu/truediv`,
      "RealDiv",
      x,
      constant("root", Math.SQRT2),
    );
    inner = writer.unary(`${path}/Gelu/Erf`, "Erf", scaled);
  }
  const cdf = writer.binary(`${path}/Gelu/add_1`, "AddV2", constant("one", 1), inner);
  return mul("mul_3", half, cdf);
}

export function swish(writer: NodeWriter, path: string, x: Symbolic): Symbolic {
  const sigmoid = writer.unary(`${path}/Sigmoid`, "Sigmoid", x);
  return writer.binary(`${path}/mul`, "Mul", x, sigmoid);
}

/** x · tanh(log(1 + exp(x))). */
export function mish(writer: NodeWriter, path: string, x: Symbolic): Symbolic {
  const softplus = writer.unary(`${path}/Softplus`, "Softplus", x);
  const tanh = writer.unary(`${path}/Tanh`, "Tanh", softplus);
  return writer.binary(`${path}/mul`, "Mul", x, tanh);
}

/** The first half along an axis, weighted by the sigmoid of the second. */
export function glu(writer: NodeWriter, path: string, x: Symbolic, axis: number): Symbolic {
  const own = axis < 0 ? axis + x.shape.length : axis;
  const [a, b] = writer.split(`${path}/split`, x, own, 2);
  const gate = writer.unary(`${path}/Sigmoid`, "Sigmoid", b!);
  return writer.binary(`${path}/mul`, "Mul", a!, gate);
}

/** Keras 2: clip(0.2 x + 0.5, 0, 1). Keras 3: relu6(x + 3) / 6. */
export function hardSigmoid(
  writer: NodeWriter,
  path: string,
  x: Symbolic,
  kerasVersion: number,
): Symbolic {
  const constant = (name: string, value: number) => writer.float(`${path}/${name}`, value);
  if (kerasVersion >= 3) {
    const shifted = writer.binary(`${path}/add`, "AddV2", x, constant("three", 3));
    const relu6 = writer.unary(`${path}/Relu6`, "Relu6", shifted);
    return writer.binary(`${path}/truediv`, "RealDiv", relu6, constant("six", 6));
  }
  const scaled = writer.binary(`${path}/mul`, "Mul", x, constant("slope", 0.2));
  return clip(
    writer,
    path,
    writer.binary(`${path}/add`, "AddV2", scaled, constant("half", 0.5)),
    [0, 1],
  );
}

/** x · relu6(x + 3) / 6. */
export function hardSwish(writer: NodeWriter, path: string, x: Symbolic): Symbolic {
  return writer.binary(`${path}/mul_1`, "Mul", x, hardSigmoid(writer, path, x, 3));
}

/** min(max(x, low), high). */
export function clip(
  writer: NodeWriter,
  path: string,
  x: Symbolic,
  [low, high]: readonly [number, number],
): Symbolic {
  const capped = writer.binary(`${path}/Minimum`, "Minimum", x, writer.float(`${path}/high`, high));
  return writer.binary(`${path}/Maximum`, "Maximum", capped, writer.float(`${path}/low`, low));
}

/** log σ(x) = -log(1 + exp(-x)). */
export function logSigmoid(writer: NodeWriter, path: string, x: Symbolic): Symbolic {
  const softplus = writer.unary(
    `${path}/Softplus`,
    "Softplus",
    writer.unary(`${path}/Neg`, "Neg", x),
  );
  return writer.unary(`${path}/Neg_1`, "Neg", softplus);
}

/** (x + √(x² + b)) / 2. */
export function squareplus(writer: NodeWriter, path: string, x: Symbolic, b: number): Symbolic {
  const square = writer.unary(`${path}/Square`, "Square", x);
  const sum = writer.binary(`${path}/add`, "AddV2", square, writer.float(`${path}/b`, b));
  const root = writer.unary(`${path}/Sqrt`, "Sqrt", sum);
  const both = writer.binary(`${path}/add_1`, "AddV2", x, root);
  return writer.binary(`${path}/truediv`, "RealDiv", both, writer.float(`${path}/two`, 2));
}

export function tanhShrink(writer: NodeWriter, path: string, x: Symbolic): Symbolic {
  return writer.binary(`${path}/sub`, "Sub", x, writer.unary(`${path}/Tanh`, "Tanh", x));
}

/** x brought nearer to 0 by `bound`, and no further. */
export function softShrink(writer: NodeWriter, path: string, x: Symbolic, bound: number): Symbolic {
  return writer.binary(`${path}/sub`, "Sub", x, clip(writer, path, x, [-bound, bound]));
}

/** x where |x| > bound, else 0. */
export function hardShrink(writer: NodeWriter, path: string, x: Symbolic, bound: number): Symbolic {
  const size = writer.unary(`${path}/Abs`, "Abs", x);
  return where(writer, path, "Greater", size, writer.float(`${path}/bound`, bound), x, 0);
}

/** x where x > bound, else `otherwise`. */
export function threshold(
  writer: NodeWriter,
  path: string,
  x: Symbolic,
  bound: number,
  otherwise: number,
): Symbolic {
  return where(writer, path, "Greater", x, writer.float(`${path}/bound`, bound), x, otherwise);
}

/** clip((x + 1) / 2, 0, 1). */
export function sparseSigmoid(writer: NodeWriter, path: string, x: Symbolic): Symbolic {
  const shifted = writer.binary(`${path}/add`, "AddV2", x, writer.float(`${path}/one`, 1));
  const half = writer.binary(`${path}/mul`, "Mul", shifted, writer.float(`${path}/half`, 0.5));
  return clip(writer, path, half, [0, 1]);
}

/** 0 up to -1, x from 1 on, and (x + 1)² / 4 between. */
export function sparsePlus(writer: NodeWriter, path: string, x: Symbolic): Symbolic {
  const one = writer.float(`${path}/one`, 1);
  const raised = writer.unary(
    `${path}/Relu`,
    "Relu",
    writer.binary(`${path}/add`, "AddV2", x, one),
  );
  const square = writer.unary(`${path}/Square`, "Square", raised);
  const curve = writer.binary(`${path}/mul`, "Mul", square, writer.float(`${path}/quarter`, 0.25));
  return where(writer, path, "Less", x, one, curve, x);
}
