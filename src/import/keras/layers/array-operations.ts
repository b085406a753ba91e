/** Operations of `keras.ops` that cut, join and choose. */
import { type Config, describe, isObject, type Json } from "../config.ts";
import { type LayerCall, type Translate, tensorsOf, unsupported } from "../layer.ts";
import { broadcast, flag, int, ints, type Symbolic, type } from "../node-writer.ts";
import { concat } from "./merge.ts";
import { argumentOf, asTensor, operand, option, plainValue } from "./operations.ts";
import { takenSizes } from "./sizes.ts";

export const onlyOperand = (call: LayerCall): Symbolic =>
  asTensor(call, operand(call, 0, ["x"]), undefined);

/** An axis counted from the front. */
export function axisOf(call: LayerCall, rank: number, fallback: number): number {
  return wholeAxis(call, option(call, "axis") ?? fallback, rank);
}

/** @throws {FormatError} for what is no axis of `rank` dimensions, or no place among `rank`. */
export function wholeAxis({ config }: LayerCall, axis: Json, rank: number): number {
  if (typeof axis !== "number" || !Number.isInteger(axis) || axis < -rank || axis >= rank) {
    throw config.wrong(`axis ${describe(axis)}`, `an axis of ${rank} dimensions`);
  }
  return axis < 0 ? axis + rank : axis;
}

export const expandDimsOperation: Translate = (call) => {
  const x = onlyOperand(call);
  const axis = axisOf(call, x.shape.length + 1, 0);
  const dim = call.writer.ints(`${call.path}/ExpandDims/dim`, axis);
  const shape = x.shape.toSpliced(axis, 0, 1);
  return call.writer.emit(`${call.path}/ExpandDims`, "ExpandDims", [x, dim], { shape });
};

export const squeezeOperation: Translate = (call) => {
  const x = onlyOperand(call);
  const rank = x.shape.length;
  // A node writes an empty list where the axes are left open.
  const listed = [option(call, "axis") ?? []].flat().map((axis) => wholeAxis(call, axis, rank));
  const gone = (i: number) => (listed.length === 0 ? x.shape[i] === 1 : listed.includes(i));
  const axes = x.shape.flatMap((_, i) => (gone(i) ? [i] : []));
  const shape = x.shape.filter((_, i) => !gone(i));
  const attrs = { squeeze_dims: ints(axes) };
  return call.writer.emit(`${call.path}/Squeeze`, "Squeeze", [x], { shape }, attrs);
};

/** The tensors of a list, constants among them, that an operation joins. */
export function joined(call: LayerCall): Symbolic[] {
  const list = call.args[0];
  const items = list?.kind === "list" ? list.items : list === undefined ? [] : [list];
  const [known] = call.inputs;
  if (items.length === 0) throw call.config.wrong("nothing to join", "tensors");
  return items.map((item) => asTensor(call, item, known));
}

export const concatenateOperation: Translate = (call) => {
  const inputs = joined(call);
  const axis = axisOf(call, inputs[0]!.shape.length, 0);
  return joinedSizes(call, inputs, false, () => concat(call, inputs, axis));
};

export const stackOperation: Translate = (call) => {
  const { writer, path } = call;
  const inputs = joined(call);
  const axis = axisOf(call, inputs[0]!.shape.length + 1, 0);
  const shape = inputs[0]!.shape.toSpliced(axis, 0, inputs.length);
  return joinedSizes(call, inputs, true, () =>
    writer.emit(`${path}/stack`, "Pack", inputs, { shape }, { axis: int(axis) }),
  );
};

/** Numbers stacked, or vectors in a row: what is known of sizes stays known. */
function joinedSizes(
  call: LayerCall,
  inputs: readonly Symbolic[],
  areNumbers: boolean,
  join: () => Symbolic,
): Symbolic {
  const sizes = inputs.map(({ elements }) => elements);
  const isFlat = inputs.every(({ shape }) => shape.length === (areNumbers ? 0 : 1));
  if (!isFlat || !sizes.every((each) => each !== undefined)) return join();
  return takenSizes(call, sizes.flat(), false, join);
}

