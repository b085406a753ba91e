import { describe, expect, it } from "vitest";
import { elementCount, type Shape } from "../../base/shape.ts";
import { planExchange, transposeValue } from "./transpose.ts";

/** Every order of 0 … rank - 1. */
function permutations(rank: number): number[][] {
  if (rank === 0) return [[]];
  return permutations(rank - 1).flatMap((rest) =>
    Array.from({ length: rank }, (_, at) => rest.toSpliced(at, 0, rank - 1)),
  );
}

/** By the definition: the element at index i of the result stands at index j of the source, j[axes[k]] = i[k]. */
function byDefinition(values: Float32Array, shape: Shape, axes: readonly number[]): number[] {
  const result = axes.map((axis) => shape[axis]!);
  return Array.from({ length: values.length }, (_, at) => {
    const index: number[] = [];
    let rest = at;
    for (const [k, axis] of [...axes.entries()].reverse()) {
      index[axis] = rest % result[k]!;
      rest = Math.floor(rest / result[k]!);
    }
    return values[index.reduce((offset, i, axis) => offset * shape[axis]! + i, 0)]!;
  });
}

describe("transposing constants", () => {
  it("moves every element where the definition says, for all permutations up to rank 4", () => {
    for (const shape of [[], [5], [3, 70], [2, 33, 5], [2, 3, 5, 7], [1, 3, 1, 4]]) {
      const data = Float32Array.from({ length: elementCount(shape) }, (_, i) => i);
      for (const axes of permutations(shape.length)) {
        const value = transposeValue({ dtype: "float32", shape, data }, axes, "test");
        expect(value?.shape).toEqual(axes.map((axis) => shape[axis]));
        expect([...(value!.data as Float32Array)], `${shape} by ${axes}`).toEqual(
          byDefinition(data, shape, axes),
        );
      }
    }
  });

  it("keeps 64-bit integers, half floats and strings as they are", () => {
    const moved = (dtype: "int64" | "float16" | "string", data: never) =>
      transposeValue({ dtype, shape: [2, 2], data }, [1, 0], "test")?.data;
    const integers = BigInt64Array.of(1n, 2n ** 62n, -3n, 4n);
    expect(moved("int64", integers as never)).toEqual(BigInt64Array.of(1n, -3n, 2n ** 62n, 4n));
    expect(moved("float16", Uint16Array.of(1, 2, 3, 4) as never)).toEqual(
      Uint16Array.of(1, 3, 2, 4),
    );
    const texts = ["a", "b", "c", "d"].map((text) => new TextEncoder().encode(text));
    expect(moved("string", texts as never)).toEqual([texts[0], texts[2], texts[1], texts[3]]);
  });
});

describe("the exchange of two axes", () => {
  it("is what the layouts of weights need", () => {
    const plan = (axes: number[]) => planExchange([2, 3, 5, 7], axes);
    expect(plan([3, 0, 1, 2])).toEqual({ batches: 1, rows: 30, columns: 7 });
    expect(plan([0, 1, 3, 2])).toEqual({ batches: 6, rows: 5, columns: 7 });
    expect(plan([2, 3, 0, 1])).toEqual({ batches: 1, rows: 6, columns: 35 });
  });

  it("is not there where nothing moves or more than two runs of axes do", () => {
    expect(planExchange([2, 3], [0, 1])).toBeUndefined();
    expect(planExchange([2, 3, 5], [2, 1, 0])).toBeUndefined();
    expect(planExchange([2, 3, 5, 7], [2, 0, 1, 3])).toBeUndefined();
  });
});
