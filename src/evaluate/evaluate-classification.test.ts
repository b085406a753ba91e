import { describe, expect, it } from "vitest";
import { FormatError, ShapeError, UsageError } from "../base/errors.ts";
import { reportClassification } from "./classification-report.ts";
import type { Classifier } from "./classifier.ts";
import { chooseSamples, type Dataset } from "./dataset.ts";
import { evaluateClassification, mergeClassification } from "./evaluate-classification.ts";

/** Answers with the input itself, changed by `change`; every run takes `elapsedMs`. */
function echo(
  name: string,
  elapsedMs: number,
  change: (scores: Float32Array) => Float32Array = (scores) => scores,
): Classifier & { runs: number } {
  return {
    name,
    byteLength: name.length * 100,
    input: { name: "x", shape: [1, 3], dtype: "float32" },
    classCount: 3,
    runs: 0,
    async classify(input) {
      this.runs++;
      return { scores: change(input as Float32Array), elapsedMs };
    },
    dispose: () => undefined,
  };
}

/** Sample i has its highest score at class i mod 3. */
function ring(length: number, label: (index: number) => number | undefined): Dataset {
  return {
    name: "ring",
    length,
    hasLabels: label(0) !== undefined,
    async read(index) {
      const data = Float32Array.from([0, 1, 2], (score) => (score === index % 3 ? 0.5 : 0.25));
      return { name: `sample ${index}`, label: label(index), value: { dtype: "float32", data } };
    },
  };
}

describe("evaluateClassification", () => {
  it("counts hits, agreement and differences against the baseline", async () => {
    const baseline = echo("long", 4);
    // Names class 0 whatever comes.
    const stuck = echo("ab", 1, (scores) =>
      scores.map((score, index) => (index === 0 ? 1 : score)),
    );
    const dataset = ring(9, (index) => index % 3);
    const models = [baseline, stuck];
    const counts = await evaluateClassification(models, dataset, { baseline });
    const report = reportClassification(models, counts, dataset, baseline);
    expect(report).toMatchObject({ task: "image-classification", samples: 9, baseline: "long" });
    const [first, second] = report.models;
    expect(first).toMatchObject({ name: "long", byteLength: 400, top1: 1, top5: 1 });
    expect(first).not.toHaveProperty("comparison");
    expect(first?.latencyMs).toMatchObject({ mean: 4, least: 4 });
    expect(second?.top1).toBeCloseTo(1 / 3);
    expect(second?.comparison).toMatchObject({ sizeRatio: 0.5, largestDifference: 0.75 });
    expect(second?.comparison?.agreement).toBeCloseTo(1 / 3);
    expect(second?.comparison?.top1Change).toBeCloseTo(-2 / 3);
    // 0.5 away for three samples and 0.75 for six, over 27 scores.
    expect(second?.comparison?.meanDifference).toBeCloseTo((3 * 0.5 + 6 * 0.75) / 27);
  });

  it("runs each model once more than there are samples, and tells how far it is", async () => {
    const model = echo("m", 1);
    const seen: string[] = [];
    await evaluateClassification(
      [model],
      ring(100, () => 0),
      {
        limit: 4,
        onProgress: (done, total) => seen.push(`${done}/${total}`),
      },
    );
    expect(model.runs).toBe(5);
    expect(seen).toEqual(["1/4", "2/4", "3/4", "4/4"]);
  });

  it("gives the same counts in shards as in one piece", async () => {
    const model = echo("m", 2);
    const dataset = ring(20, (index) => (index * 7) % 3);
    const [whole] = await evaluateClassification([model], dataset, { limit: 11 });
    const shards = await Promise.all(
      [0, 1, 2].map((index) =>
        evaluateClassification([model], dataset, { limit: 11, shard: { index, count: 3 } }),
      ),
    );
    expect(shards.flat().reduce(mergeClassification)).toEqual(whole);
  });

  it("compares without labels, but measures nothing without labels and baseline", async () => {
    const baseline = echo("base", 1);
    const dataset = ring(3, () => undefined);
    const models = [echo("m", 1), baseline];
    const counts = await evaluateClassification(models, dataset, { baseline });
    const [result] = reportClassification(models, counts, dataset, baseline).models;
    expect(result).not.toHaveProperty("top1");
    expect(result?.comparison).toMatchObject({ agreement: 1, largestDifference: 0 });
    await expect(evaluateClassification([baseline], dataset)).rejects.toThrow(UsageError);
    await expect(
      evaluateClassification(
        [baseline],
        ring(0, () => 0),
      ),
    ).rejects.toThrow("no samples");
  });

  it("refuses labels beyond the classes, and baselines with other classes", async () => {
    const model = echo("m", 1);
    await expect(
      evaluateClassification(
        [model],
        ring(1, () => 3),
      ),
    ).rejects.toThrow(FormatError);
    const other = { ...echo("n", 1), classCount: 4 };
    const models = [model, other];
    await expect(
      evaluateClassification(
        models,
        ring(1, () => 0),
        { baseline: model },
      ),
    ).rejects.toThrow(ShapeError);
  });
});

describe("chooseSamples", () => {
  it("spreads evenly and never repeats", () => {
    expect(chooseSamples(10, 4)).toEqual([0, 2, 5, 7]);
    expect(chooseSamples(3, 10)).toEqual([0, 1, 2]);
    expect(chooseSamples(3)).toEqual([0, 1, 2]);
  });
});
