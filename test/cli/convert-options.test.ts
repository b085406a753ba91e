/** Options of `octavo convert` that decide what is written for loops and for operations without an operator. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Optimize, TFLiteConverter } from "../../src/index.ts";
import { parseModel } from "../../src/model/read.ts";
import { octavo } from "../command-line.ts";
import { countsOf } from "../convert/fixtures.ts";

const models = fileURLToPath(new URL("../fixtures/convert/", import.meta.url));
const custom = join(models, "custom");
let folder: string;
let gru: string;
const path = (name: string): string => join(folder, name);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "octavo-convert-"));
  gru = path("gru.pb");
  writeFileSync(gru, gunzipSync(readFileSync(join(models, "gru.pb.gz"))));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const operatorsOf = (file: string): string[] =>
  Object.keys(countsOf(parseModel(new Uint8Array(readFileSync(file))).model));

describe("octavo convert", () => {
  it("refuses what has no operator, names all of it, and writes nothing", async () => {
    const { code, stderr } = await octavo("convert", custom, "-o", path("refused.tflite"));
    expect(code).toBe(1);
    expect(stderr).toMatch(/2 operations .*ResizeBicubic/);
    expect(stderr).toContain("ExtractImagePatches");
    expect(readdirSync(folder)).not.toContain("refused.tflite");
  });

  it.each([
    ["--allow-custom-ops", "ResizeBicubic"],
    ["--select-tf-ops", "FlexResizeBicubic"],
  ])("%s writes it, and warns", async (option, operator) => {
    const file = path(`${operator}.tflite`);
    const { code, stderr } = await octavo("convert", custom, "-o", file, option);
    expect(code, stderr).toBe(0);
    expect(operatorsOf(file)).toContain(operator);
    expect(stderr).toMatch(/custom operators, which TensorFlow Lite itself cannot run: .*Resize/);
  });

  it.each([
    ["0", true],
    ["4", true],
    ["5", false],
  ])("--unroll %s of a loop of 5 steps: keeps it: %s", async (steps, keeps) => {
    const file = path(`unrolled-${steps}.tflite`);
    const { code, stderr } = await octavo("convert", gru, "-o", file, "--unroll", steps);
    expect(code, stderr).toBe(0);
    expect(operatorsOf(file).includes("WHILE")).toBe(keeps);
  });

  it.each([
    ["--unroll", "-1"],
    ["--unroll", "many"],
  ])("%s %s is wrong usage", async (...option) => {
    const { code } = await octavo("convert", gru, "-o", path("never.tflite"), ...option);
    expect(code).toBe(2);
  });

  it("refuses the options for a file that is not lowered", async () => {
    const file = path("small.tflite");
    await octavo("convert", gru, "-o", file);
    const again = await octavo("convert", file, "-o", path("never.tflite"), "--allow-custom-ops");
    expect(again.code).toBe(2);
    expect(again.stderr).toContain("--allow-custom-ops");
  });
});

describe("TFLiteConverter", () => {
  it("has the same choices", async () => {
    const converter = await TFLiteConverter.fromSavedModel(custom);
    await expect(converter.convert()).rejects.toThrow(/ResizeBicubic/);
    converter.allowCustomOps = true;
    converter.targetSpec.supportedOps = ["TFLITE_BUILTINS", "SELECT_TF_OPS"];
    converter.optimizations = [Optimize.DEFAULT];
    const { model } = parseModel(await converter.convert());
    expect(Object.keys(countsOf(model)).sort()).toEqual([
      "FlexExtractImagePatches",
      "FlexResizeBicubic",
      "RELU",
    ]);
  });
});
