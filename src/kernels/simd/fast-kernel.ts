/**
 * The contract of emitted kernels. Where an operator's activations live in the linear memory of one WebAssembly
 * instance, a fast kernel may take the place of the reference kernel: it says what functions and memory it needs (pure
 * data), and is bound once module and memory exist. An operand's address is the byte offset of its data.
 */

import type { ActivationFunctionType } from "../../formats/tflite/schema.gen.ts";
import type { ModuleBuilder } from "../../wasm/module-builder.ts";
import type { Kernel, KernelNode, KernelRun, TensorView, ValueOf } from "../kernel.ts";
import type { TileRows } from "./gemm/measure.ts";
import type { GemmFormat } from "./gemm/variants.ts";

/** A function of the emitted module. The same name always stands for the same code. */
export interface EmittedFunction {
  readonly name: string;
  emit(module: ModuleBuilder): void;
}

/** Multiplications below which calls are not shared out: some 3 µs of one thread. */
export const MIN_SHARED_WORK = 100_000;

/** Multiplications below which no thread is woken for them: some 20 µs of one thread, as long as waking takes. */
export const MIN_WAKING_WORK = 600_000;

/** Calls of an emitted function that do not touch each other's results. */
export interface CallList {
  readonly name: string;
  readonly calls: readonly (readonly number[])[];
}

/** Where a bound kernel works. */
export interface FastPlace {
  readonly memory: WebAssembly.Memory;
  /** The exported function of that name. */
  call<Call extends (...args: never[]) => void>(name: string): Call;
  /** Threads that `callAll` uses. */
  readonly threads: number;
  /**
   * Makes calls of the function that do not touch each other's results, in any order. `work` is their number of
   * multiplications or the like, all together: little of it stays on the calling thread. Without it they are shared out.
   */
  callAll(name: string, calls: CallList["calls"], work?: number): void;
  /** The same with several lists: the calls of each when those of the one before are done. `work` is that of all. */
  callInTurn(lists: readonly CallList[], work?: number): void;
  /** `persistentBytes` bytes of its own, kept from run to run; zero at first. 64-byte aligned. */
  readonly persistent: number;
  /** Whether an earlier binding has written the constants there; large ones need not be packed again. */
  readonly isStored: boolean;
  /** `scratchBytes` bytes that other kernels use too. 64-byte aligned. */
  readonly scratch: number;
}

export interface FastPlan {
  /** Name of the variant, for profiles. */
  readonly variant: string;
  readonly functions: readonly EmittedFunction[];
  readonly persistentBytes: number;
  readonly scratchBytes: number;
  /** Reads and writes variables through their views: they live outside the linear memory and have no address. */
  readonly readsVariables?: true;
  /** Adds the residual of the request. */
  readonly addsResidual?: true;
  bind(place: FastPlace): KernelRun;
}

/** What the engine offers, found by probing. */
export interface FastFeatures {
  /** Relaxed SIMD. */
  readonly relaxed: boolean;
  /**
   * Type of the activations with which the relaxed dot product of bytes is exact, weights being int8; absent where it is
   * exact for neither.
   */
  readonly dot?: "int8" | "uint8" | undefined;
  /** The same of the instruction whose sums of two products are int16, where the true sums are. */
  readonly pairs?: "int8" | "uint8" | undefined;
  /** Whether code is compiled with 256-bit vectors where the engine finds pairs of 128-bit ones. */
  readonly wide?: true;
  /** Relative speeds of matrix multiplication tiles of a format (`4x8`), of one row or of several, where they are measured. */
  speeds?(format: GemmFormat, rows: TileRows): ReadonlyMap<string, number> | undefined;
}

export interface FastRequest {
  readonly node: KernelNode;
  /** The operator's reference kernel, for tables of what it makes of all bytes. */
  readonly reference: Kernel;
  /** Constant operands. */
  readonly known: ValueOf;
  readonly features: FastFeatures;
  /**
   * The activation behind a sum with a tensor of the output's shape, where the kernel may compute that sum as well: the
   * tensor is then operand `RESIDUAL_OPERAND`, and the output is that of the sum. Left alone by kernels that cannot.
   */
  readonly residual?: ActivationFunctionType;
}

/** Position of the tensor that is added: behind all operands of the operators that can add one. */
export const RESIDUAL_OPERAND = 3;

/** Plans an operator, or returns undefined to leave it to the reference kernel. */
export type FastKernel = (request: FastRequest) => FastPlan | undefined;

/** Fast kernels by operator name. */
export type FastKernelTable = Readonly<Record<string, FastKernel>>;

/** Address of an operand that lives in the linear memory. */
export function addressOf(view: TensorView | undefined): number {
  return view === undefined || Array.isArray(view.data) ? 0 : view.data.byteOffset;
}

/** Hands out pieces of one region, each 64-byte aligned. Used twice: to measure, and to place. */
export class Region {
  #top: number;
  readonly #start: number;

  constructor(start = 0) {
    this.#start = start;
    this.#top = start;
  }

  take(byteLength: number): number {
    const address = this.#top;
    this.#top = Math.ceil((address + byteLength) / 64) * 64;
    return address;
  }

  get byteLength(): number {
    return this.#top - this.#start;
  }
}
