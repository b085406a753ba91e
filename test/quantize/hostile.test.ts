/** Damaged files that still parse and verify: quantizing them ends in a model or in one of our errors, soon. */
import { expect, test } from "vitest";
import { isOctavoError } from "../../src/base/errors.ts";
import type { Model } from "../../src/model/ir.ts";
import { parseModel } from "../../src/model/read.ts";
import { verifyModel } from "../../src/model/verify.ts";
import { encodeModel } from "../../src/model/write.ts";
import type { QuantizeOptions } from "../../src/quantize/options.ts";
import { quantizeModel } from "../../src/quantize/quantize-model.ts";
import { chainModel, randomValues } from "./tiny-model.ts";

const FLIPS = 150;
const MODES: readonly QuantizeOptions[] = [
  { mode: "dynamic_range", minElements: 0 },
  { mode: "dynamic_range", minElements: 0, weightType: "int4", blockSize: 32 },
  { mode: "weight_only", minElements: 0, perTensor: true, equalize: true, correctBiases: true },
  { mode: "float16" },
];

function soundModel(bytes: Uint8Array): Model | undefined {
  try {
    const { model } = parseModel(bytes);
    verifyModel(model);
    return model;
  } catch (error) {
    if (isOctavoError(error)) return undefined;
    throw error;
  }
}

test(`${FLIPS} files with a flipped bit are quantized or refused, each within a second`, async () => {
  const original = await encodeModel(chainModel());
  const places = randomValues(2 * FLIPS, 99);
  let sound = 0;
  for (let flip = 0; flip < FLIPS; flip++) {
    const bytes = original.slice();
    const place = Math.floor(((places[2 * flip]! + 1) / 2) * bytes.length);
    bytes[place]! ^= 1 << Math.floor(((places[2 * flip + 1]! + 1) / 2) * 8);
    const model = soundModel(bytes);
    if (model === undefined) continue;
    sound++;
    for (const options of MODES) {
      const startedAt = performance.now();
      try {
        await encodeModel((await quantizeModel(model, options)).model);
      } catch (error) {
        expect(isOctavoError(error), String(error)).toBe(true);
      }
      expect(performance.now() - startedAt).toBeLessThan(1000);
    }
  }
  expect(sound).toBeGreaterThan(FLIPS / 4);
});
