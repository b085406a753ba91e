/**
 * The interpreter alone, `octavo/runtime`: what an application needs that runs models, without the converter and the
 * importers. The same files serve pages, workers and Node.
 */
export type { DType, StringData, TensorData, TypedArray } from "../base/dtype.ts";
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
  ShapeError,
  UnsupportedError,
  UsageError,
} from "../base/errors.ts";
export type { Shape } from "../base/shape.ts";
export type {
  Kernel,
  KernelContext,
  KernelNode,
  KernelRun,
  KernelTable,
  OutputView,
  TensorInfo,
  TensorView,
} from "../kernels/kernel.ts";
export type { Quantization, Signature, TensorMap } from "../model/ir.ts";
export { Interpreter, type TensorDetails, type TensorKey } from "./interpreter.ts";
export type {
  InterpreterOptions,
  InvokeOptions,
  KernelChoice,
  TileChoice,
} from "./interpreter-options.ts";
export type { ModelSource } from "./model-source.ts";
export type { OperatorEvent, PlannedStep, SessionMemory } from "./observations.ts";
export type { InputData } from "./tensor-exchange.ts";
export {
  type WebWorker,
  type WorkerHandle,
  type WorkerHost,
  type WorkerStart,
  webWorkerHost,
} from "./worker-host.ts";
