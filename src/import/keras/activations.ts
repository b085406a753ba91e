/** Keras' activation functions, by name. hard_sigmoid changed its formula in Keras 3. */
import { type Config, describe, isObject, type Json } from "./config.ts";
import { unsupported } from "./layer.ts";
import { float, type NodeWriter, type Symbolic } from "./node-writer.ts";

type Activation = (writer: NodeWriter, path: string, x: Symbolic, kerasVersion: number) => Symbolic;

/** Applies the activation that a configuration names; none, or "linear", leaves `x` as it is. */
export function applyActivation(
  writer: NodeWriter,
  path: string,
  x: Symbolic,
  config: Config,
  key: string,
  kerasVersion: number,
  fallback?: string,
): Symbolic {
  const name = activationName(config.get(key) ?? fallback, config);
  if (name === undefined || name === "linear") return x;
  const activation = ACTIVATIONS.get(name);
  if (activation === undefined) throw unsupported(config, `activation ${name}`);
  return activation(writer, path, x, kerasVersion);
}

/** A name, a serialized function, or a serialized layer whose options say nothing. */
function activationName(value: Json | undefined, config: Config): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "string") return value;
  if (
    isObject(value) &&
    value["class_name"] === "function" &&
    typeof value["config"] === "string"
  ) {
    return value["config"];
  }
  const className = isObject(value) ? value["class_name"] : undefined;
  const layer = typeof className === "string" ? LAYERS.get(className) : undefined;
  if (layer === undefined) throw unsupported(config, `activation ${describe(value)}`);
  const options = isObject(value) && isObject(value["config"]) ? value["config"] : {};
  for (const [key, usual] of Object.entries(layer.options)) {
    const option = options[key] ?? usual;
    if (option === usual) continue;
    throw unsupported(config, `activation ${className} with ${key} ${describe(option)}`);
  }
  return layer.name;
}

/** By class, the function, and the options with which the layer is that function. */
const LAYERS: ReadonlyMap<string, { readonly name: string; readonly options: Options }> = new Map([
  ["ReLU", { name: "relu", options: { max_value: null, negative_slope: 0, threshold: 0 } }],
  ["Softmax", { name: "softmax", options: { axis: -1 } }],
  ["ELU", { name: "elu", options: { alpha: 1 } }],
]);

type Options = Readonly<Record<string, Json>>;

const single =
  (op: string): Activation =>
  (writer, path, x) =>
    writer.unary(`${path}/${op}`, op, x);

const ACTIVATIONS: ReadonlyMap<string, Activation> = new Map(
  Object.entries<Activation>({
    relu: single("Relu"),
    relu6: single("Relu6"),
    sigmoid: single("Sigmoid"),
    tanh: single("Tanh"),
    elu: single("Elu"),
    selu: single("Selu"),
    softplus: single("Softplus"),
    softsign: single("Softsign"),
    exponential: single("Exp"),
    softmax: (writer, path, x) => softmax(writer, path, x, -1),
    log_softmax: single("LogSoftmax"),
    leaky_relu: (writer, path, x) => leakyRelu(writer, path, x, 0.2),
    swish,
    silu: swish,
    hard_sigmoid: hardSigmoid,
    hard_swish: hardSwish,
    hard_silu: hardSwish,
    mish: (writer, path, x) => {
      const softplus = writer.unary(`${path}/Softplus`, "Softplus", x);
      const tanh = writer.unary(`${path}/Tanh`, "Tanh", softplus);
      return writer.binary(`${path}/mul`, "Mul", x, tanh);
    },
    gelu: (writer, path, x) => gelu(writer, path, x, false),
    celu: (writer, path, x) => {
      // max(x, 0) + min(exp(x) - 1, 0): with alpha 1 this is ELU.
      return writer.unary(`${path}/Elu`, "Elu", x);
    },
    hard_tanh: (writer, path, x) => {
      const low = writer.binary(`${path}/Maximum`, "Maximum", x, writer.float(`${path}/low`, -1));
      return writer.binary(`${path}/Minimum`, "Minimum", low, writer.float(`${path}/high`, 1));
    },
  }),
);

/** Softmax over any axis: TensorFlow's own is over the last. */
export function softmax(writer: NodeWriter, path: string, x: Symbolic, axis: number): Symbolic {
  const last = x.shape.length - 1;
  const own = axis < 0 ? axis + x.shape.length : axis;
  if (own === last) return writer.unary(`${path}/Softmax`, "Softmax", x);
  const perm = x.shape.map((_, i) => (i === own ? last : i === last ? own : i));
  const moved = writer.transpose(`${path}/transpose`, x, perm);
  return writer.transpose(
    `${path}/transpose_1`,
    writer.unary(`${path}/Softmax`, "Softmax", moved),
    perm,
  );
}

export function leakyRelu(writer: NodeWriter, path: string, x: Symbolic, slope: number): Symbolic {
  return writer.unary(`${path}/LeakyRelu`, "LeakyRelu", x, { alpha: float(slope) });
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

function swish(writer: NodeWriter, path: string, x: Symbolic): Symbolic {
  const sigmoid = writer.unary(`${path}/Sigmoid`, "Sigmoid", x);
  return writer.binary(`${path}/mul`, "Mul", x, sigmoid);
}

/** Keras 2: clip(0.2 x + 0.5, 0, 1). Keras 3: relu6(x + 3) / 6. */
function hardSigmoid(
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
  const shifted = writer.binary(`${path}/add`, "AddV2", scaled, constant("half", 0.5));
  const low = writer.binary(`${path}/Minimum`, "Minimum", shifted, constant("one", 1));
  return writer.binary(`${path}/Maximum`, "Maximum", low, constant("zero", 0));
}

/** x · relu6(x + 3) / 6. */
function hardSwish(writer: NodeWriter, path: string, x: Symbolic): Symbolic {
  return writer.binary(`${path}/mul_1`, "Mul", x, hardSigmoid(writer, path, x, 3));
}
