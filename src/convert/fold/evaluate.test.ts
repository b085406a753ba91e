import { describe, expect, it } from "vitest";
import type { Attr, GraphNode, TensorValue } from "../../graph/ir.ts";
import { attr } from "../attributes.ts";
import { evaluate } from "./table.ts";
import { valueFrom } from "./values.ts";

const tensor = (
  shape: number[],
  numbers: number[],
  dtype: TensorValue["dtype"] = "float32",
): TensorValue => {
  const value = valueFrom(dtype, shape, numbers);
  if (value === undefined) throw new Error(`no test values of type ${dtype}`);
  return value;
};
const node = (op: string, attrs: Record<string, Attr>): GraphNode => ({
  name: "n",
  op,
  inputs: [],
  attrs: new Map(Object.entries(attrs)),
  outputCount: 1,
});
const run = (op: string, inputs: TensorValue[], attrs: Record<string, Attr> = {}) =>
  evaluate(node(op, attrs), inputs)?.map(({ shape, data }) => ({
    shape,
    data: Array.from(data as Float32Array, Number),
  }));
const ints = (...values: number[]) => tensor([values.length], values, "int32");
const six = tensor([2, 3], [1, 2, 3, 4, 5, 6]);

describe("constant evaluation", () => {
  it("broadcasts binary operations", () => {
    expect(run("Sub", [six, tensor([2, 1], [1, 10])])).toEqual([
      { shape: [2, 3], data: [0, 1, 2, -6, -5, -4] },
    ]);
  });

  it("rounds float32 results once", () => {
    const x = Math.fround(0.3);
    expect(run("Rsqrt", [tensor([1], [x])])?.[0]?.data).toEqual([Math.fround(1 / Math.sqrt(x))]);
  });

  it("divides integers as TensorFlow does: Div truncates, FloorDiv and FloorMod floor", () => {
    const [a, b] = [ints(-7, 7), ints(2, -2)];
    expect(run("Div", [a, b])?.[0]?.data).toEqual([-3, -3]);
    expect(run("FloorDiv", [a, b])?.[0]?.data).toEqual([-4, -4]);
    expect(run("FloorMod", [a, b])?.[0]?.data).toEqual([1, -1]);
  });

  it("leaves an integer division by zero to the run", () => {
    expect(run("FloorDiv", [ints(1), ints(0)])).toBeUndefined();
  });

  it("adds up along an axis, either way, with or without the element itself", () => {
    const along = (axis: number, exclusive: boolean, reverse: boolean) =>
      run("Cumsum", [six, tensor([], [axis], "int32")], {
        exclusive: attr.bool(exclusive),
        reverse: attr.bool(reverse),
      })?.[0]?.data;
    expect(along(1, false, false)).toEqual([1, 3, 6, 4, 9, 15]);
    expect(along(-2, false, true)).toEqual([5, 7, 9, 4, 5, 6]);
    expect(along(1, true, true)).toEqual([5, 3, 0, 11, 6, 0]);
  });

  it("sets diagonals", () => {
    expect(run("MatrixDiag", [tensor([2, 2], [1, 2, 3, 4])])).toEqual([
      { shape: [2, 2, 2], data: [1, 0, 0, 2, 3, 0, 0, 4] },
    ]);
    const k = (value: number) => tensor([], [value], "int32");
    expect(run("MatrixSetDiagV3", [six, tensor([2], [8, 9]), k(0)])?.[0]?.data).toEqual([
      8, 2, 3, 4, 9, 6,
    ]);
    expect(run("MatrixSetDiagV3", [six, tensor([2], [8, 9]), k(1)])).toBeUndefined();
  });

  it("tells what one list has and another has not", () => {
    const wanted = { out_idx: attr.type("int32") };
    expect(run("ListDiff", [ints(4, 5, 6, 5), ints(5)], wanted)).toEqual([
      { shape: [2], data: [4, 6] },
      { shape: [2], data: [0, 2] },
    ]);
  });

  it("moves elements", () => {
    expect(run("Transpose", [six, ints(1, 0)])).toEqual([
      { shape: [3, 2], data: [1, 4, 2, 5, 3, 6] },
    ]);
    expect(run("ReverseV2", [six, ints(1)])?.[0]?.data).toEqual([3, 2, 1, 6, 5, 4]);
    expect(run("Tile", [six, ints(1, 2)])?.[0]?.data).toEqual([1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6]);
    expect(run("Pad", [six, tensor([2, 2], [0, 1, 1, 0], "int32")])?.[0]).toEqual({
      shape: [3, 4],
      data: [0, 1, 2, 3, 0, 4, 5, 6, 0, 0, 0, 0],
    });
    expect(run("GatherV2", [six, ints(2, 0), tensor([], [1], "int32")])?.[0]?.data).toEqual([
      3, 1, 6, 4,
    ]);
    expect(
      run("Split", [tensor([], [1], "int32"), six], { num_split: attr.int(3) })?.map(
        ({ data }) => data,
      ),
    ).toEqual([
      [1, 4],
      [2, 5],
      [3, 6],
    ]);
  });

  it("refuses what lies outside: slices and indices beyond the tensor", () => {
    expect(run("Slice", [six, ints(0, 2), ints(2, 2)])).toBeUndefined();
    expect(run("GatherV2", [six, ints(3), tensor([], [1], "int32")])).toBeUndefined();
  });

  it("reduces over the given axes", () => {
    const attrs = { keep_dims: attr.bool(true) };
    expect(run("Mean", [six, ints(-1)], attrs)).toEqual([{ shape: [2, 1], data: [2, 5] }]);
    expect(run("Max", [six, ints(0, 1)], { keep_dims: attr.bool(false) })).toEqual([
      { shape: [], data: [6] },
    ]);
  });

  it("counts 64-bit integers exactly or not at all", () => {
    const large = { dtype: "int64", shape: [1], data: BigInt64Array.of(2n ** 60n) } as const;
    expect(evaluate(node("Neg", {}), [large])).toBeUndefined();
    expect(run("Mul", [tensor([1], [3], "int64"), tensor([1], [5], "int64")])?.[0]?.data).toEqual([
      15,
    ]);
  });
});
