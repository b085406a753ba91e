/**
 * Every .tflite file of the outside material survives being read and written: real models of many makers and years,
 * and TensorFlow 2.21's conversions. What cannot be read is named here with its reason.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import type { Model } from "../../src/model/ir.ts";
import { parseModel } from "../../src/model/read.ts";
import { verifyModel } from "../../src/model/verify.ts";
import { encodeModel } from "../../src/model/write.ts";
import { describeWithShared, sharedPath } from "../shared.ts";

/** Refused on purpose: what the message must say. */
const REFUSED: Readonly<Record<string, RegExp>> = {
  "litert_quantizer_testdata/transpose.bin": /schema version 2, expected version 3/,
  "litert_testdata/test_model_broken.bin": /file identifier 00 00 0e 00, expected "TFL3"/,
};

/** Broken in what they mean; TensorFlow Lite's loader or its verifier refuses them too. */
const BROKEN: Readonly<Record<string, RegExp>> = {
  "litert_quantizer_testdata/lstm_calibrated2.bin": /tensor 23 .*, shape: \[-1\]/,
  "litert_quantizer_testdata/lstm_quantized2.bin": /tensor 23 .*, shape: \[-1\]/,
  "litert_testdata/0_subgraphs.bin": /no subgraph/,
  "litert_testdata/add_shared_tensors.bin": /tensor 1 "input" written again/,
  "litert_testdata/no_subgraphs.bin": /no subgraph/,
  "litert_testdata/segment_sum_invalid_buffer.bin":
    /options: SubOptions, expected SegmentSumOptions/,
};

/** What these files lose, and why that is right: the field is deprecated, or has never been part of the model. */
const REPORTED: Readonly<Record<string, readonly string[]>> = {
  "litert_testdata/multi_subgraphs_while.bin": ["tflite/deprecated-field"],
  "rnn/coral_keras_lstm_mnist_ptq.tflite": ["tflite/deprecated-field"],
};

function modelFiles(folder: string): string[] {
  return readdirSync(sharedPath(folder), { recursive: true, encoding: "utf8" })
    .filter((path) => /\.(tflite|bin)$/.test(path) && !path.startsWith("tfjs/"))
    .sort();
}

function read(folder: string, path: string): Uint8Array {
  return new Uint8Array(readFileSync(sharedPath(folder, path)));
}

/** Constant data compared by its digest, which is quick. */
function comparable(model: Model): unknown {
  return {
    ...model,
    buffers: model.buffers.map(({ bytes }) => bytes && digest(bytes)),
    associatedFiles: model.associatedFiles?.bytes && digest(model.associatedFiles.bytes),
  };
}

function digest(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

async function expectRoundTrip(folder: string, path: string): Promise<void> {
  const { model, diagnostics } = parseModel(read(folder, path), path);
  expect(
    diagnostics.map(({ id }) => id),
    path,
  ).toEqual(REPORTED[path] ?? []);
  const bytes = await encodeModel(model);
  const again = parseModel(bytes, path);
  expect(again.diagnostics, path).toEqual([]);
  expect(comparable(again.model), path).toEqual(comparable(model));
  const isAligned = again.model.buffers.every(
    (buffer) =>
      buffer.byteLength === 0 || ((buffer.bytes?.byteOffset ?? 1) - bytes.byteOffset) % 16 === 0,
  );
  expect(isAligned, path).toBe(true);
}

describeWithShared("reading and writing .tflite files", () => {
  it("loses nothing of any model file", async () => {
    const paths = modelFiles("models").filter((path) => !(path in REFUSED));
    expect(paths.length).toBeGreaterThan(150);
    for (const path of paths) await expectRoundTrip("models", path);
  });

  it("refuses broken and outdated files with the reason", () => {
    for (const [path, reason] of Object.entries(REFUSED)) {
      expect(() => parseModel(read("models", path), path)).toThrow(reason);
    }
  });

  it("is followed by a verification that only broken models fail", () => {
    const broken = modelFiles("models").filter((path) => {
      if (path in REFUSED) return false;
      const { model } = parseModel(read("models", path), path);
      const reason = BROKEN[path];
      if (reason === undefined) verifyModel(model, path);
      else expect(() => verifyModel(model, path)).toThrow(reason);
      return reason !== undefined;
    });
    expect(broken).toEqual(Object.keys(BROKEN));
  });

  it("loses nothing of the official conversions, every seventh of them", async () => {
    const paths = modelFiles("goldens").filter((_, index) => index % 7 === 0);
    expect(paths.length).toBeGreaterThan(150);
    for (const path of paths) await expectRoundTrip("goldens", path);
  });
});
