/** What callers may choose when they open and run a model. */
import type { Shape } from "../base/shape.ts";
import type { KernelTable } from "../kernels/kernel.ts";
import type { OperatorEvent } from "./observations.ts";
import type { WorkerHost } from "./worker-host.ts";

/**
 * "reference": definitions in plain TypeScript; "simd": emitted WebAssembly where there is some, an error where the
 * engine has no SIMD; "auto": the fastest there is.
 */
export type KernelChoice = "auto" | "reference" | "simd";

/** How tiles of matrix products are chosen: by speeds measured at first use in the process, or by the usual ones. */
export type TileChoice = "measured" | "usual";

/** How a model is opened. */
export interface InterpreterOptions {
  /** "auto" takes the fastest kernels there are; "reference" the definitions in plain TypeScript. Default "auto". */
  readonly kernels?: KernelChoice;
  /**
   * Threads for emitted kernels, the calling one included; 1 by default. Results do not depend on it. More than one
   * needs shared memory: in pages, cross-origin isolation. Where there is none, one thread does the work and
   * `diagnostics` says so. Kernels in plain TypeScript run on the calling thread.
   */
  readonly threads?: number;
  /** How to start workers, where the way that fits the host is not wanted. */
  readonly workerHost?: WorkerHost;
  /**
   * Compiles emitted kernels with 256-bit vectors where the engine can (V8 in Node 24 and newer, on x86), which about
   * doubles them. They run once on random numbers, at the price of time at the start, and are used if their results
   * are those of the 128-bit kernels to the bit. A flag of the whole process is set while they are compiled. False by
   * default.
   */
  readonly wide?: boolean;
  /**
   * Matrix products choose among tile shapes by speeds that are measured at first use in the process (1 ms a format in
   * Node, 30 in pages), or by the usual ones. Results do not depend on it. "measured" by default.
   */
  readonly tiles?: TileChoice;
  /** Kernels for custom operators, by custom code. They go before the built-in ones of the same name. */
  readonly customOperators?: KernelTable;
  /** Which subgraph to run, by index; 0 by default. */
  readonly subgraph?: number;
  /** Which signature to run, by key; instead of `subgraph`. */
  readonly signature?: string;
  /**
   * Shapes of inputs to begin with, by name: for models whose own shapes do not fit their weights, which are otherwise
   * refused at opening. The same as `resizeInput` afterwards.
   */
  readonly inputShapes?: Readonly<Record<string, Shape>>;
  /** Keeps all activations readable after a run, at the price of memory. */
  readonly preserveAllTensors?: boolean;
  /** Called after each operator, for profiles, calibration and comparisons layer by layer. */
  readonly observe?: (event: OperatorEvent) => void;
}

/** How a model is run. */
export interface InvokeOptions {
  /**
   * Stops the run after this many milliseconds, before the next operator; Infinity by default. For models of others,
   * whose loops may never end.
   */
  readonly timeLimitMs?: number;
}
