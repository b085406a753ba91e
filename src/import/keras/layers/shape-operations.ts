/** Operations of `keras.ops` that repeat, pad and reorder, sums of products, and statistics over axes. */
import { Formula } from "../formula.ts";
import { type LayerCall, type Translate, unsupported } from "../layer.ts";
import { flag, int, madeVector, outputCount, type Symbolic, text } from "../node-writer.ts";
import { axisOf, onlyOperand, wholeAxis } from "./array-operations.ts";
import { argumentOf, asTensor, operand, option, plainValue } from "./operations.ts";
import { sizeVector, wholeNumbers } from "./sizes.ts";

/** Whole numbers, one or a list, under a name or at a place among the arguments. */
export function integers(call: LayerCall, name: string, index: number): number[] {
  const value = option(call, name) ?? plainValue(operand(call, index, [name]));
  const list = value === undefined ? [] : [value].flat(2);
  if (list.length > 0 && list.every(Number.isInteger)) return list as number[];
  throw call.config.wrong(`${name} ${JSON.stringify(value ?? null)}`, "whole numbers");
}

/** Axes of a reduction, counted from the front; where none is given `fallback`, or all of them. */
export function axesOf(call: LayerCall, x: Symbolic, fallback?: number): number[] {
  if (option(call, "axis") !== undefined)
    return integers(call, "axis", 1).map((axis) => wholeAxis(call, axis, x.shape.length));
  if (fallback !== undefined) return [wholeAxis(call, fallback, x.shape.length)];
  return x.shape.map((_, axis) => axis);
}

export const einsumOperation: Translate = (call) => {
  const { config, writer, path } = call;
  const operands = call.args.flatMap((arg) => (arg.kind === "tensor" ? [arg.tensor] : []));
  const equation = config.text("subscripts").replaceAll(" ", "");
  const [sources = "", target] = equation.split("->");
  const letters = sources.split(",");
  const fits = letters.every((part, i) => part.length === operands[i]?.shape.length);
  if (target === undefined || letters.length !== operands.length || !fits) {
    throw unsupported(config, `einsum ${equation} of these operands`);
  }
  return writer.einsum(`${path}/Einsum`, equation, operands);
};

/** Zeros, or a number, around; or the values at the border turned round. */
export const padOperation: Translate = (call) => {
  const { config, writer, path } = call;
  const x = onlyOperand(call);
  const pads = padWidths(call, x.shape.length);
  const paddings = writer.constant(`${path}/paddings`, {
    dtype: "int32",
    shape: [x.shape.length, 2],
    data: Int32Array.from(pads),
  });
  const shape = x.shape.map((size, i) => (size < 0 ? -1 : size + pads[2 * i]! + pads[2 * i + 1]!));
  const mode = config.text("mode", "constant");
  if (mode !== "constant") {
    if (mode !== "reflect" && mode !== "symmetric") throw unsupported(config, `pad mode ${mode}`);
    const attrs = { mode: text(mode.toUpperCase()) };
    return writer.emit(`${path}/MirrorPad`, "MirrorPad", [x, paddings], { shape }, attrs);
  }
  const value = Number(option(call, "constant_values") ?? 0);
  if (value === 0) return writer.emit(`${path}/Pad`, "Pad", [x, paddings], { shape });
  if (x.dtype !== "float32") throw unsupported(config, `pad of ${x.dtype} with ${value}`);
  const filling = writer.float(`${path}/constant_values`, value);
  return writer.emit(`${path}/PadV2`, "PadV2", [x, paddings, filling], { shape });
};

/** Widths at both ends of each dimension: two for each, two for all, or one for all. */
function padWidths(call: LayerCall, rank: number): number[] {
  const given = integers(call, "pad_width", 1);
  if (given.length === 2 * rank) return given;
  const [before, after = before] = given;
  if (given.length <= 2) return new Array(rank).fill([before!, after!]).flat();
  throw call.config.wrong(`${given.length} widths`, `${2 * rank}, two or one`);
}

const multiplied = (shape: readonly number[], times: readonly number[]): number[] =>
  shape.map((size, i) => (size < 0 || times[i]! < 0 ? -1 : size * times[i]!));

