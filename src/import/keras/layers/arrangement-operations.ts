/** Operations of `keras.ops` that join, part, turn and cut arrays. */
import { type Config, describe } from "../config.ts";
import { type CallArgument, type LayerCall, type Translate, unsupported } from "../layer.ts";
import { int, madeVector, outputCount, type Symbolic } from "../node-writer.ts";
import { axisOf, joined, onlyOperand, wholeAxis } from "./array-operations.ts";
import { concat } from "./merge.ts";
import { argumentOf, asTensor, operand, option } from "./operations.ts";
import { integers } from "./shape-operations.ts";
import { sizeVector, wholeNumbers } from "./sizes.ts";

/** Joins two arrays along an axis, or all of their elements. */
export const appendOperation: Translate = (call) => {
  const { writer, path } = call;
  const a = asTensor(call, operand(call, 0, ["x1"]), undefined);
  const b = asTensor(call, operand(call, 1, ["x2"]), a);
  if (option(call, "axis") === undefined) {
    const flat = [a, b].map((x, i) => writer.reshape(`${path}/Reshape_${i}`, x, [-1]));
    return concat(call, flat, 0);
  }
  return concat(call, [a, b], axisOf(call, a.shape.length, 0));
};

/** Joins arrays of at least `rank` dimensions along an axis. */
export const joinOperation =
  (axis: number, rank: number): Translate =>
  (call) => {
    const { writer, path } = call;
    const raised = joined(call).map((x) => {
      const missing = rank - x.shape.length;
      if (missing <= 0) return x;
      // A vector is a row; as the middle of three dimensions too.
      const front = rank === 3 ? Math.min(1, missing) : missing;
      const shape = [...new Array<number>(x.shape.length > 1 ? 0 : front).fill(1), ...x.shape];
      return writer.reshape(`${path}/Reshape`, x, [
        ...shape,
        ...new Array<number>(rank - shape.length).fill(1),
      ]);
    });
    return concat(call, raised, raised[0]!.shape.length === 1 ? 0 : axis);
  };

/** Equal parts, or parts that begin at given places; `uneven` parts may differ by one. */
export const partOperation =
  (axis: number | undefined, uneven = false): Translate =>
  (call) => {
    const { config, writer, path } = call;
    const x = onlyOperand(call);
    const own =
      axis === undefined ? axisOf(call, x.shape.length, 0) : x.shape.length === 1 ? 0 : axis;
    const size = x.shape[own] ?? -1;
    const given = option(call, "indices_or_sections");
    if (size < 0) throw unsupported(config, "split along an open dimension");
    if (typeof given === "number") outputCount(given, config.where);
    if (typeof given === "number" && size % given === 0)
      return writer.split(`${path}/Split`, x, own, given);
    if (typeof given === "number" && !uneven)
      throw config.wrong(`${given} parts of ${size}`, "equal parts");
    const ends = typeof given === "number" ? evenEnds(size, given) : endsOf(config, given, size);
    const sizes = ends.map((end, i) => Math.max(0, end - (ends[i - 1] ?? 0)));
    return writer.splitSizes(`${path}/Split`, x, own, sizes);
  };

/** Places where parts end whose sizes differ by one at most, the larger first. */
const evenEnds = (size: number, count: number): number[] =>
  Array.from(
    { length: count },
    (_, i) => Math.floor(size / count) * (i + 1) + Math.min(i + 1, size % count),
  );

function endsOf(config: Config, places: unknown, size: number): number[] {
  const list = Array.isArray(places) ? (places as unknown[]) : [];
  const ends = list.map((place) =>
    Math.min(Number(place) < 0 ? Number(place) + size : Number(place), size),
  );
  if (list.length === 0 || !ends.every(Number.isInteger))
    throw config.wrong("places to split at", "a list");
  return [...ends, size];
}

