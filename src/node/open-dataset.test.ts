import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FormatError, IoError, ShapeError } from "../base/errors.ts";
import { encodeNpy } from "../formats/npy/npy.ts";
import { openDataset, readDatasetDescription } from "./open-dataset.ts";

let folder: string;
const fixture = (path: string) =>
  fileURLToPath(new URL(`../../test/fixtures/${path}`, import.meta.url));
const at = (...names: string[]) => join(folder, ...names);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "octavo-dataset-"));
  await mkdir(at("images"));
  await copyFile(fixture("jpeg/dot.jpg"), at("images", "b.jpg"));
  await copyFile(fixture("png/dot_interlaced.png"), at("images", "a.png"));
  await writeFile(at("images", "notes.txt"), "no image");
  await mkdir(at("raw"));
  await writeFile(at("raw", "one.bin"), new Uint8Array([255, 1]));
  await writeFile(at("raw", "two.bin"), new Uint8Array([2, 3]));
  await writeFile(at("raw.csv"), "two.bin,2,1\none.bin,2,0\n");
  await writeFile(at("labels.txt"), "dog\ncat\n");
  await writeFile(at("names.txt"), "cat\ndog\n");
});

afterAll(() => rm(folder, { recursive: true }));

describe("openDataset", () => {
  it("reads a folder of images in the order of their names, with labels from lines", async () => {
    const dataset = await openDataset({
      data: at("images"),
      labels: at("labels.txt"),
      classNames: at("names.txt"),
    });
    expect(dataset).toMatchObject({ length: 2, hasLabels: true });
    const first = await dataset.read(0);
    expect(first).toMatchObject({ name: "a.png", label: 1 });
    expect(first.value).toMatchObject({ width: 1, height: 1, channels: 3 });
    expect([...first.value.data].map(Number)).toEqual([9, 8, 7]);
    expect(await dataset.read(1)).toMatchObject({ name: "b.jpg", label: 0 });
    await dataset.close();
  });

  it("reads raw files in the order of the table that names them", async () => {
    const dataset = await openDataset({ data: at("raw"), labels: at("raw.csv"), dtype: "int8" });
    expect(await dataset.read(0)).toMatchObject({ name: "two.bin", label: 1 });
    expect((await dataset.read(1)).value).toEqual({ dtype: "int8", data: new Int8Array([-1, 1]) });
  });

  it("reads rows of an array, as the description of the embedded model's test images says", async () => {
    const description = await readDatasetDescription(fixture("digits/dataset.json"));
    expect(description.scale).toEqual([1 / 16]);
    const dataset = await openDataset(description);
    expect(dataset.length).toBe(360);
    const sample = await dataset.read(359);
    expect(sample.value.data).toHaveLength(64);
    expect(sample.label).toBeLessThan(10);
    await dataset.close();
  });

  it("refuses what does not belong together", async () => {
    await writeFile(at("three.txt"), "0\n1\n2\n");
    const images = { data: at("images"), labels: at("three.txt") };
    await expect(openDataset(images)).rejects.toThrow(ShapeError);
    const rows = encodeNpy({ dtype: "float32", shape: [2, 1], data: new Float32Array(2) });
    await writeFile(at("rows.npy"), rows);
    const array = { data: at("rows.npy"), labels: at("three.txt") };
    await expect(openDataset(array)).rejects.toThrow("2 rows and 3 labels");
    await expect(openDataset({ data: at("nowhere") })).rejects.toThrow(IoError);
    await expect(openDataset({ data: at("labels.txt") })).rejects.toThrow(FormatError);
  });

  it("names the file that is missing or does not fit its type", async () => {
    await writeFile(at("wrong.csv"), "three.bin,0\n");
    const missing = await openDataset({ data: at("raw"), labels: at("wrong.csv"), dtype: "int8" });
    await expect(missing.read(0)).rejects.toThrow("raw/three.bin: no such file");
    await writeFile(at("escape.csv"), "../labels.txt,0\n");
    const outside = await openDataset({ data: at("raw"), labels: at("escape.csv"), dtype: "int8" });
    await expect(outside.read(0)).rejects.toThrow(IoError);
    const wide = await openDataset({ data: at("raw"), labels: at("raw.csv"), dtype: "float32" });
    await expect(wide.read(0)).rejects.toThrow("2 bytes, expected a multiple of 4 for float32");
  });
});