function tile({ writer, path }: LayerCall, x: Symbolic, times: readonly number[]): Symbolic {
  const shape = multiplied(x.shape, times);
  return writer.emit(`${path}/Tile`, "Tile", [x, writer.ints(`${path}/multiples`, times)], {
    shape,
  });
}

export const tileOperation: Translate = (call) => {
  const { config, writer, path } = call;
  const x = onlyOperand(call);
  const given = argumentOf(call, "repeats", 1);
  const times = wholeNumbers(given);
  if (given === undefined || times === undefined)
    throw unsupported(config, "tile by a computed number of numbers");
  const missing = times.length - x.shape.length;
  if (times.some((count) => count < 0)) {
    if (missing !== 0) throw unsupported(config, "tile by computed numbers to another rank");
    const shape = multiplied(x.shape, times);
    return writer.emit(`${path}/Tile`, "Tile", [x, sizeVector(call, given, "multiples")], {
      shape,
    });
  }
  if (missing <= 0) return tile(call, x, [...new Array<number>(-missing).fill(1), ...times]);
  const shape = [...new Array<number>(missing).fill(1), ...x.shape];
  return tile(call, writer.reshape(`${path}/Reshape`, x, shape), times);
};

/** Each element `repeats` times, or each its own number of times. */
export const repeatOperation: Translate = (call) => {
  const { config, writer, path } = call;
  const counts = integers(call, "repeats", 1);
  let x = onlyOperand(call);
  if (option(call, "axis") === undefined) x = writer.reshape(`${path}/Reshape`, x, [-1]);
  const axis = axisOf(call, x.shape.length, 0);
  const size = x.shape[axis]!;
  if (size < 0) throw unsupported(config, "repeat along an open dimension");
  if (counts.length !== 1 && counts.length !== size)
    throw config.wrong(`${counts.length} numbers of repeats`, `one, or ${size}`);
  if (counts.some((count) => count < 0)) throw config.wrong("repeats below 0", "counts");
  const [times = 0, ...others] = counts;
  const places =
    others.length === 0
      ? madeVector(size * times, config.where, (i) => Math.floor(i / times))
      : counts.flatMap((count, i) => madeVector(count, config.where, () => i));
  return writer.gather(`${path}/GatherV2`, x, axis, places);
};

/** Elements at places along an axis, which count from the end below 0. */
export const takeOperation: Translate = (call) => {
  const { writer, path } = call;
  let x = onlyOperand(call);
  if (option(call, "axis") === undefined) x = writer.reshape(`${path}/Reshape`, x, [-1]);
  const axis = axisOf(call, x.shape.length, 0);
  const indices = placesIn(call, x.shape[axis]!);
  const shape = x.shape.toSpliced(axis, 1, ...indices.shape);
  const dim = writer.ints(`${path}/axis`, axis);
  return writer.emit(`${path}/GatherV2`, "GatherV2", [x, indices, dim], { shape });
};

/** Places among `size`, constant or computed, from the front. */
function placesIn(call: LayerCall, size: number): Symbolic {
  const given = argumentOf(call, "indices", 1);
  if (size < 0) throw unsupported(call.config, "take along an open dimension");
  if (given?.kind === "tensor") {
    const f = new Formula(call);
    const { tensor } = given;
    const whole = tensor.dtype === "int64" ? tensor : f.cast(tensor, "int32");
    return f.where(f.of("Less", whole, 0), f.of("AddV2", whole, size), whole);
  }
  const places = plainValue(given);
  const list = integers(call, "indices", 1).map((place) => wholeAxis(call, place, size));
  if (!Array.isArray(places)) return call.writer.ints(`${call.path}/indices`, list[0]!);
  const { shape } = asTensor(call, given, { ...onlyOperand(call), dtype: "int32" });
  const data = Int32Array.from(list);
  return call.writer.constant(`${call.path}/indices`, { dtype: "int32", shape, data });
}

export const broadcastToOperation: Translate = (call) => {
  const { writer, path } = call;
  const given = argumentOf(call, "shape", 1);
  const target = wholeNumbers(given);
  if (given === undefined || target === undefined)
    throw unsupported(call.config, "broadcast_to a computed number of dimensions");
  const isKnown = target.every((size) => size >= 0);
  const size = isKnown ? writer.ints(`${path}/shape`, target) : sizeVector(call, given, "shape");
  const inputs = [onlyOperand(call), size];
  return writer.emit(`${path}/BroadcastTo`, "BroadcastTo", inputs, { shape: target });
};

