/** The options that describe a data set. They have the names of the fields of a description file. */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { DatasetDescription } from "../evaluate/dataset-description.ts";

/** How samples become inputs. */
export interface DataFlags
  extends Pick<DatasetDescription, "dtype" | "preset" | "crop" | "resize"> {
  readonly mean?: string;
  readonly scale?: string;
}

/** What the right answers are. */
export type LabelFlags = Pick<
  DatasetDescription,
  "labels" | "classNames" | "labelColumn" | "fileColumn" | "labelOffset"
>;

const RAW_TYPES = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "float32", "float64"];
const PRESETS = ["mobilenet", "efficientnet", "torchvision"];

/** Explains `--data` below a command's options. */
export const DATA_HELP = `
The data is a folder of images, an .npy array with one sample a row, a folder of raw files (with --dtype), or a .json
file that holds these options, under the same names: {"data": "images", "labels": "labels.csv", "preset": "mobilenet"}.
A sample x becomes the input (x - mean) * scale; without mean and scale, images become -1..1 for float inputs.`;

/** Adds the options of `LabelFlags`. */
export function addLabelOptions(command: Command): Command {
  return command
    .option("--labels <file>", "the right classes: a .csv, .txt or .npy file")
    .option("--class-names <file>", "names of the classes in the model's order, one a line")
    .option(
      "--label-column <column>",
      "column of the labels in the .csv: name, or number from 1",
      column,
    )
    .option("--file-column <column>", "column of the file names in the .csv", column)
    .option("--label-offset <number>", "added to every class number of the labels", labelOffset);
}

/** Adds the options of `DataFlags`. */
export function addDataOptions(command: Command): Command {
  return command
    .addOption(
      new Option("--dtype <type>", "the folder holds raw numbers of this type").choices(RAW_TYPES),
    )
    .addOption(
      new Option("--preset <name>", "preprocessing of a family of models").choices(PRESETS),
    )
    .option(
      "--crop <fraction>",
      "cut out the central square, this fraction of the shorter side",
      fraction,
    )
    .addOption(
      new Option("--resize <method>", "how images are resized").choices(["antialiased", "corner"]),
    )
    .option("--mean <numbers>", "one number, or one for each channel: 127.5 or 123.7,116.3,103.5")
    .option("--scale <numbers>", "the same: 1/127.5");
}

function column(text: string): string | number {
  return /^\d+$/.test(text) ? Number(text) : text;
}

function labelOffset(text: string): number {
  if (!/^[-+]?\d{1,9}$/.test(text)) throw new InvalidArgumentError("Expected a whole number.");
  return Number(text);
}

function fraction(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value > 0 && value <= 1)) {
    throw new InvalidArgumentError("Expected a fraction above 0 and up to 1.");
  }
  return value;
}
