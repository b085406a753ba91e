/** Operations of `keras.ops` and of Python's operators, which Keras 3 saves beside the layers. */
import { activate } from "../activations.ts";
import type { Json, JsonObject } from "../config.ts";
import {
  type CallArgument,
  type LayerCall,
  type Translate,
  tensorsOf,
  unsupported,
} from "../layer.ts";
import { type Symbolic, type } from "../node-writer.ts";
import { sizesOf, sizeVector, wholeNumbers } from "./sizes.ts";

/** An operand: a tensor, or a number that becomes a constant of the other's type. */
export function operand(
  call: LayerCall,
  index: number,
  names: readonly string[],
): CallArgument | undefined {
  const named = names
    .map((name) => call.kwargs.get(name))
    .find((argument) => argument !== undefined);
  return call.args[index] ?? named;
}

export function asTensor(
  call: LayerCall,
  argument: CallArgument | undefined,
  like: Symbolic | undefined,
): Symbolic {
  if (argument?.kind === "tensor") return argument.tensor;
  const value = plainValue(argument);
  const shape = value === undefined ? undefined : shapeOfNumbers(value);
  if (value === undefined || shape === undefined)
    throw call.config.wrong("an operand that is no tensor", "a tensor or numbers");
  const dtype = like?.dtype ?? "float32";
  if (dtype !== "float32" && dtype !== "int32") {
    throw unsupported(call.config, `a constant of type ${dtype}`);
  }
  const numbers = numbersIn(value);
  const data = dtype === "float32" ? Float32Array.from(numbers) : Int32Array.from(numbers);
  const constant = call.writer.constant(`${call.path}/Const`, { dtype, shape, data });
  // Only numbers and vectors can be sizes: an index takes elements of a vector, but rows of a matrix.
  return dtype === "int32" && shape.length <= 1 ? { ...constant, elements: numbers } : constant;
}

const numbersIn = (value: Json): number[] =>
  typeof value === "number" ? [value] : Array.isArray(value) ? value.flatMap(numbersIn) : [];

/** The shape of a number, or of lists of numbers that have one. */
function shapeOfNumbers(value: Json): number[] | undefined {
  if (typeof value === "number") return [];
  if (!Array.isArray(value)) return undefined;
  const [first, ...rest] = value.map((item) => shapeOfNumbers(item));
  if (value.length === 0) return [0];
  const isEven = first !== undefined && rest.every((shape) => `${shape}` === `${first}`);
  return isEven ? [value.length, ...first] : undefined;
}

export const binaryOperation =
  (op: string, isComparison = false): Translate =>
  (call) => {
    const first = operand(call, 0, ["x1"]);
    const second = operand(call, 1, ["x2"]);
    const known = [first, second].flatMap(tensorsOf)[0];
    const a = asTensor(call, first, known);
    const b = asTensor(call, second, known);
    const sizes = sizesOf(op, a, b);
    if (sizes !== undefined) {
      const isNumber = a.shape.length + b.shape.length === 0;
      const constant = call.writer.ints(`${call.path}/size`, isNumber ? sizes[0]! : sizes);
      return { ...constant, elements: sizes };
    }
    return call.writer.binary(`${call.path}/${op}`, op, a, b, isComparison ? "bool" : undefined);
  };

export const unaryOperation =
  (op: string): Translate =>
  (call) =>
    call.writer.unary(`${call.path}/${op}`, op, asTensor(call, operand(call, 0, ["x"]), undefined));

export const reduceOperation =
  (op: string): Translate =>
  (call) => {
    const { config, writer, path } = call;
    const x = asTensor(call, operand(call, 0, ["x"]), undefined);
    const axis = option(call, "axis");
    const axes = axis === undefined ? x.shape.map((_, i) => i) : ([axis].flat() as number[]);
    const keep = option(call, "keepdims") ?? config.flag("keepdims", false);
    return writer.reduce(`${path}/${op}`, op, x, axes, keep === true);
  };

/** To whole numbers. */
export const roundOperation: Translate = (call) => {
  const decimals = option(call, "decimals") ?? 0;
  if (decimals === 0) return unaryOperation("Round")(call);
  throw unsupported(call.config, `round to ${String(decimals)} decimals`);
};

