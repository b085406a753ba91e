/** From the options that describe a data set to its description. */
import { type DatasetDescription, parseNumbers } from "../evaluate/dataset-description.ts";
import { readDatasetDescription } from "../node/open-dataset.ts";
import type { DataFlags, LabelFlags } from "./data-flags.ts";

/** `--data` and what goes with it, picked from the options of a command. */
export interface DataChoice extends DataFlags, LabelFlags {
  readonly data: string;
}

/** Reads the description file, if `--data` names one; whatever else the command line says takes precedence. */
export async function describeData(flags: DataChoice): Promise<DatasetDescription> {
  const { data, mean, scale } = flags;
  const options = {
    ...pick(flags, FIELDS),
    ...(mean === undefined ? {} : { mean: parseNumbers(mean, "--mean") }),
    ...(scale === undefined ? {} : { scale: parseNumbers(scale, "--scale") }),
  };
  const described = /\.json$/i.test(data) ? await readDatasetDescription(data) : { data };
  return { ...described, ...options };
}

const FIELDS = [
  "labels",
  "classNames",
  "labelColumn",
  "fileColumn",
  "labelOffset",
  "dtype",
  "preset",
  "crop",
  "resize",
] as const;

/** The named fields that are there. */
function pick<T extends object, K extends keyof T>(
  source: T,
  keys: readonly K[],
): Partial<Pick<T, K>> {
  const present = keys.filter((key) => source[key] !== undefined);
  return Object.fromEntries(present.map((key) => [key, source[key]])) as Partial<Pick<T, K>>;
}
