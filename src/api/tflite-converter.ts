/**
 * The converter, under the names that tf.lite has given it. A constructor (`fromSavedModel`, `fromFrozenGraph`, `fromTfjs` …) reads the
 * source and reports what is wrong with it; `convert` quantizes as the properties say at the time of the call, so one
 * converter can make several files from one source.
 *
 * Importers are loaded when a constructor needs them: a program that only runs models carries none of them.
 */
import { type Diagnostic, UnsupportedError, UsageError } from "../base/errors.ts";
import type { ConversionReport } from "../convert/report.ts";
import type { Graph } from "../graph/ir.ts";
import type { GraphDefOptions } from "../import/graph-def.ts";
import type { KerasOptions } from "../import/keras.ts";
import type { SavedModelOptions } from "../import/saved-model.ts";
import type { TfjsOptions } from "../import/tfjs.ts";
import type { ByteSink, ByteSource, FileTree } from "../io/byte-source.ts";
import { memorySource } from "../io/memory.ts";
import { MODEL_FILE_LIMIT } from "../io/read-whole.ts";
import type { Model } from "../model/ir.ts";
import { readModel } from "../model/read.ts";
import { encodeModel, writeModel } from "../model/write.ts";
import type { QuantizeOptions, WeightMode } from "../quantize/options.ts";
import type { QuantizationReport } from "../quantize/report.ts";

/**
 * What to optimize for. All three mean the same, as they do in TensorFlow: weights become 8-bit integers ("dynamic
 * range"), and operators that have a hybrid kernel compute with them directly.
 */
export const Optimize = {
  DEFAULT: "DEFAULT",
  OPTIMIZE_FOR_SIZE: "OPTIMIZE_FOR_SIZE",
  OPTIMIZE_FOR_LATENCY: "OPTIMIZE_FOR_LATENCY",
} as const;

/** One of the values of the table of the same name. */
export type Optimize = (typeof Optimize)[keyof typeof Optimize];

/** What the converted model may use. */
export interface TargetSpec {
  /** `["float16"]` together with any optimization stores weights as half floats instead of 8-bit integers. */
  supportedTypes: readonly ("float32" | "float16")[];
  /**
   * `"SELECT_TF_OPS"` besides `"TFLITE_BUILTINS"` writes operations that TensorFlow Lite lacks for TensorFlow's own
   * kernels ("Flex" operators), which runtimes with the Flex delegate have. Builtins alone by default.
   */
  supportedOps?: readonly ("TFLITE_BUILTINS" | "SELECT_TF_OPS")[];
}

/** What becomes of the weights: they stay float32, or one of the modes of the quantizer. */
export type ConverterMode = "float" | WeightMode;

/** What happened on the way from source to file. */
export interface ConverterReport {
  /** Absent until `convert` was called, and when the source was a .tflite file. */
  readonly conversion?: ConversionReport;
  /** Absent until `convert` has quantized something. */
  readonly quantization?: QuantizationReport;
  /** Remarks of all stages, in order. */
  readonly diagnostics: readonly Diagnostic[];
}

/** The source on its way to a model: the importer's graph, or the model itself once there is one. */
type Stage =
  | { readonly kind: "graph"; readonly graph: Graph }
  | { readonly kind: "model"; readonly model: Model; readonly conversion?: ConversionReport };

/** What goes into a concrete function and what comes out, in order. */
export type ConcreteSignature = Omit<GraphDefOptions, "name" | "inputs" | "outputs"> &
  Readonly<Record<"inputs" | "outputs", readonly string[]>>;

/**
 * Converts one source to the TensorFlow Lite format.
 *
 * @example
 * const converter = await TFLiteConverter.fromSavedModel("saved_model");
 * converter.optimizations = [Optimize.DEFAULT];
 * const tfliteModel = await converter.convert();
 */
export class TFLiteConverter {
  /** Any entry asks for 8-bit weights; none, the default, leaves the model in float32. */
  optimizations: readonly Optimize[] = [];
  /** Types that the model may use: see `TargetSpec`. */
  targetSpec: TargetSpec = { supportedTypes: [] };
  /** Says directly what becomes of the weights and overrides `optimizations` and `targetSpec`. */
  mode: ConverterMode | undefined;
  /**
   * Writes operations that TensorFlow Lite has no operator for as custom operators under their TensorFlow names, instead
   * of refusing the model. Octavo's interpreter cannot run them.
   */
  allowCustomOps = false;
  /**
   * Most steps of a loop that is written out step after step instead of as a WHILE, for runtimes without control flow. 0,
   * the default, keeps loops. Counts for the first call of `convert` only, like everything that concerns operators.
   */
  unroll = 0;
  /** Details of the quantization, such as thresholds and exclusions. */
  quantizeOptions: Omit<QuantizeOptions, "mode"> = {};

  readonly #diagnostics: readonly Diagnostic[];
  readonly #close: () => Promise<void>;
  #stage: Stage;
  #quantization: QuantizationReport | undefined;

