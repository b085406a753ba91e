/** Keras' activation functions, by name, and the layers that stand for one. */
import { Config, describe, isObject, type Json, type JsonObject } from "./config.ts";
import {
  celu,
  clip,
  elu,
  gelu,
  glu,
  hardShrink,
  hardSigmoid,
  hardSwish,
  leakyRelu,
  logSigmoid,
  mish,
  relu,
  softmax,
  softShrink,
  sparsemax,
  sparsePlus,
  sparseSigmoid,
  squareplus,
  swish,
  tanhShrink,
  threshold,
} from "./formulas.ts";
import { unsupported } from "./layer.ts";
import type { NodeWriter, Symbolic } from "./node-writer.ts";

/** What a function is applied to, and its options: those of a layer or an operation, or none. */
export interface ActivationCall {
  readonly writer: NodeWriter;
  readonly path: string;
  readonly x: Symbolic;
  readonly options: Config;
  readonly kerasVersion: number;
}

type Activation = (call: ActivationCall) => Symbolic;

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
  const value = config.get(key) ?? fallback;
  if (value === undefined) return x;
  const { activation, options } = activationOf(value, config);
  return activation({ writer, path, x, options, kerasVersion });
}

/**
 * Applies a function by its name.
 *
 * @throws {UnsupportedError} for names that Keras does not have.
 */
export function activate(name: string, call: ActivationCall): Symbolic {
  return functionCalled(name, call.options)(call);
}

function functionCalled(name: string, config: Config): Activation {
  const activation = ACTIVATIONS.get(name);
  if (activation === undefined) throw unsupported(config, `activation ${name}`);
  return activation;
}

/** What a name, a serialized function or a serialized layer stands for, and the layer's options. */
function activationOf(
  value: Json,
  config: Config,
): { readonly activation: Activation; readonly options: Config } {
  const { class_name: className, config: inner }: JsonObject = isObject(value) ? value : {};
  const name = className === "function" ? inner : value;
  if (typeof name === "string") {
    const options = new Config({}, config.where);
    return { activation: functionCalled(name, config), options };
  }
  const activation = typeof className === "string" ? LAYERS.get(className) : undefined;
  if (activation === undefined) throw unsupported(config, `activation ${describe(value)}`);
  const options = new Config(inner ?? {}, `${config.where}, activation ${className}`);
  return { activation, options };
}

const single =
  (op: string): Activation =>
  ({ writer, path, x }) =>
    writer.unary(`${path}/${op}`, op, x);

/** A formula without options. */
const plain =
  (formula: (writer: NodeWriter, path: string, x: Symbolic) => Symbolic): Activation =>
  ({ writer, path, x }) =>
    formula(writer, path, x);

/** A formula with one number, and what that is where it is not given. */
const numbered =
  (
    formula: (writer: NodeWriter, path: string, x: Symbolic, option: number) => Symbolic,
    key: string,
    usual: number,
  ): Activation =>
  ({ writer, path, x, options }) =>
    formula(writer, path, x, options.number(key, usual));

