/** The commands on the embedded model, from SavedModel to accuracy, held to what TensorFlow says of it. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseNpy } from "../../src/formats/npy/npy.ts";
import { octavo } from "../command-line.ts";

const digits = fileURLToPath(new URL("../fixtures/digits/", import.meta.url));
/** All stored samples at once. */
const BATCH = ["--input-shape", "image=16,8,8,1"];
let folder: string;
const path = (name: string): string => join(folder, name);

/** Runs a command that must succeed, and returns what it printed. */
async function done(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await octavo(...args);
  expect(code, stderr).toBe(0);
  return stdout;
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "octavo-commands-"));
  await done("convert", join(digits, "saved_model"), "-o", path("float.tflite"));
  await done("convert", join(digits, "saved_model"), "-o", path("batch.tflite"), ...BATCH);
  await done("quantize", path("batch.tflite"), "-o", path("batch_8bit.tflite"));
  await done("quantize", path("float.tflite"), "-o", path("dynamic_range.tflite"));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a model on the stored samples and returns the scores. */
async function scoresOf(model: string): Promise<Float32Array> {
  const outputs = path(`outputs-${model}`);
  const input = join(digits, "sample_inputs.npy");
  await done("run", path(model), "--input", input, "--output-dir", outputs);
  const [file, ...others] = readdirSync(outputs);
  expect(others).toEqual([]);
  expect(file).toMatch(/^0_\w+\.npy$/);
  const { dtype, shape, data } = parseNpy(readFileSync(join(outputs, file as string)));
  expect({ dtype, shape }).toEqual({ dtype: "float32", shape: [16, 10] });
  return data as Float32Array;
}

const expected = (): Float32Array =>
  parseNpy(readFileSync(join(digits, "sample_outputs.npy"))).data as Float32Array;

const largestDifference = (a: Float32Array, b: Float32Array): number =>
  a.reduce((largest, value, index) => Math.max(largest, Math.abs(value - b[index]!)), 0);

describe("convert and run", () => {
  it("give TensorFlow's own answers for a float model", async () => {
    expect(largestDifference(await scoresOf("batch.tflite"), expected())).toBeLessThan(1e-5);
  });

  it("stay close to them with 8-bit weights", async () => {
    expect(largestDifference(await scoresOf("batch_8bit.tflite"), expected())).toBeLessThan(0.05);
  });

  it("write the same file in one step as in two", async () => {
    await done(
      "convert",
      join(digits, "saved_model"),
      "-o",
      path("direct.tflite"),
      "--optimize",
      "size",
    );
    expect(readFileSync(path("direct.tflite"))).toEqual(readFileSync(path("dynamic_range.tflite")));
  });

  it("take inputs by the signature's name", async () => {
    const input = join(digits, "sample_inputs.npy");
    const outputs = path("by-name");
    await done("run", path("batch.tflite"), "--input", `image=${input}`, "--output-dir", outputs);
    expect(readdirSync(outputs)).toHaveLength(1);
  });
});

describe("convert reports", () => {
  it("what goes in and out, what became of the operations, and what was guessed", async () => {
    const file = path("conversion.json");
    const printed = await done(
      ...["convert", join(digits, "saved_model"), "-o", path("reported.tflite")],
      ...["--report", file],
    );
    expect(printed).toMatch(/^input +image +float32 +\[1, 8, 8, 1\] +\[-1, 8, 8, 1\] in the/m);
    expect(printed).toContain("59 TensorFlow operations became 11 operators: 4 CONV_2D, ");
    expect(printed).toContain("fuse activations: 1 RELU, 5 RELU6 gone");
    const { mode, conversion, diagnostics } = JSON.parse(readFileSync(file, "utf8"));
    expect(mode).toBe("float");
    expect(conversion.inputs).toEqual([
      {
        name: "image",
        tensor: "serving_default_image:0",
        dtype: "float32",
        shape: [1, 8, 8, 1],
        sourceShape: [-1, 8, 8, 1],
      },
    ]);
    expect(conversion.outputs).toMatchObject([{ dtype: "float32", shape: [1, 10] }]);
    // As scripts/fixtures/train_digits.py builds it.
    expect(conversion.source).toMatchObject({ Conv2D: 4, DepthwiseConv2dNative: 1, MatMul: 2 });
    expect(conversion.result).toMatchObject({ CONV_2D: 4, DEPTHWISE_CONV_2D: 1 });
    expect(diagnostics.map(({ id }: { id: string }) => id)).toEqual(["batch-fixed"]);
    for (const { before, after, changes } of conversion.passes) {
      const sum = Object.values<number>(changes).reduce((total, count) => total + count, 0);
      expect(sum).toBe(after - before);
    }
  });

  it("a batch that stays open, where it was asked for", async () => {
    const printed = await done(
      ...["convert", join(digits, "saved_model"), "-o", path("open.tflite")],
      ...["--keep-dynamic-batch", "--json"],
    );
    const { conversion, diagnostics } = JSON.parse(printed);
    expect(conversion.inputs).toMatchObject([{ shape: [-1, 8, 8, 1] }]);
    expect(conversion.outputs).toMatchObject([{ shape: [-1, 10] }]);
    expect(diagnostics).toEqual([]);
    expect(largestDifference(await scoresOf("open.tflite"), expected())).toBeLessThan(1e-5);
  });
});

