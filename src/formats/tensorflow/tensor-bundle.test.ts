import { describe, expect, it } from "vitest";
import {
  encodeEntry,
  encodeHeader,
  encodeTable,
  shapeMessage,
  type TableOptions,
} from "../../../test/checkpoint-writer.ts";
import { encodeFields, type Field, message, varint } from "../../../test/wire-writer.ts";
import { isOctavoError } from "../../base/errors.ts";
import { memoryTree } from "../../io/memory.ts";
import { crc32c } from "../checksum/crc.ts";
import { maskCrc } from "./mask-crc.ts";
import { encodeSliceKey } from "./ordered-code.ts";
import { openTensorBundle, type TensorBundle } from "./tensor-bundle.ts";

const A = new Uint8Array(Float32Array.from([1, 2, 3, 4, 5, 6]).buffer);
const B = new Uint8Array(Int32Array.from([7, 8]).buffer);

interface Checkpoint {
  readonly entries: readonly (readonly [string, Uint8Array])[];
  readonly data: readonly Uint8Array[];
  readonly table?: TableOptions;
}

function treeOf({ entries, data, table }: Checkpoint) {
  const sorted = [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
  const files = new Map([["v/v.index", encodeTable(sorted, table)]]);
  const count = String(data.length).padStart(5, "0");
  for (const [i, bytes] of data.entries()) {
    files.set(`v/v.data-${String(i).padStart(5, "0")}-of-${count}`, bytes);
  }
  return files;
}

async function open(checkpoint: Checkpoint): Promise<TensorBundle> {
  const bundle = await openTensorBundle(memoryTree(treeOf(checkpoint)), "v/v");
  expect(bundle).toBeDefined();
  return bundle!;
}

async function code(run: Promise<unknown>): Promise<string> {
  try {
    await run;
  } catch (error) {
    return isOctavoError(error) ? error.code : String(error);
  }
  return "no error";
}

const TWO_FILES: Checkpoint = {
  entries: [
    ["", encodeHeader(2)],
    ["layer/a", encodeEntry({ dtype: 1, shape: [2, 3], offset: 0, bytes: A })],
    ["layer/b", encodeEntry({ dtype: 3, shape: [2], shard: 1, offset: 4, bytes: B })],
  ],
  data: [A, Uint8Array.from([9, 9, 9, 9, ...B])],
};

describe("openTensorBundle", () => {
  it.each([{}, { snappy: true }, { entriesPerBlock: 1 }, { snappy: true, entriesPerBlock: 2 }])(
    "reads tensors from several data files, index with %o",
    async (table) => {
      const bundle = await open({ ...TWO_FILES, table });
      expect(bundle.has("layer/a")).toBe(true);
      expect(bundle.has("layer")).toBe(false);
      expect(await bundle.read("layer/a")).toEqual({
        dtype: "float32",
        shape: [2, 3],
        data: Float32Array.of(1, 2, 3, 4, 5, 6),
      });
      expect((await bundle.read("layer/b")).data).toEqual(Int32Array.of(7, 8));
    },
  );

  it("is undefined where there is no index", async () => {
    expect(await openTensorBundle(memoryTree(new Map()), "v/v")).toBeUndefined();
  });

  it("swaps the bytes of a big-endian checkpoint", async () => {
    const swapped = Uint8Array.from([0, 0, 0, 7, 0, 0, 0, 8]);
    const bundle = await open({
      entries: [
        ["", encodeHeader(1, 1)],
        ["b", encodeEntry({ dtype: 3, shape: [2], offset: 0, bytes: swapped })],
      ],
      data: [swapped],
    });
    expect((await bundle.read("b")).data).toEqual(Int32Array.of(7, 8));
    expect(swapped[3]).toBe(7);
  });

  it("joins the slices of a partitioned tensor", async () => {
    const left = new Uint8Array(Float32Array.of(1, 2, 4, 5).buffer);
    const right = new Uint8Array(Float32Array.of(3, 6).buffer);
    const extent = (start: number, length: number): Field => [1, message([1, start], [2, length])];
    const all: Field = [1, message()];
    const entry = encodeFields([
      [1, 1],
      [2, shapeMessage([2, 3])],
      [7, message(all, extent(0, 2))],
      [7, message(all, extent(2, 1))],
    ]);
    const key = (start: number, length: number) =>
      encodeSliceKey("w", [
        { start: 0, length: -1 },
        { start, length },
      ]);
    const bundle = await open({
      entries: [
        ["", encodeHeader()],
        [key(0, 2), encodeEntry({ dtype: 1, shape: [2, 2], offset: 0, bytes: left })],
        [key(2, 1), encodeEntry({ dtype: 1, shape: [2, 1], offset: 16, bytes: right })],
        ["w", entry],
      ],
      data: [Uint8Array.from([...left, ...right])],
    });
    expect((await bundle.read("w")).data).toEqual(Float32Array.of(1, 2, 3, 4, 5, 6));
  });

  it("reads strings and checks the checksums of their lengths and bytes", async () => {
    const lengths = Uint8Array.from([2, 0, 0, 0, 0, 0, 0, 0]);
    const crc = maskCrc(crc32c(lengths));
    const crcBytes = [0, 8, 16, 24].map((shift) => (crc >>> shift) & 0xff);
    const bytes = Uint8Array.from([...varint(2), ...varint(0), ...crcBytes, 104, 105]);
    const whole = maskCrc(crc32c(bytes.subarray(2), crc32c(lengths)));
    const entries = (data: Uint8Array): Checkpoint => ({
      entries: [
        ["", encodeHeader()],
        ["s", encodeEntry({ dtype: 7, shape: [2], offset: 0, bytes: data, crc: whole })],
      ],
      data: [data],
    });
    const bundle = await open(entries(bytes));
    expect((await bundle.read("s")).data).toEqual([Uint8Array.of(104, 105), new Uint8Array(0)]);
    for (const position of [0, 1, 3, 7]) {
      const damaged = bytes.slice();
      damaged[position]! ^= 1;
      const other = await open(entries(damaged));
      expect(await code(other.read("s"))).toBe("FormatError");
    }
  });

  it("names the data file that is missing", async () => {
    const files = treeOf(TWO_FILES);
    files.delete("v/v.data-00001-of-00002");
    const bundle = await openTensorBundle(memoryTree(files, "model"), "v/v");
    await expect(bundle!.read("layer/b")).rejects.toThrow(
      "model/v/v.data-00001-of-00002: no such file, expected data file 2 of 2 of the checkpoint.",
    );
  });

  it("refuses a tensor whose bytes do not match their checksum", async () => {
    const files = treeOf(TWO_FILES);
    const damaged = A.slice();
    damaged[5]! ^= 4;
    files.set("v/v.data-00000-of-00002", damaged);
    const bundle = await openTensorBundle(memoryTree(files), "v/v");
    expect(await code(bundle!.read("layer/a"))).toBe("FormatError");
  });

  it("refuses entries that unfold the same bytes again and again", async () => {
    const entries = Array.from({ length: 20 }, (_, i): [string, Uint8Array] => [
      `n${String(i).padStart(2, "0")}`,
      encodeEntry({ dtype: 1, shape: [6], offset: 0, bytes: A }),
    ]);
    const bundle = await open({ entries: [["", encodeHeader()], ...entries], data: [A] });
    expect(await code(bundle.read("n00"))).toBe("no error");
    expect(await code(bundle.read("n00"))).toBe("no error");
    expect(await code(bundle.read("n01"))).toBe("FormatError");
  });

  it.each<[string, Uint8Array]>([
    ["a place past the end", encodeEntry({ dtype: 1, shape: [6], offset: 4, bytes: A })],
    ["another size than the shape", encodeEntry({ dtype: 1, shape: [7], offset: 0, bytes: A })],
    [
      "a data file beyond the count",
      encodeEntry({ dtype: 1, shape: [6], shard: 9, offset: 0, bytes: A }),
    ],
    ["an unknown dimension", encodeEntry({ dtype: 1, shape: [-1], offset: 0, bytes: A })],
    ["bytes that are no entry", Uint8Array.from([0x0a])],
  ])("refuses an entry with %s", async (_, entry) => {
    const bundle = await open({
      entries: [
        ["", encodeHeader()],
        ["a", entry],
      ],
      data: [A],
    });
    expect(await code(bundle.read("a"))).toBe("FormatError");
  });

  it("notices every flipped bit of an index", async () => {
    const files = treeOf({ ...TWO_FILES, table: { entriesPerBlock: 1 } });
    const index = files.get("v/v.index")!;
    const undamaged = async (bytes: Uint8Array): Promise<unknown> => {
      const bundle = await openTensorBundle(
        memoryTree(new Map([...files, ["v/v.index", bytes]])),
        "v/v",
      );
      return (await bundle!.read("layer/a")).data;
    };
    const good = await undamaged(index);
    for (let bit = 0; bit < index.length * 8; bit++) {
      const damaged = index.slice();
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      try {
        // The footer's padding and the unused meta block are nobody's business.
        expect(await undamaged(damaged)).toEqual(good);
      } catch (error) {
        expect(isOctavoError(error, "FormatError")).toBe(true);
      }
    }
  });

  it("refuses an index cut at any length", async () => {
    const index = treeOf(TWO_FILES).get("v/v.index")!;
    for (let length = 0; length < index.length; length++) {
      const tree = memoryTree(new Map([["v/v.index", index.subarray(0, length)]]));
      expect(await code(openTensorBundle(tree, "v/v"))).toBe("FormatError");
    }
  });
});
