/** `octavo convert`: a trained model becomes a .tflite file, quantized as asked. */
import { type Command, Option } from "commander";
import type { ConverterMode, TFLiteConverter } from "../../api/tflite-converter.ts";
import { UsageError } from "../../base/errors.ts";
import type { Shape } from "../../base/shape.ts";
import type { GraphDefOptions } from "../../import/graph-def.ts";
import type { ShapeOptions } from "../../import/input-shapes.ts";
import { checkNames, inputShape, type Named, nameList, wholeNumber } from "../arguments.ts";
import {
  addQuantizeOptions,
  MODES_HELP,
  type QuantizeFlags,
  quantizeOptionsOf,
} from "../quantize-flags.ts";
import { locateSource, SOURCE_TEXT, type Source, type SourceKind } from "../source-kind.ts";
import type { Terminal } from "../terminal.ts";

interface ConvertFlags extends QuantizeFlags {
  readonly output: string;
  readonly optimize?: "none" | "default" | "size" | "latency";
  readonly tags?: readonly string[];
  readonly signature?: string;
  readonly inputShape?: readonly Named<Shape>[];
  readonly keepDynamicBatch?: true;
  readonly inputs?: readonly string[];
  readonly outputs?: readonly string[];
  readonly unroll?: number;
  readonly allowCustomOps?: true;
  readonly selectTfOps?: true;
  readonly report?: string;
  readonly json?: true;
}

const EXAMPLES = `${MODES_HELP}

Examples:
  $ octavo convert my_saved_model -o model.tflite
  $ octavo convert my_saved_model -o small.tflite --mode dynamic_range --report report.json
  $ octavo convert my_saved_model -o batch8.tflite --input-shape image=8,224,224,3
  $ octavo convert frozen.pb -o model.tflite --inputs input --outputs MobilenetV1/Predictions/Reshape_1`;

/** Adds `octavo convert`. */
export function defineConvert(program: Command, terminal: Terminal): void {
  const command = program
    .command("convert")
    .summary("make a .tflite file from a trained model")
    .description("Makes a .tflite file from a trained TensorFlow model.")
    .argument(
      "<source>",
      "a SavedModel folder, a frozen graph (.pb), a Keras file (.h5, .keras), a TF.js model.json or a .tflite file",
    )
    .requiredOption("-o, --output <file>", "the .tflite file to write");
  addQuantizeOptions(command, "float")
    .addOption(
      new Option(
        "--optimize <goal>",
        "the older spelling: anything but none means --mode dynamic_range",
      ).choices(["none", "default", "size", "latency"]),
    )
    .option(
      "--tags <names>",
      "tags of the graph in the SavedModel, separated by commas (serve)",
      nameList,
    )
    .option("--signature <name>", "key of the signature to convert (serving_default)")
    .option(
      "--input-shape <shape>",
      "[NAME=]1,224,224,3: shape of an input, by name or in order; may be repeated (unknown batch sizes become 1)",
      inputShape,
    )
    .option("--keep-dynamic-batch", "leave an unknown batch size open instead of making it 1")
    .option(
      "--inputs <tensors>",
      "input tensors of a frozen graph or TF.js graph model, separated by commas",
      nameList,
    )
    .option(
      "--outputs <tensors>",
      "output tensors of a frozen graph or TF.js graph model, separated by commas",
      nameList,
    )
    .option(
      "--unroll <steps>",
      "write loops of at most so many steps out, for runtimes without WHILE (0: keep loops)",
      wholeNumber(0),
    )
    .option(
      "--allow-custom-ops",
      "write operations that TensorFlow Lite lacks as custom operators instead of refusing them",
    )
    .option(
      "--select-tf-ops",
      "write them for runtimes with TensorFlow's own kernels (Flex delegate)",
    )
    .option("--report <file>", "write a report of what was done, as JSON")
    .option("--json", "print the report as JSON instead of a summary")
    .addHelpText("after", EXAMPLES)
    .action((source: string, flags: ConvertFlags) => convert(source, flags, terminal));
}