  private constructor(
    stage: Stage,
    diagnostics: readonly Diagnostic[],
    close: () => Promise<void> = async () => undefined,
  ) {
    this.#stage = stage;
    this.#diagnostics = diagnostics;
    this.#close = close;
  }

  /**
   * Reads a TensorFlow SavedModel.
   * @param source The folder: its path (Node only) or its files.
   * @throws {IoError} when a file is missing or unreadable; {FormatError} when one is malformed; {UsageError} when the
   * tags, the signature or an input of `options` is not there; {UnsupportedError} when the graph uses what Octavo cannot
   * read.
   */
  static async fromSavedModel(
    source: string | FileTree,
    options: SavedModelOptions = {},
  ): Promise<TFLiteConverter> {
    const { importSavedModel } = await import("../import/saved-model.ts");
    const tree = typeof source === "string" ? await openFolder(source) : source;
    const { graph, diagnostics } = await importSavedModel(tree, options);
    return new TFLiteConverter({ kind: "graph", graph }, diagnostics);
  }

  /**
   * Reads a frozen TensorFlow graph (.pb): constants in place of variables.
   * @param source The file: its path (Node only) or its bytes.
   * @param options `inputs` and `outputs` name tensors; they are guessed where only one guess makes sense, and the
   * report says so.
   * @throws {IoError} when the file is missing or unreadable; {FormatError} when it is no GraphDef; {GraphError} when it
   * still has variables; {UsageError} when `options` name what is not there or must be named and are not.
   */
  static async fromFrozenGraph(
    source: string | Uint8Array,
    options: Omit<GraphDefOptions, "name"> = {},
  ): Promise<TFLiteConverter> {
    const { importGraphDef } = await import("../import/graph-def.ts");
    const { bytes, name } = await wholeFile(source, "GraphDef");
    const { graph, diagnostics } = importGraphDef(bytes, { ...options, name });
    return new TFLiteConverter({ kind: "graph", graph }, diagnostics);
  }

  /**
   * Takes the graph of one concrete function, as `tf.lite.TFLiteConverter.from_concrete_functions` does: a GraphDef with
   * constants in place of variables, and what goes in and out, in the order of the function's arguments and results.
   * Nothing is guessed.
   * @param graphDef The encoded GraphDef.
   * @param signature Names of tensors ("x", "node:1"), and shapes where the graph leaves them open.
   * @throws {FormatError} when the bytes are no GraphDef; {GraphError} when the graph still has variables; {UsageError}
   * when the signature names nothing, or what is not there.
   */
  static async fromConcreteGraph(
    graphDef: Uint8Array,
    signature: ConcreteSignature,
  ): Promise<TFLiteConverter> {
    if (signature.outputs.length === 0) {
      throw new UsageError({
        where: "TFLiteConverter.fromConcreteGraph",
        found: "no outputs",
        expected: "the names of the function's results",
        option: "outputs",
      });
    }
    return TFLiteConverter.fromFrozenGraph(graphDef, signature);
  }

  /**
   * Reads a Keras model: an HDF5 file (`.h5`, Keras 2 and 3) or the archive of Keras 3 (`.keras`).
   * @param source The file: its path (Node only) or its bytes.
   * @throws {IoError} when the file is missing or unreadable; {FormatError} when it is damaged; {UnsupportedError} for
   * weights without a model and for layers without a translation, of which it lists all.
   */
  static async fromKerasModel(
    source: string | Uint8Array,
    options: Omit<KerasOptions, "name"> = {},
  ): Promise<TFLiteConverter> {
    const { importKeras } = await import("../import/keras.ts");
    const { bytes, name } = await wholeFile(source, "Keras model");
    const { graph, diagnostics } = await importKeras(bytes, { ...options, name });
    return new TFLiteConverter({ kind: "graph", graph }, diagnostics);
  }

  /**
   * Reads a TF.js model, layers or graph.
   * @param source The `model.json`: its path (Node only), or the folder that it is in together with its weights.
   * @throws {IoError} when the model or a file of weights is missing; {FormatError} when the model is malformed or names
   * files outside its folder; {UnsupportedError} for layers without a translation; {UsageError} when `options` name
   * what is not there.
   */
  static async fromTfjs(
    source: string | FileTree,
    options: TfjsOptions = {},
  ): Promise<TFLiteConverter> {
    const { importTfjs } = await import("../import/tfjs.ts");
    const { tree, file } = typeof source === "string" ? await openBeside(source) : { tree: source };
    const { graph, diagnostics } = await importTfjs(tree, {
      ...(file === undefined ? {} : { file }),
      ...options,
    });
    return new TFLiteConverter({ kind: "graph", graph }, diagnostics);
  }

  /**
   * Reads a model that is in the TensorFlow Lite format already, to quantize it.
   * @param source The file: its path (Node only), its bytes, or a source that is read in ranges.
   * @throws {IoError} when it cannot be read; {FormatError} when it is malformed.
   */
  static async fromTflite(source: string | Uint8Array | ByteSource): Promise<TFLiteConverter> {
    const opened = await openSource(source);
    try {
      const { model, diagnostics } = await readModel(opened);
      return new TFLiteConverter({ kind: "model", model }, diagnostics, async () =>
        opened.close?.(),
      );
    } catch (error) {
      await opened.close?.();
      throw error;
    }
  }

