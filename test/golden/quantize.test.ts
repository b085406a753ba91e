/**
 * Our quantized file made from the official float file, beside the official quantized file: constants, scales, axes,
 * operators, versions, options and wiring have to be the same.
 */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parseModel } from "../../src/model/read.ts";
import type { QuantizeOptions } from "../../src/quantize/options.ts";
import { quantizeModel } from "../../src/quantize/quantize-model.ts";
import { describeWithShared, sharedPath } from "../shared.ts";
import { canonicalModel } from "./canonical.ts";

interface Variant {
  readonly mode: string;
  readonly path: string;
}

interface Case {
  readonly name: string;
  readonly family: string;
  readonly variants?: readonly Variant[];
}

const MODES = ["dynamic_range", "float16"] as const;

/**
 * What an official file has that its float twin does not tell. In the first, the converter passed constants of a loop's
 * body in from outside before it turned them into half floats; in the others it gave the LSTM's state variables a
 * DEQUANTIZE of zeros as producer, which resets them at every run.
 */
const OUT_OF_REACH: ReadonlySet<string> = new Set([
  "tf1/dynamic_lstm_peephole_cfv2 float16",
  "tf1/keras2_style_fused_lstm float16",
  "tf1/keras2_style_fused_lstm_time_major float16",
]);

function readCases(family: string): Case[] {
  return readdirSync(sharedPath("goldens", family)).map(
    (name) =>
      JSON.parse(readFileSync(sharedPath("goldens", family, name, "case.json"), "utf8")) as Case,
  );
}

function open(family: string, name: string, variant: Variant) {
  return parseModel(readFileSync(sharedPath("goldens", family, name, variant.path))).model;
}

describeWithShared("quantizing official float files", () => {
  for (const family of ["keras", "keras2", "ops", "tf1", "numerics"]) {
    for (const mode of MODES) {
      describe(`${family}, ${mode}`, () => {
        for (const { name, variants = [] } of readCases(family)) {
          const float = variants.find((variant) => variant.mode === "float");
          const official = variants.find((variant) => variant.mode === mode);
          if (float === undefined || official === undefined) continue;
          test(`${name} equals the official file`, async () => {
            const { model } = await quantizeModel(open(family, name, float), { mode });
            const [ours, theirs] = [model, open(family, name, official)].map(canonicalModel);
            if (OUT_OF_REACH.has(`${family}/${name} ${mode}`)) {
              const missing = theirs!.constants.filter((text) => !ours!.constants.includes(text));
              expect(missing.filter((text) => !text.startsWith("float16[1,3"))).toEqual([]);
            } else expect(ours).toEqual(theirs);
          });
        }
      });
    }
  }

  /** The files of this family were put together by hand, in all the forms that kernels read. */
  describe("hybrid", () => {
    const FORMS: readonly Omit<QuantizeOptions, "mode">[] = [
      {},
      { perTensor: true },
      { weightType: "int4" },
      { weightType: "int4", perTensor: true },
    ];
    for (const { name, variants = [] } of readCases("hybrid")) {
      const float = variants.find((variant) => variant.mode === "float");
      for (const variant of variants) {
        const { mode } = variant;
        if (float === undefined || (mode !== "dynamic_range" && mode !== "weight_only")) continue;
        // One scale, written once per channel though a DEQUANTIZE reads it.
        if (name === "depthwise_per_tensor_v4" && mode === "weight_only") continue;
        test(`${name}, ${mode}: one of the forms has the same weights`, async () => {
          const model = open("hybrid", name, float);
          const { constants } = canonicalModel(open("hybrid", name, variant));
          const found: (readonly string[])[] = [];
          for (const form of FORMS) {
            const quantized = await quantizeModel(model, { mode, minElements: 0, ...form });
            found.push(canonicalModel(quantized.model).constants);
          }
          expect(found).toContainEqual(constants);
        });
      }
    }
  });
});
