/** Operations of `keras.ops` that repeat, pad and reorder, sums of products, and statistics over axes. */
import { type LayerCall, type Translate, unsupported } from "../layer.ts";
import { int, type Symbolic, text } from "../node-writer.ts";
import { axisOf, onlyOperand, wholeAxis } from "./array-operations.ts";
import { operand, option, plainValue } from "./operations.ts";

/** Whole numbers, one or a list, under a name or at a place among the arguments. */
function integers(call: LayerCall, name: string, index: number): number[] {
  const value = option(call, name) ?? plainValue(operand(call, index, [name]));
  const list = value === undefined ? [] : [value].flat(2);
  if (list.length > 0 && list.every(Number.isInteger)) return list as number[];
  throw call.config.wrong(`${name} ${JSON.stringify(value ?? null)}`, "whole numbers");
}

/** Axes of a reduction, counted from the front; all of them where none is given. */
function axesOf(call: LayerCall, x: Symbolic): number[] {
  if (option(call, "axis") === undefined) return x.shape.map((_, axis) => axis);
  return integers(call, "axis", 1).map((axis) => wholeAxis(call, axis, x.shape.length));
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
  const pads = integers(call, "pad_width", 1);
  if (pads.length !== 2 * x.shape.length) throw unsupported(config, "pad with one width for all");
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

const multiplied = (shape: readonly number[], times: readonly number[]): number[] =>
  shape.map((size, i) => (size < 0 ? -1 : size * times[i]!));

function tile({ writer, path }: LayerCall, x: Symbolic, times: readonly number[]): Symbolic {
  const shape = multiplied(x.shape, times);
  return writer.emit(`${path}/Tile`, "Tile", [x, writer.ints(`${path}/multiples`, times)], {
    shape,
  });
}

export const tileOperation: Translate = (call) => {
  const x = onlyOperand(call);
  const times = integers(call, "repeats", 1);
  const rank = x.shape.length;
  if (times.length > rank) throw unsupported(call.config, "tile to more dimensions");
  return tile(call, x, [...new Array<number>(rank - times.length).fill(1), ...times]);
};

/** Each element `repeats` times: […, n, …] → […, n, 1, …] → […, n, repeats, …] → […, n · repeats, …]. */
export const repeatOperation: Translate = (call) => {
  const { writer, path } = call;
  const [times, ...others] = integers(call, "repeats", 1);
  if (others.length > 0) throw unsupported(call.config, "repeat by several numbers");
  let x = onlyOperand(call);
  if (option(call, "axis") === undefined) x = writer.reshape(`${path}/Reshape`, x, [-1]);
  const axis = axisOf(call, x.shape.length, 0);
  const wide = writer.reshape(`${path}/wide`, x, x.shape.toSpliced(axis + 1, 0, 1));
  const factors = wide.shape.map((_, i) => (i === axis + 1 ? times! : 1));
  const shape = x.shape.map((size, i) => (i === axis && size >= 0 ? size * times! : size));
  return writer.reshape(`${path}/Reshape_1`, tile(call, wide, factors), shape);
};

/** Elements at constant places along an axis. */
export const takeOperation: Translate = (call) => {
  const { writer, path } = call;
  let x = onlyOperand(call);
  if (option(call, "axis") === undefined) x = writer.reshape(`${path}/Reshape`, x, [-1]);
  const axis = axisOf(call, x.shape.length, 0);
  const places = plainValue(operand(call, 1, ["indices"]));
  const list = typeof places === "number" ? [places] : places;
  if (!Array.isArray(list) || !list.every(Number.isInteger) || x.shape[axis]! < 0) {
    throw unsupported(call.config, "take at computed places");
  }
  const fromFront = (list as number[]).map((at) => wholeAxis(call, at, x.shape[axis]!));
  const indices = writer.ints(
    `${path}/indices`,
    typeof places === "number" ? fromFront[0]! : fromFront,
  );
  const shape = x.shape.toSpliced(axis, 1, ...indices.shape);
  const dim = writer.ints(`${path}/axis`, axis);
  return writer.emit(`${path}/GatherV2`, "GatherV2", [x, indices, dim], { shape });
};

export const broadcastToOperation: Translate = (call) => {
  const { writer, path } = call;
  const target = integers(call, "shape", 1);
  const size = writer.ints(`${path}/shape`, target);
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
  return writer.emit(`${path}/Cumsum`, "Cumsum", [x, dim], { shape: x.shape });
};

/** All slices along an axis. */
export const unstackOperation: Translate = (call) => {
  const { writer, path } = call;
  const x = onlyOperand(call);
  const axis = axisOf(call, x.shape.length, 0);
  const count = x.shape[axis]!;
  if (count < 0) throw unsupported(call.config, "unstack along an open dimension");
  const results = Array.from({ length: count }, () => ({ shape: x.shape.toSpliced(axis, 1) }));
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