  /** TensorFlow 1's name for 8-bit weights: true is the same as `[Optimize.OPTIMIZE_FOR_SIZE]`, false as `[]`. */
  get postTrainingQuantize(): boolean {
    return this.optimizations.length > 0;
  }

  set postTrainingQuantize(isWanted: boolean) {
    this.optimizations = isWanted ? [Optimize.OPTIMIZE_FOR_SIZE] : [];
  }

  /**
   * TensorFlow 1's name for the type of activations. They are floats; assigning anything but "float32" says so.
   * @throws {UnsupportedError} for quantized types, with which `quantized_input_stats` and `default_ranges_stats` belong.
   */
  get inferenceType(): "float32" {
    return "float32";
  }

  set inferenceType(type: string) {
    if (type === "float32") return;
    throw new UnsupportedError({
      where: "inferenceType",
      found: `"${type}"`,
      expected: '"float32"',
      remedy: "Set postTrainingQuantize, or optimizations, for 8-bit weights",
      features: [`models that compute in ${type}`],
    });
  }

  /** What has happened so far. */
  get report(): ConverterReport {
    const conversion = this.#stage.kind === "model" ? this.#stage.conversion : undefined;
    return {
      ...(conversion === undefined ? {} : { conversion }),
      ...(this.#quantization === undefined ? {} : { quantization: this.#quantization }),
      diagnostics: [
        ...this.#diagnostics,
        ...(conversion?.diagnostics ?? []),
        ...(this.#quantization?.diagnostics ?? []),
      ],
    };
  }

  /**
   * Converts and quantizes, and returns the bytes of a .tflite file.
   * @throws {UnsupportedError} when operators have no counterpart in TensorFlow Lite: it lists all of them.
   */
  async convert(): Promise<Uint8Array> {
    return encodeModel(await this.#build());
  }

  /** Like `convert`, but writes to `sink`, tensor by tensor, and commits it; aborts it when anything fails. */
  async convertTo(sink: ByteSink): Promise<void> {
    await writeModel(await this.#build(), sink);
  }

  /** Closes the file that `fromTflite` has opened: weights of large files are read while they are converted. */
  async close(): Promise<void> {
    await this.#close();
  }

  async #build(): Promise<Model> {
    const model = await this.#floatModel();
    const mode = modeOf(this);
    this.#quantization = undefined;
    if (mode === "float") return model;
    const { quantizeModel } = await import("../quantize/quantize-model.ts");
    const quantized = await quantizeModel(model, { ...this.quantizeOptions, mode });
    this.#quantization = quantized.report;
    return quantized.model;
  }

  /** The graph is lowered once, at the first call, and let go of. */
  async #floatModel(): Promise<Model> {
    if (this.#stage.kind === "model") return this.#stage.model;
    const { convertGraph } = await import("../convert/pipeline.ts");
    const { model, report } = convertGraph(this.#stage.graph, {
      unroll: this.unroll,
      allowCustomOps: this.allowCustomOps,
      selectTfOps: this.targetSpec.supportedOps?.includes("SELECT_TF_OPS") ?? false,
    });
    this.#stage = { kind: "model", model, conversion: report };
    return model;
  }
}

/** Decides what becomes of the weights: TensorFlow's rule, unless `mode` says it directly. */
function modeOf(
  wish: Pick<TFLiteConverter, "mode" | "optimizations" | "targetSpec">,
): ConverterMode {
  if (wish.mode !== undefined) return wish.mode;
  if (wish.optimizations.length === 0) return "float";
  return wish.targetSpec.supportedTypes.includes("float16") ? "float16" : "dynamic_range";
}

async function openFolder(path: string): Promise<FileTree> {
  const { fileTree } = await import("../node/file-tree.ts");
  return fileTree(path);
}

/** The folder of a file, and the file's name in it. */
async function openBeside(path: string): Promise<{ tree: FileTree; file?: string }> {
  const [, folder = "", file = path] = /^(.*[\\/])?([^\\/]*)$/.exec(path) ?? [];
  return { tree: await openFolder(folder === "" ? "." : folder), file };
}

async function wholeFile(
  source: string | Uint8Array,
  name: string,
): Promise<{ bytes: Uint8Array; name: string }> {
  if (source instanceof Uint8Array) return { bytes: source, name };
  const { readWholeFile } = await import("../node/file-source.ts");
  return { bytes: await readWholeFile(source, MODEL_FILE_LIMIT), name: source };
}

async function openSource(source: string | Uint8Array | ByteSource): Promise<ByteSource> {
  if (source instanceof Uint8Array) return memorySource(source);
  if (typeof source !== "string") return source;
  const { openFile } = await import("../node/file-source.ts");
  return openFile(source);
}
