import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isOctavoError } from "../base/errors.ts";
import type { DimensionMetadata, SparsityParameters } from "../formats/tflite/schema.gen.ts";
import { expandSparse } from "./sparse-constant.ts";

const dense = (dense_size: number): DimensionMetadata => ({ format: "DENSE", dense_size });

const compressed = (
  segments: readonly number[],
  indices: readonly number[],
): DimensionMetadata => ({
  format: "SPARSE_CSR",
  dense_size: 0,
  array_segments: { type: "Int32Vector", value: { values: segments } },
  array_indices: { type: "Int32Vector", value: { values: indices } },
});

/** [[1, 0, 2], [0, 0, 0], [0, 3, 0]] by rows. */
const ROWS: SparsityParameters = {
  traversal_order: [0, 1],
  dim_metadata: [dense(3), compressed([0, 2, 2, 3], [0, 2, 1])],
};

const expand = (sparsity: SparsityParameters, bytes: readonly number[], shape = [3, 3]) =>
  Array.from(expandSparse("t", "uint8", shape, sparsity, Uint8Array.from(bytes)));

describe("sparse constants", () => {
  it("puts stored elements where rows and columns say", () => {
    expect(expand(ROWS, [1, 2, 3])).toEqual([1, 0, 2, 0, 0, 0, 0, 3, 0]);
  });

  it("reads the same matrix by columns", () => {
    const columns = {
      traversal_order: [1, 0],
      dim_metadata: [dense(3), compressed([0, 1, 2, 3], [0, 2, 0])],
    };
    expect(expand(columns, [1, 3, 2])).toEqual([1, 0, 2, 0, 0, 0, 0, 3, 0]);
  });

  it("puts blocks of 2 × 2 in their places", () => {
    const blocks = {
      traversal_order: [0, 1, 2, 3],
      block_map: [0, 1],
      dim_metadata: [dense(2), compressed([0, 1, 2], [1, 0]), dense(2), dense(2)],
    };
    expect(expand(blocks, [1, 2, 3, 4, 5, 6, 7, 8], [4, 4])).toEqual([
      ...[0, 0, 1, 2],
      ...[0, 0, 3, 4],
      ...[5, 6, 0, 0],
      ...[7, 8, 0, 0],
    ]);
  });

  it("gives zeros where nothing is stored", () => {
    const empty = { ...ROWS, dim_metadata: [dense(3), compressed([0, 0, 0, 0], [])] };
    expect(expand(empty, [])).toEqual(new Array(9).fill(0));
  });

  const second = (metadata: DimensionMetadata) => ({ ...ROWS, dim_metadata: [dense(3), metadata] });

  it.each<[string, SparsityParameters, RegExp]>([
    ["no order", { dim_metadata: ROWS.dim_metadata! }, /traversal order/],
    ["an order with a dimension twice", { ...ROWS, traversal_order: [0, 0] }, /traversal order/],
    [
      "a block of a dimension that is not there",
      { ...ROWS, traversal_order: [0, 1, 2], block_map: [2] },
      /block map/,
    ],
    [
      "too few dimensions",
      { ...ROWS, dim_metadata: [dense(3)] },
      /1 dimensions of metadata, expected 2/,
    ],
    [
      "another dense size",
      { ...ROWS, dim_metadata: [dense(2 ** 31 - 1), dense(3)] },
      /dense size of 2147483647, expected 3/,
    ],
    ["segments that start late", second(compressed([1, 2, 2, 3], [0, 2, 1])), /segments from 1/],
    ["segments out of order", second(compressed([0, 3, 2, 3], [0, 1, 2])), /a segment 3 to 2/],
    [
      "segments beyond the indices",
      second(compressed([0, 9, 2, 3], [0, 1, 2])),
      /a segment 0 to 9/,
    ],
    ["too few segments", second(compressed([0, 3], [0, 1, 2])), /2 segments .* expected 4/],
    ["an index outside", second(compressed([0, 2, 2, 3], [0, 3, 1])), /index 3, expected 1 to 2/],
    ["a negative index", second(compressed([0, 2, 2, 3], [-1, 2, 1])), /index -1, expected 0 to 2/],
    ["an index twice", second(compressed([0, 2, 2, 3], [2, 2, 1])), /index 2, expected 3 to 2/],
    ["indices that are not there", second({ format: "SPARSE_CSR", dense_size: 0 }), /0 segments/],
  ])("refuses %s", (_, sparsity, message) => {
    expect(() => expand(sparsity, [1, 2, 3])).toThrow(message);
  });

  it.each([
    ["blocks that do not fit", 2, dense(2)],
    ["blocks of nothing", 2, dense(0)],
    ["compressed blocks", 3, compressed([0, 1], [0])],
  ] as const)("refuses %s", (_, __, block) => {
    const blocks = {
      traversal_order: [0, 1, 2],
      block_map: [1],
      dim_metadata: [dense(3), compressed([0, 1, 1, 1], [0]), block],
    };
    expect(() => expand(blocks, [1, 2])).toThrow(/blocks of \d in a dimension of 3/);
  });

  it("refuses other numbers of elements than are named, and elements smaller than a byte", () => {
    expect(() => expand(ROWS, [1, 2])).toThrow(/2 bytes of data, expected 3/);
    const bytes = Uint8Array.of(1, 2, 3);
    expect(() => expandSparse("t", "int4", [3, 3], ROWS, bytes)).toThrow(/elements of type int4/);
  });

  it("answers or refuses whatever the parameters, in the memory that the shape asks for", () => {
    const small = fc.constantFrom(-1, 0, 1, 2, 3, 4, 2 ** 31 - 1);
    const list = fc.array(small, { maxLength: 6 });
    const metadata = fc.oneof(
      small.map(dense),
      fc.tuple(list, list).map(([s, i]) => compressed(s, i)),
    );
    fc.assert(
      fc.property(
        fc.array(fc.nat(3), { maxLength: 4 }),
        list,
        list,
        fc.array(metadata, { maxLength: 5 }),
        fc.uint8Array({ maxLength: 8 }),
        (shape, traversal_order, block_map, dim_metadata, bytes) => {
          const sparsity = { traversal_order, block_map, dim_metadata };
          try {
            const result = expandSparse("t", "int16", shape, sparsity, bytes);
            expect(result).toHaveLength(2 * shape.reduce((product, size) => product * size, 1));
          } catch (error) {
            if (!isOctavoError(error)) throw error;
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});
