/** What `octavo compare` does: runs both models on the same inputs and prints two tables or one document. */
import { UnsupportedError } from "../base/errors.ts";
import {
  compareModels,
  type InputMaker,
  type ModelComparison,
  type TensorComparison,
} from "../evaluate/compare-models.ts";
import { chooseSamples, type Dataset } from "../evaluate/dataset.ts";
import { preprocessingOf } from "../evaluate/dataset-description.ts";
import { randomInput, randomSequence } from "../evaluate/random-inputs.ts";
import { readWholeFile } from "../node/file-source.ts";
import { openDataset } from "../node/open-dataset.ts";
import type { DataFlags } from "./data-flags.ts";
import { describeData } from "./describe-data.ts";
import { type RuntimeFlags, runtimeOptions } from "./runtime-flags.ts";
import type { Terminal } from "./terminal.ts";
import { numberText, shortName, textTable } from "./text.ts";

export interface CompareFlags extends DataFlags, RuntimeFlags {
  readonly data?: string;
  readonly limit: number;
  readonly json?: true;
}

/** Compares `other` with `reference`. */
export async function compareFiles(
  reference: string,
  other: string,
  flags: CompareFlags,
  terminal: Terminal,
): Promise<void> {
  const { data, limit, json } = flags;
  const models = [await readWholeFile(reference), await readWholeFile(other)] as const;
  const description = data === undefined ? undefined : await describeData({ ...flags, data });
  const dataset = description === undefined ? undefined : await openDataset(description);
  const progress = terminal.progress("comparing");
  try {
    const comparison = await compareModels(
      ...models,
      dataset === undefined ? randomInputs() : datasetInputs(dataset, limit, reference),
      {
        samples: dataset === undefined ? limit : Math.min(limit, dataset.length),
        onProgress: (done, total) => progress.update(done, total),
        ...(description === undefined ? {} : { preprocessing: preprocessingOf(description) }),
        ...runtimeOptions(flags),
      },
    );
    progress.stop();
    if (json) terminal.printJson({ reference, other, ...comparison });
    else terminal.print(comparisonText(comparison));
  } finally {
    progress.stop();
    await dataset?.close();
  }
}

function randomInputs(): InputMaker {
  const random = randomSequence(1);
  return async (inputs) => inputs.map((input) => randomInput(input, random));
}

function datasetInputs(dataset: Dataset, limit: number, model: string): InputMaker {
  const chosen = chooseSamples(dataset.length, limit);
  return async (inputs, index) => {
    if (inputs.length !== 1) {
      throw new UnsupportedError({
        where: model,
        found: `${inputs.length} inputs`,
        expected: "one input, which the data is for",
        remedy: "Leave --data out to compare on random numbers",
        features: ["comparison of models with several inputs on data"],
      });
    }
    return [await dataset.read(chosen[index] ?? 0)];
  };
}

function comparisonText({ samples, outputs, layers, unmatched }: ModelComparison): string {
  const blocks = [
    comparisonTable("output", outputs),
    comparisonTable("layer", layers),
    `${samples} ${samples === 1 ? "input" : "inputs"}.`,
  ];
  if (unmatched > 0) {
    blocks.push(
      `${unmatched} tensors are computed by one of the models only, or in another shape.`,
    );
  }
  return blocks.join("\n\n");
}

function comparisonTable(heading: string, tensors: readonly TensorComparison[]): string {
  return textTable([
    [heading, "operator", "max difference", "of max", "SQNR dB"],
    ...tensors.map(({ name, op, largestDifference, relativeDifference, sqnrDb }) => [
      shortName(name),
      op,
      numberText(largestDifference),
      relativeDifference === null ? "–" : `${numberText(100 * relativeDifference)} %`,
      sqnrDb === null ? "equal" : sqnrDb.toFixed(1),
    ]),
  ]);
}
