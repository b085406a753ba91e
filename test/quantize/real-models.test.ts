/** Every real model and every fixture of the official tools: quantized or explained, never a crash, nothing else changed. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { isOctavoError } from "../../src/base/errors.ts";
import type { Model } from "../../src/model/ir.ts";
import { parseModel } from "../../src/model/read.ts";
import { verifyModel } from "../../src/model/verify.ts";
import { findFloatConstants } from "../../src/quantize/constants.ts";
import type { QuantizeOptions } from "../../src/quantize/options.ts";
import { quantizeModel } from "../../src/quantize/quantize-model.ts";
import { describeWithShared, sharedPath } from "../shared.ts";

const MODES: readonly QuantizeOptions[] = [
  { mode: "dynamic_range" },
  { mode: "weight_only", minElements: 0 },
  { mode: "float16" },
  { mode: "dynamic_range", minElements: 0, weightType: "int4", blockSize: 32 },
  { mode: "dynamic_range", legacy: "r1.13" },
];

/** Files that are broken on purpose or need what the reader refuses: not this suite's business. */
function openIfSound(path: string): Model | undefined {
  try {
    const { model } = parseModel(readFileSync(path), path);
    verifyModel(model);
    return model;
  } catch (error) {
    if (isOctavoError(error)) return undefined;
    throw error;
  }
}

function modelFiles(folder: string): string[] {
  return readdirSync(sharedPath("models", folder), { recursive: true, encoding: "utf8" }).filter(
    (name) => /\.(tflite|bin)$/.test(name),
  );
}

function countFloatConstants(model: Model): number {
  return model.subgraphs
    .map((_, subgraph) => findFloatConstants(model, subgraph).size)
    .reduce((sum, count) => sum + count, 0);
}

/** What a quantizer has no business with. */
function untouched({ subgraphs, signatures, metadata, description, buffers }: Model) {
  return {
    description,
    signatures,
    metadata: metadata
      .filter(({ name }) => name !== "min_runtime_version" && name !== "reduced_precision_support")
      .map(({ name, buffer }) => ({ name, bytes: buffers[buffer]!.bytes })),
    subgraphs: subgraphs.map(({ name, inputs, outputs, operators }) => ({
      name,
      inputs,
      outputs,
      custom: operators
        .filter(({ op }) => op === "CUSTOM")
        .map(({ customCode, customOptions }) => ({ customCode, customOptions })),
    })),
  };
}

describeWithShared("real models", () => {
  for (const folder of readdirSync(sharedPath("models"))) {
    const files = folder.includes(".") ? [] : modelFiles(folder);
    if (files.length === 0) continue;
    describe(folder, () => {
      test.each(files)("%s is quantized or explained in every mode", async (file) => {
        const model = openIfSound(sharedPath("models", folder, file));
        if (model === undefined) return;
        for (const options of MODES) {
          const once = await quantizeModel(model, options);
          const { quantized, kept } = once.report;
          const named = new Set(
            [...quantized, ...kept].map(({ subgraph, tensor }) => `${subgraph} ${tensor}`),
          );
          expect(named.size).toBe(countFloatConstants(model));
          expect(kept.every(({ reasons }) => reasons.length > 0)).toBe(true);
          expect(untouched(once.model)).toEqual(untouched(model));
          const twice = await quantizeModel(once.model, options);
          expect(twice.model).toBe(once.model);
        }
      });
    });
  }
});