export const flipOperation: Translate = (call) => {
  const { writer, path } = call;
  const x = onlyOperand(call);
  const axis = option(call, "axis") ?? x.shape.map((_, i) => i);
  const axes = writer.ints(`${path}/axis`, [axis].flat() as number[]);
  return writer.emit(`${path}/ReverseV2`, "ReverseV2", [x, axes], { shape: x.shape });
};

export const clipOperation: Translate = (call) => {
  const { writer, path } = call;
  const x = onlyOperand(call);
  const limit = (name: string, index: number): Symbolic =>
    asTensor(call, argumentOf(call, name, index), x);
  const low = writer.binary(`${path}/Maximum`, "Maximum", x, limit("x_min", 1));
  return writer.binary(`${path}/Minimum`, "Minimum", low, limit("x_max", 2));
};

/** The place of the largest or smallest value, int32 unless `output_type` says int64. */
export const argOperation =
  (op: "ArgMax" | "ArgMin"): Translate =>
  (call) => {
    const { writer, path } = call;
    let x = onlyOperand(call);
    if (option(call, "axis") === undefined) x = writer.reshape(`${path}/Reshape`, x, [-1]);
    const axis = axisOf(call, x.shape.length, 0);
    const dim = writer.ints(`${path}/dimension`, axis);
    const dtype = option(call, "output_type") === "int64" ? "int64" : "int32";
    const result = { shape: x.shape.toSpliced(axis, 1), dtype } as const;
    const attrs = { output_type: type(dtype) };
    const y = writer.emit(`${path}/${op}`, op, [x, dim], result, attrs);
    if (option(call, "keepdims") !== true) return y;
    return writer.reshape(`${path}/keepdims`, y, x.shape.with(axis, 1));
  };

export const whereOperation: Translate = (call) => {
  const { writer, path } = call;
  const condition = asTensor(call, operand(call, 0, ["condition"]), undefined);
  const [first, second] = [operand(call, 1, ["x1"]), operand(call, 2, ["x2"])];
  const known = [first, second].flatMap(tensorsOf)[0];
  const a = asTensor(call, first, known);
  const b = asTensor(call, second, known);
  const shape = broadcast(condition.shape, broadcast(a.shape, b.shape));
  return writer.emit(`${path}/SelectV2`, "SelectV2", [condition, a, b], { shape, dtype: a.dtype });
};

/** Products of matrices, a batch of them at a time. */
export const matmulOperation: Translate = (call) => {
  const { config, writer, path } = call;
  const a = asTensor(call, operand(call, 0, ["x1"]), undefined);
  const b = asTensor(call, operand(call, 1, ["x2"]), a);
  if (a.shape.length < 2 || b.shape.length < 2) throw unsupported(config, "matmul of vectors");
  const outer = broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const shape = [...outer, a.shape.at(-2)!, b.shape.at(-1)!];
  const attrs = { adj_x: flag(false), adj_y: flag(false) };
  return writer.emit(`${path}/MatMul`, "BatchMatMulV2", [a, b], { shape }, attrs);
};

/** One part of an index: where to begin and end and in which steps, an index, a new axis, or all that is left. */
type Part =
  | {
      readonly kind: "range";
      readonly begin?: number;
      readonly end?: number;
      readonly step: number;
    }
  | { readonly kind: "index"; readonly at: number }
  | { readonly kind: "new" | "rest" };