/** An activation function that is an operation; `usual` are options that have other defaults here than in the function. */
export const activationOperation =
  (name: string, usual: JsonObject = {}): Translate =>
  (call) => {
    const x = asTensor(call, operand(call, 0, ["x"]), undefined);
    const given = [...call.kwargs].flatMap(([key, argument]) =>
      argument.kind === "value" ? [[key, argument.value] as const] : [],
    );
    const defaults = Object.entries(usual).filter(([key]) => !call.config.has(key));
    const options = call.config.with(Object.fromEntries([...defaults, ...given]));
    return activate(name, { ...call, x, options });
  };

/**
 * An option: among the arguments, or in the configuration.
 *
 * @throws {UnsupportedError} when the model computes it.
 */
export function option(call: LayerCall, name: string): Json | undefined {
  const argument = call.kwargs.get(name);
  const value = plainValue(argument);
  if (argument !== undefined && value === undefined)
    throw unsupported(call.config, `${name} that is computed`);
  return value ?? call.config.get(name);
}

/** An argument by its name, or its place among the arguments, or an option of the configuration. */
export function argumentOf(call: LayerCall, name: string, index: number): CallArgument | undefined {
  const value = call.config.get(name);
  const configured = value === undefined ? undefined : ({ kind: "value", value } as const);
  return call.kwargs.get(name) ?? configured ?? call.args[index];
}

export const reshapeOperation: Translate = (call) => {
  const x = asTensor(call, operand(call, 0, ["x"]), undefined);
  const target = argumentOf(call, "newshape", 1);
  if (target === undefined) throw call.config.wrong("no new shape", "a list of sizes");
  const list = wholeNumbers(withOpenSizes(target));
  if (list?.some((size) => size < -1)) throw call.config.wrong(`the shape [${list}]`, "sizes");
  if (list !== undefined && list.filter((size) => size < 0).length <= 1)
    return call.writer.reshape(`${call.path}/Reshape`, x, list);
  const shape = sizeVector(call, target, "shape");
  const rank = list?.length ?? shape.shape[0]!;
  if (rank < 0 || rank > MAX_RANK)
    throw unsupported(
      call.config,
      `a reshape to ${rank < 0 ? "a computed number of" : rank} dimensions`,
    );
  const result = { shape: list ?? new Array<number>(rank).fill(-1) };
  return call.writer.emit(`${call.path}/Reshape`, "Reshape", [x, shape], result);
};

/** TensorFlow's tensors have at most so many dimensions. */
const MAX_RANK = 254;

/** Keras 3 writes the size of an open dimension as null. */
function withOpenSizes(target: CallArgument): CallArgument {
  if (target.kind !== "value" || !Array.isArray(target.value)) return target;
  return { kind: "value", value: target.value.map((size: Json) => size ?? -1) };
}

export const transposeOperation: Translate = (call) => {
  const x = asTensor(call, operand(call, 0, ["x"]), undefined);
  const axes = option(call, "axes") ?? plainValue(call.args[1]);
  const perm = Array.isArray(axes)
    ? (axes as number[])
    : x.shape.map((_, i) => x.shape.length - 1 - i);
  return call.writer.transpose(`${call.path}/transpose`, x, perm);
};

export const castOperation: Translate = (call) => {
  const x = asTensor(call, operand(call, 0, ["x"]), undefined);
  const dtype = option(call, "dtype") ?? plainValue(call.args[1]);
  if (dtype !== "float32" && dtype !== "int32" && dtype !== "bool") {
    throw unsupported(call.config, `cast to ${String(dtype)}`);
  }
  const result = { shape: x.shape, dtype } as const;
  return call.writer.emit(`${call.path}/Cast`, "Cast", [x], result, { DstT: type(dtype) });
};

/** The value of an argument that has no tensors in it. */
export function plainValue(argument: CallArgument | undefined): Json | undefined {
  if (argument?.kind === "value") return argument.value;
  if (argument?.kind !== "list") return undefined;
  const items = argument.items.map(plainValue);
  return items.every((item) => item !== undefined) ? items : undefined;
}
