/**
 * Octavo's public API. It may be imported by a page as well as by Node: code that needs Node is loaded only when a
 * path is given where bytes would do.
 */
export {
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
export type { ByteSink, ByteSource, FileTree } from "./io/byte-source.ts";
export { memorySink, memorySource, memoryTree } from "./io/memory.ts";
export { Interpreter } from "./runtime/interpreter.ts";