/** Turns elements round along axes, or in a row. */
export const rollOperation: Translate = (call) => {
  const { writer, path } = call;
  const x = onlyOperand(call);
  const roll = (y: Symbolic, shift: readonly number[], axes: readonly number[]): Symbolic => {
    const inputs = [y, writer.ints(`${path}/shift`, shift), writer.ints(`${path}/axis`, axes)];
    return writer.emit(`${path}/Roll`, "Roll", inputs, { shape: y.shape });
  };
  const shift = integers(call, "shift", 1);
  if (option(call, "axis") === undefined) {
    const flat = writer.reshape(`${path}/Reshape`, x, [-1]);
    return writer.reshape(`${path}/Reshape_1`, roll(flat, shift, [0]), x.shape);
  }
  const axes = integers(call, "axis", 2).map((axis) => wholeAxis(call, axis, x.shape.length));
  return roll(x, shift, axes);
};

/** Back to front along one axis. */
export const reverseOperation =
  (axis: number): Translate =>
  (call) => {
    const { writer, path } = call;
    const x = onlyOperand(call);
    const axes = writer.ints(`${path}/axis`, [axis]);
    return writer.emit(`${path}/ReverseV2`, "ReverseV2", [x, axes], { shape: x.shape });
  };

/** Quarter turns in the plane of two axes: a turn swaps the axes and reverses the first. */
export const rotateOperation: Translate = (call) => {
  const { config, writer, path } = call;
  let x = asTensor(call, operand(call, 0, ["array"]), undefined);
  const axes = option(call, "axes") ?? [0, 1];
  if (!Array.isArray(axes)) throw config.wrong(`axes ${describe(axes)}`, "two axes");
  const [a, b] = axes.map((axis) => wholeAxis(call, axis, x.shape.length)) as [number, number];
  const turns = ((Number(option(call, "k") ?? 1) % 4) + 4) % 4;
  // Keras' TensorFlow backend mixes rows and columns up there.
  if (turns === 2 && x.shape[a] !== x.shape[b])
    throw unsupported(config, "half a turn of other than squares");
  for (let i = 0; i < turns; i++) {
    const swapped = writer.exchange(`${path}/transpose`, x, a, b);
    const inputs = [swapped, writer.ints(`${path}/axis`, [a])];
    x = writer.emit(`${path}/ReverseV2`, "ReverseV2", inputs, { shape: swapped.shape });
  }
  return x;
};

/** Cuts a block of a fixed shape from a place that may be computed. */
export const sliceOperation: Translate = (call) => {
  const { writer, path } = call;
  const x = asTensor(call, operand(call, 0, ["inputs"]), undefined);
  const shape = integers(call, "shape", 2);
  const begin = startOf(call, 1);
  const inputs = [x, begin, writer.ints(`${path}/size`, shape)];
  return writer.emit(`${path}/Slice`, "Slice", inputs, { shape });
};

/** Puts a block in at a place that may be computed. */
export const sliceUpdateOperation: Translate = (call) => {
  const { writer, path } = call;
  const x = asTensor(call, operand(call, 0, ["inputs"]), undefined);
  const updates = asTensor(call, argumentOf(call, "updates", 2), x);
  const inputs = [x, updates, startOf(call, 1)];
  return writer.emit(`${path}/DynamicUpdateSlice`, "XlaDynamicUpdateSlice", inputs, {
    shape: x.shape,
  });
};

function startOf(call: LayerCall, index: number): Symbolic {
  const given = argumentOf(call, "start_indices", index);
  if (given === undefined) throw call.config.wrong("no start_indices", "a place");
  const known = wholeNumbers(given);
  if (known?.every((place) => place >= 0)) return call.writer.ints(`${call.path}/begin`, known);
  return sizeVector(call, given, "begin");
}

/** New values at places of an array, or added to those that are there. */
export const scatterUpdateOperation: Translate = (call) => {
  const { config, writer, path } = call;
  const x = asTensor(call, operand(call, 0, ["inputs"]), undefined);
  const indices = asTensor(call, argumentOf(call, "indices", 1), { ...x, dtype: "int32" });
  const updates = asTensor(call, argumentOf(call, "updates", 2), x);
  const reduction = option(call, "reduction");
  const op =
    reduction === undefined
      ? "TensorScatterUpdate"
      : reduction === "add"
        ? "TensorScatterAdd"
        : undefined;
  if (op === undefined) throw unsupported(config, `scatter_update with ${describe(reduction)}`);
  return writer.emit(`${path}/${op}`, op, [x, indices, updates], { shape: x.shape });
};

