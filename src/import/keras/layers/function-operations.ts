/**
 * Functions of TensorFlow that stand as layers in models of Keras 2: `TFOpLambda` with the function's name ("math.add"),
 * and `SlicingOpLambda` for indexing. Most do what an operation of Keras 3 does, under other names of arguments.
 */
import type { Json } from "../config.ts";
import { isObject } from "../config.ts";
import { type CallArgument, type LayerCall, type Translate, unsupported } from "../layer.ts";

/** The operation of Keras 3, and what its arguments are called there, by their names here. */
interface Equivalent {
  readonly operation: string;
  readonly names?: Readonly<Record<string, string>>;
}

const BINARY = { x: "x1", y: "x2" };
const binary = (operation: string): Equivalent => ({ operation, names: BINARY });
const unary = (operation: string): Equivalent => ({
  operation,
  names: { features: "x", input: "x", logits: "x" },
});
const reduce = (operation: string): Equivalent => ({
  operation,
  names: { input_tensor: "x", input: "x" },
});

const FUNCTIONS: ReadonlyMap<string, Equivalent> = new Map(
  Object.entries<Equivalent>({
    "__operators__.add": binary("Add"),
    cast: { operation: "Cast" },
    clip_by_value: {
      operation: "Clip",
      names: { t: "x", clip_value_min: "x_min", clip_value_max: "x_max" },
    },
    concat: { operation: "Concatenate" },
    expand_dims: reduce("ExpandDims"),
    "math.abs": unary("Abs"),
    "math.add": binary("Add"),
    "math.ceil": unary("Ceil"),
    "math.cos": unary("Cos"),
    "math.divide": binary("Divide"),
    "math.exp": unary("Exp"),
    "math.floor": unary("Floor"),
    "math.log": unary("Log"),
    "math.maximum": binary("Maximum"),
    "math.minimum": binary("Minimum"),
    "math.multiply": binary("Multiply"),
    "math.negative": unary("Negative"),
    "math.pow": binary("Power"),
    "math.reduce_max": reduce("Max"),
    "math.reduce_mean": reduce("Mean"),
    "math.reduce_min": reduce("Min"),
    "math.reduce_prod": reduce("Prod"),
    "math.reduce_sum": reduce("Sum"),
    "math.rsqrt": unary("Rsqrt"),
    "math.sigmoid": unary("Sigmoid"),
    "math.sin": unary("Sin"),
    "math.softplus": unary("Softplus"),
    "math.sqrt": unary("Sqrt"),
    "math.square": unary("Square"),
    "math.subtract": binary("Subtract"),
    "math.tanh": unary("Tanh"),
    "math.truediv": binary("TrueDivide"),
    "nn.elu": unary("Elu"),
    "nn.leaky_relu": { operation: "LeakyRelu", names: { features: "x", alpha: "negative_slope" } },
    "nn.log_softmax": unary("LogSoftmax"),
    "nn.relu": unary("Relu"),
    "nn.relu6": unary("Relu6"),
    "nn.selu": unary("Selu"),
    "nn.sigmoid": unary("Sigmoid"),
    "nn.silu": unary("Silu"),
    "nn.softmax": unary("Softmax"),
    "nn.softplus": unary("Softplus"),
    "nn.swish": unary("Silu"),
    "nn.tanh": unary("Tanh"),
    reshape: { operation: "Reshape", names: { tensor: "x", shape: "newshape" } },
    squeeze: reduce("Squeeze"),
    stack: { operation: "Stack", names: { values: "x" } },
    transpose: { operation: "Transpose", names: { a: "x", perm: "axes" } },
  }),
);

/** The name of the function, without the modules that hold the same under other names. */
export function functionName(name: string): string {
  return name.replace(/^(?:compat\.v1|keras\.backend|raw_ops)\./, "");
}

/** Whether there is a translation for a function of this name. */
export function isKnownFunction(name: string): boolean {
  return FUNCTIONS.has(functionName(name));
}

/** A call of a TensorFlow function, translated as the operation that it is. */
export const functionOperation =
  (operations: ReadonlyMap<string, Translate>): Translate =>
  (call) => {
    const name = functionName(call.config.text("function"));
    const equivalent = FUNCTIONS.get(name);
    const translate = equivalent && operations.get(equivalent.operation);
    if (translate === undefined) throw unsupported(call.config, `the function tf.${name}`);
    const { names = {} } = equivalent!;
    const kwargs = new Map(
      [...call.kwargs].map(([key, value]) => [names[key] ?? key, value] as const),
    );
    return translate({ ...call, kwargs });
  };

/** x[…]: the index is a list of numbers and of ranges with start, stop and step. */
export const slicing =
  (getItem: Translate): Translate =>
  (call: LayerCall) => {
    const spec = call.kwargs.get("slice_spec");
    if (spec?.kind !== "value") throw unsupported(call.config, "an index that is computed");
    const key: CallArgument = { kind: "value", value: keyOf(spec.value) };
    return getItem({ ...call, kwargs: new Map([["key", key]]) });
  };

/** The index as Keras 3 writes it. */
function keyOf(spec: Json): Json {
  if (Array.isArray(spec)) return spec.map(keyOf);
  if (!isObject(spec)) return spec;
  if ("start" in spec) return { class_name: "__slice__", config: spec };
  const value = spec["value"];
  const isEllipsis = spec["class_name"] === "__ellipsis__" || value === "Ellipsis";
  return isEllipsis ? { class_name: "__ellipsis__", config: {} } : spec;
}
