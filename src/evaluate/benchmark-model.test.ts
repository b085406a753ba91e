import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { benchmarkModel, summarizeTimes } from "./benchmark-model.ts";

describe("times", () => {
  it("are summarized by median, 90th percentile, least and mean", () => {
    expect(summarizeTimes([5, 1, 2, 4, 3, 6, 7, 8, 9, 10])).toEqual({
      median: 5.5,
      p90: 9,
      min: 1,
      mean: 5.5,
    });
    expect(summarizeTimes([7])).toEqual({ median: 7, p90: 7, min: 7, mean: 7 });
  });
});

describe("a benchmark", () => {
  const model = readFileSync(
    new URL("../../test/fixtures/tflite/cnn_float.tflite", import.meta.url),
  );

  it("times as many runs as asked and every operator of the model", async () => {
    let steps = 0;
    const { runs, runMs, profile, memory } = await benchmarkModel(model, {
      runs: 5,
      warmup: 2,
      profile: true,
      onProgress: () => steps++,
    });
    expect(runs).toBe(5);
    expect(steps).toBe(1 + 2 + 5 + 1 + 5);
    expect(runMs.min).toBeLessThanOrEqual(runMs.median);
    expect(memory.arenaBytes).toBeGreaterThan(0);
    expect(profile?.map(({ op }) => op)).toEqual([
      "CONV_2D",
      "DEPTHWISE_CONV_2D",
      "MEAN",
      "FULLY_CONNECTED",
      "SOFTMAX",
    ]);
    const shares = profile?.map(({ share }) => share) ?? [];
    expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 6);
  });
});
