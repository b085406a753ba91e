/**
 * Octavo's public API. It may be imported by a page as well as by Node: code that needs Node is loaded only when a
 * path is given where bytes would do.
 */
export {
  type ConverterMode,
  type ConverterReport,
  Optimize,
  type TargetSpec,
  TFLiteConverter,
} from "./api/tflite-converter.ts";
export type { DType, StringData, TensorData, TypedArray } from "./base/dtype.ts";
export {
  type Diagnostic,
  ExecutionError,
  FormatError,
  GraphError,
  IoError,
  isOctavoError,
  LimitError,
  OctavoError,
  type OctavoErrorCode,
  QuantizeError,
  ShapeError,
  UnsupportedError,
  UsageError,
} from "./base/errors.ts";
export type { Shape } from "./base/shape.ts";
export type { ConversionReport } from "./convert/report.ts";
export type { GraphDefOptions } from "./import/graph-def.ts";
export type { InputShape } from "./import/input-shapes.ts";
export type { KerasOptions } from "./import/keras.ts";
export type { SavedModelOptions } from "./import/saved-model.ts";
export type { TfjsOptions } from "./import/tfjs.ts";
export type { ByteSink, ByteSource, FileTree } from "./io/byte-source.ts";
export { type MemorySink, memorySink, memorySource, memoryTree } from "./io/memory.ts";
export type {
  Kernel,
  KernelContext,
  KernelNode,
  KernelRun,
  KernelTable,
  OutputView,
  TensorInfo,
  TensorView,
} from "./kernels/kernel.ts";
export type { Quantization, Signature, TensorMap } from "./model/ir.ts";
export type { QuantizeOptions, WeightMode } from "./quantize/options.ts";
export { encodeRecipe } from "./quantize/recipe/encode-recipe.ts";
export { parseRecipe } from "./quantize/recipe/parse-recipe.ts";
export type { Recipe, RecipeConfig, RecipeEntry } from "./quantize/recipe/recipe.ts";
export type {
  KeptTensorEntry,
  QuantizationReport,
  QuantizedTensorEntry,
} from "./quantize/report.ts";
export {
  Interpreter,
  type InterpreterOptions,
  type InvokeOptions,
  type TensorDetails,
  type TensorKey,
} from "./runtime/interpreter.ts";
export type { KernelChoice } from "./runtime/kernel-choice.ts";
export type { ModelSource } from "./runtime/model-source.ts";
export type { OperatorEvent, SessionMemory } from "./runtime/session-host.ts";
export type { InputData } from "./runtime/tensor-exchange.ts";
export {
  type WebWorker,
  type WorkerHandle,
  type WorkerHost,
  type WorkerStart,
  webWorkerHost,
} from "./runtime/worker-host.ts";
