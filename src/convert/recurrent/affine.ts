import type { TensorValue, ValueRef } from "../../graph/ir.ts";
import { masksOf } from "../fold/data-movement.ts";
import { integersOf } from "../fold/values.ts";
import { type Matcher, sameRef } from "../patterns/matcher.ts";
import { planStridedSlice } from "../strided-slice.ts";

export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float32Array;
}

/** A sum of products; absent parts are zero. */
export interface Affine {
  readonly columns: number;
  readonly x?: Matrix;
  readonly h?: Matrix;
  readonly bias?: Float32Array;
  readonly peepholes: readonly { readonly state: ValueRef; readonly weights: Float32Array }[];
}

/** The values that count as the step's input and as the state before the step. */
export interface AffineSources {
  readonly x: ValueRef;
  readonly h: ValueRef;
  /** Cell states that peepholes may look at. */
  readonly cells: readonly ValueRef[];
}

/** Reads a value as such a sum; undefined when anything else is in it. */
export function readAffine(
  ref: ValueRef,
  sources: AffineSources,
  match: Matcher,
): Affine | undefined {
  const columns = match.build.shape(ref)?.at(-1);
  return columns === undefined || columns < 0 ? undefined : read(ref, columns, sources, match);
}

function read(
  ref: ValueRef,
  columns: number,
  sources: AffineSources,
  match: Matcher,
): Affine | undefined {
  const value = match.value(ref);
  if (value !== undefined) return constantTerm(value, columns);
  const node = match.build.producer(ref);
  switch (node.op) {
    case "Add": {
      const [a, b] = node.inputs.map((input) => read(input, columns, sources, match));
      return a && b && sum(a, b);
    }
    case "MatMul":
      return productTerm(
        node.inputs,
        columns,
        sources,
        match,
        node.attrs.get("transpose_b")?.value === true,
      );
    case "Mul":
      return peepholeTerm(node.inputs, columns, sources, match);
    case "Split": {
      const whole = node.inputs[1] && readAffine(node.inputs[1], sources, match);
      return whole && slice(whole, ref.output * columns, columns);
    }
    case "StridedSlice":
      return sliceTerm(ref, columns, sources, match);
    case "Reshape":
    case "Squeeze":
    case "ExpandDims":
      return sameElements(node.inputs[0], ref, match)
        ? read(node.inputs[0]!, columns, sources, match)
        : undefined;
    default:
      return undefined;
  }
}

/** Adding or dropping dimensions of size 1 in front changes nothing. */
function sameElements(x: ValueRef | undefined, y: ValueRef, match: Matcher): boolean {
  const strip = (ref: ValueRef) =>
    match.build
      .shape(ref)
      ?.join(",")
      .replace(/^(1,)+/, "");
  return x !== undefined && strip(x) !== undefined && strip(x) === strip(y);
}

function constantTerm({ dtype, data, shape }: TensorValue, columns: number): Affine | undefined {
  if (dtype !== "float32" || shape.slice(0, -1).some((size) => size !== 1)) return undefined;
  const numbers = data as Float32Array;
  if (numbers.length === 1)
    return { columns, bias: new Float32Array(columns).fill(numbers[0] ?? 0), peepholes: [] };
  return numbers.length === columns ? { columns, bias: numbers, peepholes: [] } : undefined;
}

function productTerm(
  [left, right]: readonly ValueRef[],
  columns: number,
  { x, h }: AffineSources,
  match: Matcher,
  transposed: boolean,
): Affine | undefined {
  const weights = match.value(right);
  if (
    left === undefined ||
    weights?.dtype !== "float32" ||
    weights.shape.length !== 2 ||
    transposed
  )
    return undefined;
  const matrix = { rows: weights.shape[0] ?? 0, columns, data: weights.data as Float32Array };
  if (sameRef(left, x)) return { columns, x: matrix, peepholes: [] };
  if (sameRef(left, h)) return { columns, h: matrix, peepholes: [] };
  const joined = match.inputs(left, "ConcatV2");
  const depth = match.build.shape(x)?.at(-1) ?? -1;
  if (joined?.length !== 3 || depth < 0) return undefined;
  const [first, second] = joined;
  if (sameRef(first, x) && sameRef(second, h)) {
    return {
      columns,
      x: rows(matrix, 0, depth),
      h: rows(matrix, depth, matrix.rows),
      peepholes: [],
    };
  }
  return undefined;
}

function peepholeTerm(
  [a, b]: readonly ValueRef[],
  columns: number,
  { cells }: AffineSources,
  match: Matcher,
): Affine | undefined {
  for (const [weights, state] of [
    [a, b],
    [b, a],
  ]) {
    const value = match.value(weights);
    const isCell = cells.some((cell) => sameRef(cell, state));
    if (value?.dtype !== "float32" || state === undefined || !isCell) continue;
    const data = value.data as Float32Array;
    return data.length === columns ? { columns, peepholes: [{ state, weights: data }] } : undefined;
  }
  return undefined;
}

function sliceTerm(
  ref: ValueRef,
  columns: number,
  sources: AffineSources,
  match: Matcher,
): Affine | undefined {
  const node = match.build.producer(ref);
  const [x, ...bounds] = node.inputs;
  const shape = x && match.build.shape(x);
  const [begin, end, strides] = bounds.map((bound) => integersOf(match.value(bound)));
  if (x === undefined || !shape || !begin || !end || !strides) return undefined;
  const plan = planStridedSlice(shape, begin, end, strides, masksOf(node), node.name);
  const last = plan.ranges.at(-1);
  const others = plan.ranges
    .slice(0, -1)
    .every(({ begin: at, size }, axis) => at === 0 && size === shape[axis]);
  if (last === undefined || last.stride !== 1 || !others || last.size !== columns) return undefined;
  const whole = readAffine(x, sources, match);
  return whole && slice(whole, last.begin, columns);
}

function rows({ columns, data }: Matrix, from: number, to: number): Matrix {
  return { rows: to - from, columns, data: data.slice(from * columns, to * columns) };
}

function sum(a: Affine, b: Affine): Affine {
  const x = addMatrices(a.x, b.x);
  const h = addMatrices(a.h, b.h);
  const bias =
    a.bias && b.bias ? a.bias.map((value, i) => value + (b.bias?.[i] ?? 0)) : (a.bias ?? b.bias);
  return {
    columns: a.columns,
    ...(x && { x }),
    ...(h && { h }),
    ...(bias && { bias }),
    peepholes: [...a.peepholes, ...b.peepholes],
  };
}

function addMatrices(a: Matrix | undefined, b: Matrix | undefined): Matrix | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return { ...a, data: a.data.map((value, i) => value + (b.data[i] ?? 0)) };
}

function slice(
  { x, h, bias, peepholes }: Affine,
  from: number,
  columns: number,
): Affine | undefined {
  if (peepholes.length > 0) return undefined;
  return {
    columns,
    ...(x && { x: columnsOf(x, from, columns) }),
    ...(h && { h: columnsOf(h, from, columns) }),
    ...(bias && { bias: bias.slice(from, from + columns) }),
    peepholes: [],
  };
}

/** Columns `from` … `from + columns` of a matrix. */
export function columnsOf(matrix: Matrix, from: number, columns: number): Matrix {
  const data = new Float32Array(matrix.rows * columns);
  for (let row = 0; row < matrix.rows; row++) {
    const start = row * matrix.columns + from;
    data.set(matrix.data.subarray(start, start + columns), row * columns);
  }
  return { rows: matrix.rows, columns, data };
}
