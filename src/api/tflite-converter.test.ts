import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { Optimize, TFLiteConverter } from "./tflite-converter.ts";

const digits = fileURLToPath(new URL("../../test/fixtures/digits/saved_model", import.meta.url));

describe("names of TensorFlow 1", () => {
  it("postTrainingQuantize gives the same bytes as optimizations", async () => {
    const converter = await TFLiteConverter.fromSavedModel(digits);
    const float = await converter.convert();
    converter.postTrainingQuantize = true;
    const old = await converter.convert();
    converter.postTrainingQuantize = false;
    expect(await converter.convert()).toEqual(float);
    converter.optimizations = [Optimize.DEFAULT];
    expect(converter.postTrainingQuantize).toBe(true);
    expect(await converter.convert()).toEqual(old);
    expect(old.byteLength).toBeLessThan(0.3 * float.byteLength);
  });

  it("inferenceType takes float32 and refuses what would need quantized activations", async () => {
    const converter = await TFLiteConverter.fromSavedModel(digits);
    converter.inferenceType = "float32";
    expect(() => {
      converter.inferenceType = "uint8";
    }).toThrow(/^inferenceType: "uint8", expected "float32"\. Set postTrainingQuantize/);
  });
});

describe("a concrete graph", () => {
  const frames = readFileSync(new URL("../../test/fixtures/import/frames.pb", import.meta.url));

  it("keeps the order of arguments and results", async () => {
    const inputsOf = async (inputs: readonly string[]) => {
      const signature = { inputs, outputs: ["last_out", "rows_out"] };
      const converter = await TFLiteConverter.fromConcreteGraph(frames, signature);
      await converter.convert();
      const { conversion } = converter.report;
      expect(conversion?.outputs.map(({ name }) => name)).toEqual(["last_out", "rows_out"]);
      return conversion?.inputs.map(({ name }) => name);
    };
    expect(await inputsOf(["x", "p"])).toEqual(["x", "p"]);
    expect(await inputsOf(["p", "x"])).toEqual(["p", "x"]);
  });

  it("guesses nothing", async () => {
    const refused = TFLiteConverter.fromConcreteGraph(frames, { inputs: ["x", "p"], outputs: [] });
    await expect(refused).rejects.toThrow("fromConcreteGraph: no outputs, expected the names");
  });
});

describe("the report", () => {
  it("gathers the remarks of the importer, the conversion and the quantizer", async () => {
    const converter = await TFLiteConverter.fromSavedModel(digits);
    expect(converter.report.conversion).toBeUndefined();
    converter.mode = "dynamic_range";
    converter.quantizeOptions = { exclude: ["no such name"] };
    await converter.convert();
    const { conversion, quantization, diagnostics } = converter.report;
    expect(conversion?.inputs.map(({ name }) => name)).toEqual(["image"]);
    expect(quantization?.quantized.length).toBeGreaterThan(3);
    expect(diagnostics.map(({ id }) => id)).toEqual(["batch-fixed", "pattern-without-match"]);
  });
});