/** Values at places of an array of zeros. */
export const scatterOperation: Translate = (call) => {
  const { writer, path } = call;
  const values = asTensor(call, argumentOf(call, "values", 1), undefined);
  const places = asTensor(call, operand(call, 0, ["indices"]), { ...values, dtype: "int32" });
  const shape = integers(call, "shape", 2);
  const inputs = [places, values, writer.ints(`${path}/shape`, shape)];
  return writer.emit(`${path}/ScatterNd`, "ScatterNd", inputs, { shape, dtype: values.dtype });
};

/** Windows of one length along the last axis, as a frame of a signal. */
export const sequencesOperation: Translate = (call) => {
  const { config, writer, path } = call;
  const x = onlyOperand(call);
  const [length] = integers(call, "sequence_length", 1) as [number];
  const [stride] = integers(call, "sequence_stride", 2) as [number];
  const size = x.shape.at(-1) ?? -1;
  if (size < length || stride < 1)
    throw unsupported(config, "sequences of an open or short dimension");
  const count = Math.floor((size - length) / stride) + 1;
  const places = madeVector(
    count * length,
    config.where,
    (i) => Math.floor(i / length) * stride + (i % length),
  );
  const indices = writer.constant(`${path}/indices`, {
    dtype: "int32",
    shape: [count, length],
    data: Int32Array.from(places),
  });
  const shape = [...x.shape.slice(0, -1), count, length];
  const inputs = [x, indices, writer.ints(`${path}/axis`, x.shape.length - 1)];
  return writer.emit(`${path}/GatherV2`, "GatherV2", inputs, { shape });
};

/** Running products, which TensorFlow Lite has no operator for, over a known number of elements. */
export const cumulativeProductOperation: Translate = (call) => {
  const { config, writer, path } = call;
  const given = onlyOperand(call);
  const isFlat = option(call, "axis") === undefined;
  const x = isFlat ? writer.reshape(`${path}/Reshape`, given, [-1]) : given;
  const axis = isFlat ? 0 : axisOf(call, x.shape.length, 0);
  const count = x.shape[axis] ?? -1;
  if (count < 1 || count > 64) throw unsupported(config, "cumprod of more than 64 elements");
  const results = Array.from({ length: count }, () => ({ shape: x.shape.toSpliced(axis, 1) }));
  const attrs = { num: int(count), axis: int(axis) };
  const parts = writer.emitMany(`${path}/unstack`, "Unpack", [x], results, attrs);
  const products: Symbolic[] = [];
  for (const part of parts) {
    const last = products.at(-1);
    products.push(last === undefined ? part : writer.binary(`${path}/Mul`, "Mul", last, part));
  }
  return writer.emit(`${path}/stack`, "Pack", products, { shape: x.shape }, { axis: int(axis) });
};

/** An array of one value in the shape of another. */
export const fullLikeOperation: Translate = (call) => {
  const { writer, path } = call;
  const x = onlyOperand(call);
  const value: CallArgument | undefined = argumentOf(call, "fill_value", 1);
  const ones = writer.unary(`${path}/OnesLike`, "OnesLike", x);
  return writer.binary(`${path}/Mul`, "Mul", ones, asTensor(call, value, x));
};

/** The number of elements, and of dimensions. */
export const countOperation =
  (of: (x: Symbolic) => number): Translate =>
  (call) => {
    const count = of(onlyOperand(call));
    if (count < 0) throw unsupported(call.config, "the size of an open shape");
    return { ...call.writer.ints(`${call.path}/size`, count), elements: [count] };
  };

/** Segments by number: the sums, products or extremes of the rows that have it. */
export const segmentOperation =
  (reduction: "Sum" | "Max" | "Min" | "Prod"): Translate =>
  (call) => {
    const { config, writer, path } = call;
    const x = asTensor(call, operand(call, 0, ["data"]), undefined);
    const ids = asTensor(call, argumentOf(call, "segment_ids", 1), { ...x, dtype: "int32" });
    const [count] = wholeNumbers(argumentOf(call, "num_segments", 2)) ?? [];
    if (count === undefined) throw unsupported(config, "segments without num_segments");
    const op = `UnsortedSegment${reduction}`;
    const inputs = [x, ids, writer.ints(`${path}/num_segments`, count)];
    return writer.emit(`${path}/${op}`, op, inputs, { shape: [count, ...x.shape.slice(1)] });
  };