describe("quantize", () => {
  it("reports every weight, or why it stayed float, on the screen and as JSON", async () => {
    const report = path("report.json");
    const printed = await done(
      ...["quantize", path("float.tflite"), "-o", path("reported.tflite")],
      ...["--mode", "weight_only", "--report", report],
    );
    expect(printed).toMatch(/5 weights quantized \(weight_only\)/);
    expect(printed).toMatch(/Stayed float:\n.*× \d+ elements are fewer than 1024/);
    const { quantization, byteLength } = JSON.parse(readFileSync(report, "utf8"));
    expect(quantization.quantized).toHaveLength(5);
    expect(byteLength).toBe(statSync(path("reported.tflite")).size);
  });

  it("prints the same report with --json, as one document", async () => {
    const printed = await done(
      "quantize",
      path("float.tflite"),
      "-o",
      path("half.tflite"),
      "--mode",
      "float16",
      "--json",
    );
    expect(JSON.parse(printed).quantization.mode).toBe("float16");
    expect(statSync(path("half.tflite")).size).toBeLessThan(
      statSync(path("float.tflite")).size * 0.6,
    );
  });

  it("leaves out what a pattern excludes", async () => {
    const printed = await done(
      ...["quantize", path("float.tflite"), "-o", path("mixed.tflite")],
      ...["--exclude", "op:CONV_2D", "--json"],
    );
    const readers = JSON.parse(printed).quantization.quantized.flatMap(
      ({ readBy }: { readBy: string[] }) => readBy,
    );
    expect(readers.filter((reader: string) => reader.startsWith("CONV_2D"))).toEqual([]);
    expect(readers.length).toBeGreaterThan(0);
  });
});

describe("evaluate", () => {
  const data = (): string[] => [
    ...["--data", join(digits, "test_images.npy"), "--labels", join(digits, "test_labels.npy")],
    ...["--scale", "1/16"],
  ];

  it("finds TensorFlow's accuracy for the float model, and what quantization cost", async () => {
    const printed = await done(
      ...["evaluate", path("dynamic_range.tflite"), "--baseline", path("float.tflite")],
      ...[...data(), "--json"],
    );
    const [float, quantized] = JSON.parse(printed).models;
    expect(float.top1).toBeCloseTo(358 / 360, 10);
    expect(quantized.top1).toBeGreaterThan(0.98);
    expect(quantized.comparison.agreement).toBeGreaterThan(0.99);
    expect(quantized.comparison.sizeRatio).toBeLessThan(0.4);
  });

  it("prints a table", async () => {
    const printed = await done("evaluate", path("float.tflite"), ...data(), "--limit", "20");
    expect(printed).toMatch(/^model +size +top-1 +top-5 +latency\nfloat\.tflite +/);
    expect(printed).toContain("20 samples");
  });
});

describe("compare", () => {
  it("finds no difference between a model and itself", async () => {
    const printed = await done("compare", path("float.tflite"), path("float.tflite"), "--json");
    const { outputs, layers, unmatched } = JSON.parse(printed);
    const differences = [...outputs, ...layers].map(({ largestDifference: most }) => most);
    expect(differences.length).toBeGreaterThan(8);
    expect(Math.max(...differences)).toBe(0);
    expect(unmatched).toBe(0);
  });

  it("shows where 8-bit weights begin to tell", async () => {
    const images = join(digits, "test_images.npy");
    const printed = await done(
      ...["compare", path("float.tflite"), path("dynamic_range.tflite")],
      ...["--data", images, "--scale", "1/16", "--limit", "4", "--json"],
    );
    const { layers, samples } = JSON.parse(printed);
    expect(samples).toBe(4);
    // The first convolution has too few weights to be quantized; the second has enough.
    expect(layers[0].sqnrDb).toBeNull();
    const convolutions = layers.filter(({ op }: { op: string }) => op === "CONV_2D");
    expect(convolutions[1].sqnrDb).toBeGreaterThan(20);
    expect(convolutions[1].sqnrDb).toBeLessThan(80);
  });
});

describe("inspect", () => {
  it("shows operators, sizes and quantization of a .tflite file", async () => {
    const printed = await done("inspect", path("dynamic_range.tflite"));
    expect(printed).toContain("CONV_2D");
    expect(printed).toContain("hybrid");
  });

  it("shows the operations of a SavedModel", async () => {
    const printed = await done("inspect", join(digits, "saved_model"), "--json");
    expect(JSON.parse(printed)).toMatchObject({
      format: "saved_model",
      inputs: [{ name: "image", dtype: "float32", shape: [-1, 8, 8, 1] }],
    });
  });
});
