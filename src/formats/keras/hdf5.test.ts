import { File, ready } from "h5wasm";
import { describe, expect, it } from "vitest";
import { isOctavoError } from "../../base/errors.ts";
import { openHdf5 } from "./hdf5.ts";

/** The bytes of a file with one dataset "d", written by the HDF5 library. */
async function written(
  data: Float32Array,
  layout: { chunks?: number[]; compression?: number } = {},
): Promise<Uint8Array> {
  const { FS } = await ready;
  const file = new File("written.h5", "w");
  file.create_dataset({ name: "d", data, shape: [data.length], ...layout });
  file.create_attribute("names", ["one", "two"]);
  file.create_attribute("padded", "abc\0\0");
  file.flush();
  file.close();
  const bytes = FS.readFile("written.h5").slice();
  FS.unlink("written.h5");
  return bytes;
}

async function failure(bytes: Uint8Array, path: string): Promise<string> {
  try {
    const file = await openHdf5(bytes, "file");
    try {
      file.dataset(path);
    } finally {
      file.close();
    }
  } catch (error) {
    if (isOctavoError(error)) return `${error.code}: ${error.message}`;
    throw error;
  }
  return "no error";
}

const NUMBERS = Float32Array.from({ length: 1000 }, (_, i) => Math.fround(Math.sin(i)));

describe("HDF5 files", () => {
  it.each([
    ["in one piece", {}],
    ["in chunks", { chunks: [64] }],
    ["in deflated chunks", { chunks: [128], compression: 9 }],
  ])("give back a dataset that is stored %s", async (_, layout) => {
    const file = await openHdf5(await written(NUMBERS, layout), "file");
    expect(file.dataset("d")).toEqual({ dtype: "float32", shape: [1000], data: NUMBERS });
    expect(file.keys("")).toEqual(["d"]);
    expect(file.texts("", "names")).toEqual(["one", "two"]);
    expect(file.text("", "padded")).toBe("abc");
    file.close();
  });

  it("are refused a dataset that unfolds to more than 64 times the file, before it does", async () => {
    const bomb = await written(new Float32Array(4_000_000), { chunks: [400_000], compression: 9 });
    expect(bomb.length).toBeLessThan(100_000);
    expect(await failure(bomb, "d")).toMatch(/^LimitError: file, d: a dataset of 16000000 bytes/);
  });

  it("say which dataset is not there", async () => {
    expect(await failure(await written(NUMBERS), "e")).toMatch(/^FormatError: .*dataset "e"/);
  });

  it("do not get into each other's way", async () => {
    const [one, two] = await Promise.all([
      openHdf5(await written(NUMBERS), "one"),
      openHdf5(await written(NUMBERS.map((x) => -x)), "two"),
    ]);
    expect(one.dataset("d").data[1]).toBe(NUMBERS[1]);
    expect(two.dataset("d").data[1]).toBe(-NUMBERS[1]!);
    one.close();
    two.close();
  });
});
