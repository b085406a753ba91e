/** Parts of tensors: diagonals, partitions, segments, places in sorted rows. */
import { intAttr, typeAttr } from "../../graph/attrs.ts";
import type { ValueRef } from "../../graph/ir.ts";
import { attr } from "../attributes.ts";
import { integersOf } from "../fold/values.ts";
import type { GraphBuilder } from "../graph-builder.ts";
import { NodeWriter } from "../node-writer.ts";
import type { Decomposition } from "./decomposition.ts";

/** Most indices that are written into the file. */
const MAX_PLACES = 65_536;

/** A diagonal of each matrix: of its c columns laid in a row, every (c + 1)th element from the first on. */
const matrixDiagPart: Decomposition = (node, build) => {
  const [x, kRef] = node.inputs;
  const shape = x && build.shape(x);
  const [rows = -1, columns = -1] = shape?.slice(-2) ?? [];
  const k = kRef === undefined ? [0] : integersOf(build.value(kRef));
  const [offset = 0, last = offset] = k ?? [];
  if (x === undefined || shape === undefined || rows < 0 || columns < 0 || k === undefined)
    return undefined;
  const batch = shape.slice(0, -2);
  const count = Math.min(rows + Math.min(offset, 0), columns - Math.max(offset, 0));
  if (last !== offset || count < 1) return undefined;
  const first = offset < 0 ? -offset * columns : offset;
  if (batch.filter((size) => size < 0).length > 1 || count > MAX_PLACES) return undefined;
  const w = new NodeWriter(build, node.name);
  const flat = w.reshape(x, [...batch, rows * columns]);
  const places = build.ints(Array.from({ length: count }, (_, i) => first + i * (columns + 1)));
  return [w.node("GatherV2", [flat, places, build.int(batch.length)], { batch_dims: attr.int(0) })];
};

/** Of matrices alone; TensorFlow has it for every even rank. */
const diagPart: Decomposition = (node, build) =>
  node.inputs[0] && build.shape(node.inputs[0])?.length === 2
    ? matrixDiagPart(node, build)
    : undefined;

const diag: Decomposition = (node, build) => {
  const x = node.inputs[0];
  return x && build.shape(x)?.length === 1 ? [build.add(node.name, "MatrixDiag", [x])] : undefined;
};

/** Part i: the rows whose number in `partitions` is i. */
const dynamicPartition: Decomposition = (node, build) => {
  const [x, partitions] = node.inputs;
  if (x === undefined || partitions === undefined) return undefined;
  const w = new NodeWriter(build, node.name);
  return Array.from({ length: node.outputCount }, (_, i) => {
    const places = w.unary("Where", w.binary("Equal", partitions, i));
    return w.node("GatherNd", [x, places]);
  });
};

/** What `dynamicPartition` made: which part, by which partition, of which numbers. */
function partOf(ref: ValueRef, build: GraphBuilder) {
  const taken = build.producer(ref);
  const [from, places] = taken.inputs;
  const where = taken.op === "GatherNd" && places ? build.producer(places) : undefined;
  if (where?.op !== "Where" || where.inputs[0] === undefined) return undefined;
  const equal = build.producer(where.inputs[0]);
  if (equal.op !== "Equal" || equal.inputs[0] === undefined) return undefined;
  const range = integersOf(build.value(from));
  const [number] = integersOf(build.value(equal.inputs[1])) ?? [];
  const { node, output } = equal.inputs[0];
  return range && { number, of: `${node}:${output}`, range };
}

/**
 * Rows put back to where a partition of 0, 1, … took them from, as lookups in parts of a table do: the numbers are a
 * permutation, so that a scatter sets each row once.
 */
const stitchParts: Decomposition = (node, build) => {
  const count = intAttr(node, "N");
  const [numbers, rows] = [node.inputs.slice(0, count), node.inputs.slice(count)];
  const parts = numbers.map((ref) => partOf(ref, build));
  const [first] = parts;
  const isWhole = parts.every(
    (part, i) => part?.number === i && part.of === first?.of && part.range.every((n, j) => n === j),
  );
  const rest = rows[0] && build.shape(rows[0])?.slice(1);
  if (first === undefined || !isWhole || rest === undefined || rest.some((dim) => dim < 0))
    return undefined;
  const w = new NodeWriter(build, node.name);
  const joined = (parts: readonly ValueRef[]): ValueRef =>
    parts.length === 1 ? parts[0]! : w.node("ConcatV2", [...parts, build.int(0)]);
  const places = w.node("ExpandDims", [joined(numbers), build.int(-1)]);
  return [w.node("ScatterNd", [places, joined(rows), build.ints([first.range.length, ...rest])])];
};

/** Sorted segments with known numbers are unsorted ones of a known count. */
const segment =
  (op: "Max" | "Min" | "Prod" | "Mean"): Decomposition =>
  (node, build) => {
    const [x, idsRef] = node.inputs;
    const ids = integersOf(build.value(idsRef));
    const last = ids?.at(-1);
    if (!x || !idsRef || ids === undefined || last === undefined) return undefined;
    if (last >= ids.length || ids.some((id) => id < 0 || id > last)) return undefined;
    const sizes = Array.from({ length: last + 1 }, () => 0);
    for (const id of ids) sizes[id] = (sizes[id] ?? 0) + 1;
    // TensorFlow makes 0 of segments without elements, the operators do not.
    if (sizes.includes(0)) return undefined;
    const w = new NodeWriter(build, node.name);
    const count = build.int(last + 1);
    const kind = op === "Mean" ? "Sum" : op;
    const result = w.node(`UnsortedSegment${kind}`, [x, build.ints(ids), count]);
    const rank = build.shape(x)?.length;
    if (op !== "Mean") return [result];
    if (rank === undefined || build.type(x).dtype !== "float32") return undefined;
    const divisor = build.constant(`${node.name}/sizes`, {
      dtype: "float32",
      shape: [sizes.length, ...new Array<number>(rank - 1).fill(1)],
      data: Float32Array.from(sizes),
    });
    return [w.div(result, divisor)];
  };

/** How many elements of a sorted row are below each value, or not above it. */
const bound =
  (comparison: "Less" | "LessEqual"): Decomposition =>
  (node, build) => {
    const [rows, values] = node.inputs;
    if (rows === undefined || values === undefined) return undefined;
    const w = new NodeWriter(build, node.name);
    const expanded = (x: ValueRef, axis: number) => w.node("ExpandDims", [x, build.int(axis)]);
    const below = w.binary(comparison, expanded(rows, 1), expanded(values, 2));
    const counts = w.reduce("Sum", w.cast(below, "int32"), [2], false);
    return [w.cast(counts, typeAttr(node, "out_type"))];
  };

export const PARTITIONS: ReadonlyMap<string, Decomposition> = new Map([
  ["MatrixDiagPart", matrixDiagPart],
  ["MatrixDiagPartV2", matrixDiagPart],
  ["MatrixDiagPartV3", matrixDiagPart],
  ["DiagPart", diagPart],
  ["Diag", diag],
  ["DynamicPartition", dynamicPartition],
  ["ParallelDynamicStitch", stitchParts],
  ["SegmentMax", segment("Max")],
  ["SegmentMin", segment("Min")],
  ["SegmentProd", segment("Prod")],
  ["SegmentMean", segment("Mean")],
  ["LowerBound", bound("Less")],
  ["UpperBound", bound("LessEqual")],
]);
