/** Dense, Embedding, activations and layers that leave their input as it is. */
import { activate, applyActivation, leakyLayer } from "../activations.ts";
import {
  inputOf,
  type LayerCall,
  type Translate,
  tensorArgument,
  tensorsOf,
  unsupported,
  weightOf,
} from "../layer.ts";
import { flag, type NodeWriter, type Symbolic, type } from "../node-writer.ts";
import { LARGE_NEGATIVE, zeroWhereMasked } from "./attention-masks.ts";
import { asTensor } from "./operations.ts";

/** Dropout, noise, regularization: nothing happens when a model is used. */
export const identity: Translate = (call) => inputOf(call);

export const dense: Translate = (call) => {
  const { config, writer, path } = call;
  const kernel = weightOf(call, "kernel", 0, 2);
  let y = contractLast(call, inputOf(call), kernel);
  if (config.flag("use_bias", true)) {
    const bias = weightOf(call, "bias", 1, 1);
    y = writer.emit(`${path}/BiasAdd`, "BiasAdd", [y, bias], { shape: y.shape });
  }
  return applyActivation(writer, path, y, config, "activation", call.kerasVersion);
};

/** MatMul over the last axis; more than two dimensions are folded to two and back. */
export function contractLast(
  { config, writer, path }: LayerCall,
  x: Symbolic,
  kernel: Symbolic,
): Symbolic {
  const [depth, units] = kernel.shape as [number, number];
  const matmul = (input: Symbolic, rows: number) =>
    writer.emit(`${path}/MatMul`, "MatMul", [input, kernel], { shape: [rows, units] });
  if (x.shape.length === 2) return matmul(x, x.shape[0]!);
  const outer = x.shape.slice(0, -1);
  if (outer.filter((size) => size < 0).length > 1) {
    throw unsupported(config, "Dense over several open dimensions", "Give the input's shape");
  }
  const flat = writer.reshape(`${path}/Tensordot/Reshape`, x, [-1, depth]);
  return writer.reshape(`${path}/Tensordot`, matmul(flat, flat.shape[0]!), [...outer, units]);
}

export const embedding: Translate = (call) => {
  const { config, writer, path } = call;
  const table = weightOf(call, "embeddings", 0, 2);
  const x = inputOf(call);
  const indices =
    x.dtype === "int32" || x.dtype === "int64"
      ? x
      : writer.emit(
          `${path}/Cast`,
          "Cast",
          [x],
          { shape: x.shape, dtype: "int32" },
          { DstT: type("int32") },
        );
  const axis = writer.ints(`${path}/axis`, 0);
  const shape = [...x.shape, table.shape[1]!];
  const result = { shape, dtype: table.dtype };
  const y = writer.emit(`${path}/GatherV2`, "GatherV2", [table, indices, axis], result);
  if (!config.flag("mask_zero", false)) return y;
  const zero = writer.ints(`${path}/NotEqual/y`, 0);
  return { ...y, mask: writer.binary(`${path}/NotEqual`, "NotEqual", indices, zero, "bool") };
};

export const activation: Translate = (call) => {
  const x = inputOf(call);
  const y = applyActivation(
    call.writer,
    call.path,
    x,
    call.config,
    "activation",
    call.kerasVersion,
  );
  return x.mask === undefined ? y : { ...y, mask: x.mask };
};

/** A layer that applies a function, with the function's options as its own. */
export const activationLayer =
  (name: string): Translate =>
  (call) =>
    activate(name, { ...call, x: inputOf(call), options: call.config });

export const leakyReluLayer: Translate = (call) =>
  leakyLayer({ ...call, x: inputOf(call), options: call.config });

/** max(x, 0) + alpha · min(x, 0), as Keras writes it: relu(x) - alpha · relu(-x). */
export const prelu: Translate = (call) => {
  const { writer, path } = call;
  const x = inputOf(call);
  const alpha = weightOf(call, "alpha", 0);
  const positive = writer.unary(`${path}/Relu`, "Relu", x);
  const negated = writer.unary(`${path}/Neg`, "Neg", x);
  const negative = writer.unary(`${path}/Relu_1`, "Relu", negated);
  const minus = writer.unary(`${path}/Neg_1`, "Neg", alpha);
  const scaled = writer.binary(`${path}/mul`, "Mul", minus, negative);
  return writer.binary(`${path}/add`, "AddV2", positive, scaled);
};