async function convert(path: string, flags: ConvertFlags, terminal: Terminal): Promise<void> {
  const mode = modeOf(flags);
  const { writeConverted } = await import("../converted.ts");
  const quantizeOptions = await quantizeOptionsOf(flags);
  const converter = await openConverter(await locateSource(path), flags);
  converter.mode = mode;
  converter.quantizeOptions = quantizeOptions;
  converter.unroll = flags.unroll ?? 0;
  converter.allowCustomOps = flags.allowCustomOps ?? false;
  if (flags.selectTfOps === true) {
    converter.targetSpec.supportedOps = ["TFLITE_BUILTINS", "SELECT_TF_OPS"];
  }
  await writeConverted(converter, path, flags, terminal);
}

/** `--mode` decides; `--optimize` is another way to say it, and must not say something else. */
function modeOf({ mode, optimize, recipe }: ConvertFlags): ConverterMode {
  if (optimize === undefined) return mode ?? (recipe === undefined ? "float" : "dynamic_range");
  if (mode === undefined) return optimize === "none" ? "float" : "dynamic_range";
  if ((mode === "float") === (optimize === "none")) return mode;
  throw new UsageError({
    where: "--optimize",
    found: `${optimize} together with --mode ${mode}`,
    expected: "two options that agree",
    remedy: "Leave --optimize out",
    option: "--optimize",
  });
}

async function openConverter(
  { kind, path }: Source,
  flags: ConvertFlags,
): Promise<TFLiteConverter> {
  const { TFLiteConverter } = await import("../../api/tflite-converter.ts");
  refuseUnread(kind, path, flags);
  const { tags, signature } = flags;
  switch (kind) {
    case "saved_model":
      return TFLiteConverter.fromSavedModel(path, {
        ...shapeOptions(flags),
        ...(tags === undefined ? {} : { tags }),
        ...(signature === undefined ? {} : { signature }),
      });
    case "frozen_graph":
      return TFLiteConverter.fromFrozenGraph(path, {
        ...shapeOptions(flags),
        ...tensorNames(flags),
      });
    case "keras_h5":
    case "keras_zip":
      return TFLiteConverter.fromKerasModel(path, shapeOptions(flags));
    case "tfjs":
      return TFLiteConverter.fromTfjs(path, { ...shapeOptions(flags), ...tensorNames(flags) });
    case "tflite":
      return TFLiteConverter.fromTflite(path);
  }
}

/** The sources that are lowered, all but .tflite files. */
const GRAPHS: readonly SourceKind[] = [
  "saved_model",
  "frozen_graph",
  "keras_h5",
  "keras_zip",
  "tfjs",
];

/** Options that say something about one kind of source only. */
const READ_BY: Readonly<Record<string, readonly SourceKind[]>> = {
  tags: ["saved_model"],
  signature: ["saved_model"],
  inputs: ["frozen_graph", "tfjs"],
  outputs: ["frozen_graph", "tfjs"],
  inputShape: GRAPHS,
  keepDynamicBatch: GRAPHS,
  unroll: GRAPHS,
  allowCustomOps: GRAPHS,
  selectTfOps: GRAPHS,
};

/** An option that would have no effect is a mistake. */
function refuseUnread(kind: SourceKind, path: string, flags: ConvertFlags): void {
  for (const [name, kinds] of Object.entries(READ_BY)) {
    if (!(name in flags) || kinds.includes(kind)) continue;
    const option = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    throw new UsageError({
      where: option,
      found: `given for ${path}, ${SOURCE_TEXT[kind]}`,
      expected: kinds.map((known) => SOURCE_TEXT[known]).join(" or "),
      remedy: "Leave it out",
      option,
    });
  }
}

function tensorNames({
  inputs,
  outputs,
}: ConvertFlags): Pick<GraphDefOptions, "inputs" | "outputs"> {
  return {
    ...(inputs === undefined ? {} : { inputs }),
    ...(outputs === undefined ? {} : { outputs }),
  };
}

function shapeOptions({ inputShape: shapes = [], keepDynamicBatch }: ConvertFlags): ShapeOptions {
  checkNames("--input-shape", shapes);
  const inputShapes = shapes.map(({ name, value }) => ({
    ...(name === undefined ? {} : { name }),
    shape: value,
  }));
  return { inputShapes, ...(keepDynamicBatch === undefined ? {} : { keepDynamicBatch }) };
}