export const ravelOperation: Translate = (call) =>
  call.writer.reshape(`${call.path}/Reshape`, onlyOperand(call), [-1]);

export const swapAxesOperation: Translate = (call) => {
  const x = onlyOperand(call);
  const [a, b] = ["axis1", "axis2"].map((name, i) =>
    wholeAxis(call, integers(call, name, i + 1)[0]!, x.shape.length),
  );
  const perm = x.shape.map((_, i) => (i === a ? b! : i === b ? a! : i));
  return call.writer.transpose(`${call.path}/transpose`, x, perm);
};

export const moveAxisOperation: Translate = (call) => {
  const x = onlyOperand(call);
  const [from, to] = ["source", "destination"].map((name, i) =>
    integers(call, name, i + 1).map((axis) => wholeAxis(call, axis, x.shape.length)),
  );
  const perm = x.shape.map((_, i) => i).filter((axis) => !from!.includes(axis));
  const moves = to!.map((place, i) => [place, from![i]!] as const).sort(([a], [b]) => a - b);
  for (const [place, axis] of moves) perm.splice(place, 0, axis);
  return call.writer.transpose(`${call.path}/transpose`, x, perm);
};

export const cumulativeSumOperation: Translate = (call) => {
  const { writer, path } = call;
  let x = onlyOperand(call);
  if (option(call, "axis") === undefined) x = writer.reshape(`${path}/Reshape`, x, [-1]);
  const dim = writer.ints(`${path}/axis`, axisOf(call, x.shape.length, 0));
  const attrs = {
    exclusive: flag(option(call, "exclusive") === true),
    reverse: flag(option(call, "reverse") === true),
  };
  return writer.emit(`${path}/Cumsum`, "Cumsum", [x, dim], { shape: x.shape }, attrs);
};

/** All slices along an axis. */
export const unstackOperation: Translate = (call) => {
  const { writer, path } = call;
  const x = onlyOperand(call);
  const axis = axisOf(call, x.shape.length, 0);
  const count = x.shape[axis]!;
  if (count < 0) throw unsupported(call.config, "unstack along an open dimension");
  const length = outputCount(count, call.config.where);
  const results = Array.from({ length }, () => ({ shape: x.shape.toSpliced(axis, 1) }));
  const attrs = { num: int(count), axis: int(axis) };
  return writer.emitMany(`${path}/unstack`, "Unpack", [x], results, attrs);
};

/** mean((x - mean(x))²) over axes. */
function variance(call: LayerCall): Symbolic {
  const { writer, path } = call;
  const x = onlyOperand(call);
  const axes = axesOf(call, x);
  const mean = writer.reduce(`${path}/mean`, "Mean", x, axes, true);
  const squares = writer.binary(`${path}/SquaredDifference`, "SquaredDifference", x, mean);
  return writer.reduce(
    `${path}/variance`,
    "Mean",
    squares,
    axes,
    option(call, "keepdims") === true,
  );
}

export const varianceOperation: Translate = variance;

export const deviationOperation: Translate = (call) =>
  call.writer.unary(`${call.path}/Sqrt`, "Sqrt", variance(call));

/** log(Σ exp(x - max)) + max over axes. */
export const logSumExpOperation: Translate = (call) => {
  const { writer, path } = call;
  const x = onlyOperand(call);
  const axes = axesOf(call, x);
  const most = writer.reduce(`${path}/Max`, "Max", x, axes, true);
  const powers = writer.unary(`${path}/Exp`, "Exp", writer.binary(`${path}/sub`, "Sub", x, most));
  const log = writer.unary(
    `${path}/Log`,
    "Log",
    writer.reduce(`${path}/Sum`, "Sum", powers, axes, true),
  );
  const y = writer.binary(`${path}/add`, "AddV2", log, most);
  if (option(call, "keepdims") === true) return y;
  return writer.reshape(
    `${path}/Reshape`,
    y,
    x.shape.filter((_, axis) => !axes.includes(axis)),
  );
};
