/**
 * Octavo's public API: the runtime's (`octavo/runtime`), and the converter. It may be imported by a page as well as by
 * Node: code that needs Node is loaded only when a path is given where bytes would do.
 */
export {
  type ConcreteSignature,
  type ConverterMode,
  type ConverterReport,
  Optimize,
  type TargetSpec,
  TFLiteConverter,
} from "./api/tflite-converter.ts";
export { QuantizeError } from "./base/errors.ts";
export type { ConversionReport } from "./convert/report.ts";
export type { GraphDefOptions } from "./import/graph-def.ts";
export type { InputShape } from "./import/input-shapes.ts";
export type { KerasOptions } from "./import/keras.ts";
export type { SavedModelOptions } from "./import/saved-model.ts";
export type { TfjsOptions } from "./import/tfjs.ts";
export type { ByteSink, ByteSource, FileTree } from "./io/byte-source.ts";
export { type MemorySink, memorySink, memorySource, memoryTree } from "./io/memory.ts";
export type { QuantizeOptions, WeightMode } from "./quantize/options.ts";
export { encodeRecipe } from "./quantize/recipe/encode-recipe.ts";
export { parseRecipe } from "./quantize/recipe/parse-recipe.ts";
export type { Recipe, RecipeConfig, RecipeEntry } from "./quantize/recipe/recipe.ts";
export type {
  KeptTensorEntry,
  QuantizationReport,
  QuantizedTensorEntry,
} from "./quantize/report.ts";
export * from "./runtime/index.ts";