const ACTIVATIONS: ReadonlyMap<string, Activation> = new Map(
  Object.entries<Activation>({
    celu: numbered(celu, "alpha", 1),
    elu: numbered(elu, "alpha", 1),
    exponential: single("Exp"),
    gelu: ({ writer, path, x, options }) =>
      gelu(writer, path, x, options.flag("approximate", false)),
    // TF.js' name for the approximation.
    gelu_new: ({ writer, path, x }) => gelu(writer, path, x, true),
    glu: halved,
    hard_shrink: numbered(hardShrink, "threshold", 0.5),
    hard_sigmoid: ({ writer, path, x, kerasVersion }) => hardSigmoid(writer, path, x, kerasVersion),
    hard_silu: plain(hardSwish),
    hard_swish: plain(hardSwish),
    hard_tanh: ({ writer, path, x }) => clip(writer, path, x, [-1, 1]),
    leaky_relu: numbered(leakyRelu, "negative_slope", 0.2),
    linear: ({ x }) => x,
    log_sigmoid: plain(logSigmoid),
    log_softmax: ({ options, ...call }) => {
      const axis = options.number("axis", -1);
      if (axis === -1 || axis === call.x.shape.length - 1)
        return single("LogSoftmax")({ ...call, options });
      throw unsupported(options, `log_softmax over axis ${axis}`);
    },
    mish: plain(mish),
    relu: ({ writer, path, x, options }) => relu(writer, path, x, rectifierOf(options)),
    relu6: single("Relu6"),
    selu: single("Selu"),
    sigmoid: single("Sigmoid"),
    silu: plain(swish),
    soft_shrink: numbered(softShrink, "threshold", 0.5),
    softmax: ({ writer, path, x, options }) => {
      const y = softmax(writer, path, x, softmaxAxes(options, x));
      if (y !== undefined) return y;
      const feature = "Softmax over several axes of an open shape";
      throw unsupported(options, feature, "Give the input's shape");
    },
    softplus: single("Softplus"),
    softsign: single("Softsign"),
    sparse_plus: plain(sparsePlus),
    sparse_sigmoid: plain(sparseSigmoid),
    sparsemax: ({ writer, path, x, options }) => {
      const axis = options.number("axis", -1);
      if ((axis === -1 || axis === x.shape.length - 1) && x.shape.at(-1)! >= 0)
        return sparsemax(writer, path, x);
      throw unsupported(options, `sparsemax over axis ${axis} of [${x.shape.join(", ")}]`);
    },
    squareplus: numbered(squareplus, "b", 4),
    swish: plain(swish),
    tanh: single("Tanh"),
    tanh_shrink: plain(tanhShrink),
    threshold: ({ writer, path, x, options }) =>
      threshold(writer, path, x, options.number("threshold"), options.number("default_value")),
  }),
);

function halved({ writer, path, x, options }: ActivationCall): Symbolic {
  const axis = options.number("axis", -1);
  const size = x.shape.at(axis);
  if (size === undefined || size < 0 || size % 2 !== 0) {
    throw options.wrong(`glu over axis ${axis} of [${x.shape.join(", ")}]`, "an even size");
  }
  return glu(writer, path, x, axis);
}

function rectifierOf(options: Config) {
  return {
    maxValue: options.has("max_value") ? options.number("max_value") : undefined,
    negativeSlope: options.number("negative_slope", 0),
    threshold: options.number("threshold", 0),
  };
}

/** Of the layer, which Keras 2 and 3 give another slope than the function; Keras 2 calls it alpha. */
export const leakyLayer: Activation = ({ writer, path, x, options }) =>
  leakyRelu(writer, path, x, options.number("negative_slope", options.number("alpha", 0.3)));

/** By class, what a layer without weights applies. */
const LAYERS: ReadonlyMap<string, Activation> = new Map(
  Object.entries<Activation>({
    Activation: ({ writer, path, x, options, kerasVersion }) =>
      applyActivation(writer, path, x, options, "activation", kerasVersion),
    ELU: (call) => activate("elu", call),
    LeakyReLU: leakyLayer,
    ReLU: (call) => activate("relu", call),
    Softmax: (call) => activate("softmax", call),
  }),
);

/** One axis, or a list of different ones. */
function softmaxAxes(options: Config, { shape }: Symbolic): readonly number[] {
  const axis = options.get("axis") ?? -1;
  const list = (Array.isArray(axis) ? axis : [axis]) as readonly number[];
  const places = list.map((each) => [...shape.keys()].at(each));
  const isValid = list.every((each, i) => Number.isInteger(each) && places[i] !== undefined);
  if (list.length > 0 && isValid && new Set(places).size === places.length) return list;
  throw options.wrong(`axis ${describe(axis)}`, `axes of [${shape.join(", ")}]`);
}