/** x where x > theta, else 0. */
export const thresholdedRelu: Translate = (call) => {
  const { config, writer, path } = call;
  const x = inputOf(call);
  const theta = writer.float(`${path}/theta`, config.number("theta", 1));
  const above = writer.binary(`${path}/Greater`, "Greater", x, theta, "bool");
  const result = { shape: x.shape, dtype: x.dtype };
  const counts = writer.emit(`${path}/Cast`, "Cast", [above], result, { DstT: type(x.dtype) });
  return writer.binary(`${path}/mul`, "Mul", x, counts);
};

/** Of ConvNeXt: a factor for each channel. */
export const layerScale: Translate = (call) =>
  call.writer.binary(`${call.path}/mul`, "Mul", inputOf(call), weightOf(call, "gamma", 0, 1));

/** Softmax, of what a mask (bool, or a number above 0.5) lets count; the rest comes out as 0 from Keras 3.10 on. */
export const softmaxLayer: Translate = (call) => {
  const { config, writer, path } = call;
  const [x, ...others] = call.args.flatMap(tensorsOf);
  if (x === undefined) throw config.wrong("no input", "one");
  const mask = tensorArgument(call, "mask") ?? others[0];
  if (mask === undefined) return activate("softmax", { ...call, x, options: config });
  const counts = asCondition(call, mask);
  const low = writer.float(`${path}/masked`, LARGE_NEGATIVE);
  const scores = writer.select(`${path}/SelectV2`, counts, x, low);
  const y = activate("softmax", { ...call, x: scores, options: config });
  return zeroWhereMasked(call, `${path}/SelectV2_1`, y, counts);
};

function asCondition({ writer, path }: LayerCall, mask: Symbolic): Symbolic {
  if (mask.dtype === "bool") return mask;
  const half = writer.float(`${path}/half`, 0.5);
  return writer.binary(`${path}/Greater`, "Greater", mask, half, "bool");
}

/** Steps whose features are all `mask_value` do not count, and become zero. */
export const masking: Translate = (call) => {
  const { config, writer, path } = call;
  const x = inputOf(call);
  const value = writer.float(`${path}/mask_value`, config.number("mask_value", 0));
  const differs = writer.binary(`${path}/NotEqual`, "NotEqual", x, value, "bool");
  const kept = any(writer, `${path}/Any`, differs, true);
  const as = { DstT: type(x.dtype) };
  const numeric = writer.emit(
    `${path}/Cast`,
    "Cast",
    [kept],
    { shape: kept.shape, dtype: x.dtype },
    as,
  );
  const y = writer.binary(`${path}/mul`, "Mul", x, numeric);
  return { ...y, mask: any(writer, `${path}/Any_1`, differs, false) };
};

function any(writer: NodeWriter, name: string, x: Symbolic, keepDims: boolean): Symbolic {
  const axis = writer.ints(`${name}/axis`, [-1]);
  const outer = x.shape.slice(0, -1);
  const shape = keepDims ? [...outer, 1] : outer;
  return writer.emit(name, "Any", [x, axis], { shape }, { keep_dims: flag(keepDims) });
}

/** x · scale + offset, each a number or one for each element of the last axes. */
export const rescaling: Translate = (call) => {
  const { writer, path } = call;
  const x = inputOf(call);
  const scaled = writer.binary(`${path}/mul`, "Mul", toFloat(call, x), numbersOf(call, "scale"));
  const offset = numbersOf(call, "offset", 0);
  return writer.binary(`${path}/add`, "AddV2", scaled, offset);
};

/** A constant of the numbers that the configuration gives under `name`: one, or a list. */
function numbersOf(call: LayerCall, name: string, fallback?: number): Symbolic {
  const { config, writer, path } = call;
  const value = config.get(name) ?? fallback;
  if (!Array.isArray(value)) return writer.float(`${path}/${name}`, config.number(name, fallback));
  return asTensor(call, { kind: "value", value }, undefined);
}

function toFloat({ writer, path }: LayerCall, x: Symbolic): Symbolic {
  if (x.dtype === "float32") return x;
  const result = { shape: x.shape, dtype: "float32" } as const;
  return writer.emit(`${path}/Cast`, "Cast", [x], result, { DstT: type("float32") });
}