/** x[key] with a key of numbers, slices, None and an ellipsis, as a StridedSlice. */
export const getItemOperation: Translate = (call) => {
  const { config, writer, path } = call;
  const x = onlyOperand(call);
  const key = option(call, "key") ?? plainValue(operand(call, 1, ["key"])) ?? null;
  const parts = (Array.isArray(key) ? key : [key]).map((part) => partOf(part, config));
  const taken = parts.filter(({ kind }) => kind === "range" || kind === "index").length;
  if (taken > x.shape.length) throw config.wrong("more indices than dimensions", "as many at most");
  const vector = (name: string, of: (part: Part) => number) =>
    writer.ints(`${path}/strided_slice/${name}`, parts.map(of));
  const bits = (is: (part: Part) => boolean) =>
    int(parts.reduce((mask, part, i) => mask | (is(part) ? 1 << i : 0), 0));
  const operands = [
    x,
    vector("stack", (part) => (part.kind === "index" ? part.at : beginOf(part))),
    vector("stack_1", (part) => (part.kind === "index" ? part.at + 1 : endOf(part))),
    vector("stack_2", (part) => (part.kind === "range" ? part.step : 1)),
  ];
  const shape = shapeOf(parts, x.shape, x.shape.length - taken);
  const cut = () =>
    writer.emit(
      `${path}/strided_slice`,
      "StridedSlice",
      operands,
      { shape },
      {
        begin_mask: bits((part) => part.kind === "range" && part.begin === undefined),
        end_mask: bits((part) => part.kind === "range" && part.end === undefined),
        ellipsis_mask: bits(({ kind }) => kind === "rest"),
        new_axis_mask: bits(({ kind }) => kind === "new"),
        shrink_axis_mask: bits(({ kind }) => kind === "index"),
      },
    );
  const sizes = x.elements === undefined ? undefined : elementsAt(parts, x.elements);
  return sizes === undefined ? cut() : takenSizes(call, sizes, shape.length === 0, cut);
};

/** What one index or slice takes of a vector. */
function elementsAt(parts: readonly Part[], elements: readonly number[]): number[] | undefined {
  const [part, ...others] = parts;
  if (part === undefined || others.length > 0) return undefined;
  if (part.kind === "index") {
    const element = elements.at(part.at);
    return element === undefined ? undefined : [element];
  }
  if (part.kind !== "range") return undefined;
  const size = rangeSize(part, elements.length);
  const begin = part.begin ?? (part.step > 0 ? 0 : elements.length - 1);
  const from = begin < 0 ? begin + elements.length : begin;
  const first = Math.max(0, Math.min(from, elements.length - 1));
  return Array.from({ length: size }, (_, i) => elements[first + i * part.step]!);
}

const beginOf = (part: Part): number => (part.kind === "range" ? (part.begin ?? 0) : 0);
const endOf = (part: Part): number => (part.kind === "range" ? (part.end ?? 0) : 0);

function partOf(json: Json, config: Config): Part {
  if (json === null) return { kind: "new" };
  if (typeof json === "number" && Number.isInteger(json)) return { kind: "index", at: json };
  const className = isObject(json) ? json["class_name"] : undefined;
  if (className === "__ellipsis__") return { kind: "rest" };
  const range = isObject(json) && className === "__slice__" ? json["config"] : undefined;
  if (!isObject(range)) throw unsupported(config, `the index ${describe(json)}`);
  const whole = (name: string): number | undefined => {
    const value = range[name] ?? undefined;
    if (value === undefined || (typeof value === "number" && Number.isInteger(value))) return value;
    throw unsupported(config, `the index ${describe(json)}`);
  };
  const [begin, end, step = 1] = [whole("start"), whole("stop"), whole("step")];
  if (step === 0) throw config.wrong("a step of 0", "a step");
  return {
    kind: "range",
    ...(begin === undefined ? {} : { begin }),
    ...(end === undefined ? {} : { end }),
    step,
  };
}

function shapeOf(parts: readonly Part[], shape: readonly number[], rest: number): number[] {
  const result: number[] = [];
  let axis = 0;
  for (const part of parts) {
    if (part.kind === "new") result.push(1);
    else if (part.kind === "rest") {
      result.push(...shape.slice(axis, axis + rest));
      axis += rest;
    } else {
      if (part.kind === "range") result.push(rangeSize(part, shape[axis]!));
      axis++;
    }
  }
  return [...result, ...shape.slice(axis)];
}

/** Python's rule for the length of a slice. */
function rangeSize({ begin, end, step }: Extract<Part, { kind: "range" }>, size: number): number {
  if (size < 0) return -1;
  const place = (value: number | undefined, open: number): number => {
    if (value === undefined) return open;
    const from = value < 0 ? value + size : value;
    return step > 0 ? Math.min(Math.max(from, 0), size) : Math.min(Math.max(from, -1), size - 1);
  };
  const [first, last] =
    step > 0 ? [place(begin, 0), place(end, size)] : [place(begin, size - 1), place(end, -1)];
  return Math.max(0, Math.ceil((last - first) / step));
}
