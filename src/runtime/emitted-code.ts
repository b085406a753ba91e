/**
 * The emitted functions of one subgraph: compiled, instantiated on its memory, and handed to workers. Where code is
 * compiled wide there are two instances on the same memory, and kernels go through a table, so that the wide code can be
 * compared with the plain code before it is trusted (`self-check.ts`). Kernels are bound anew to what was settled on.
 */
import { assert } from "../base/errors.ts";
import {
  type CallList,
  type EmittedFunction,
  type FastPlace,
  MIN_SHARED_WORK,
  MIN_WAKING_WORK,
} from "../kernels/simd/fast-kernel.ts";
import { placeKeptSums } from "../kernels/simd/kept-sums.ts";
import { ModuleBuilder } from "../wasm/module-builder.ts";
import { findClearVectors } from "./clear-vectors.ts";
import { type Compile, compilePlain, findEagerCompile } from "./compile.ts";
import type { CalledFunction } from "./emit-list-walker.ts";
import { ThreadPool } from "./thread-pool.ts";
import type { WorkerHost } from "./worker-host.ts";

/** How to start workers, and how many. */
export interface Workers {
  readonly host: WorkerHost;
  readonly count: number;
  /** Starts them when there is work worth sharing, not before: most subgraphs that others call have none. */
  readonly onDemand?: boolean;
}

export interface EmittedCodeOptions {
  readonly workers?: Workers;
  /** Compiles with 256-bit vectors. */
  readonly compileWide?: Compile;
  /** Called between calls of a list; may throw to end them. */
  readonly checkTime?: () => void;
}

/** Largest memory of a module, in pages. */
export const MAX_PAGES = 65536;

type EmittedCall = (...args: number[]) => void;

interface Code {
  readonly module: WebAssembly.Module;
  readonly exports: WebAssembly.Exports;
}

export class EmittedCode implements Pick<FastPlace, "call" | "callInTurn" | "threads"> {
  readonly threads: number;
  readonly #memory: WebAssembly.Memory;
  readonly #workers: Workers | undefined;
  readonly #functions: readonly CalledFunction[];
  readonly #plain: Code;
  readonly #wide: Code | undefined;
  readonly #clearVectors: (() => void) | undefined;
  readonly #checkTime: (() => void) | undefined;
  #code: Code;
  #isSettled = false;
  #unsettledWork = 0;
  #pool: ThreadPool | undefined;

  constructor(
    functions: readonly EmittedFunction[],
    memory: WebAssembly.Memory,
    { workers, compileWide, checkTime }: EmittedCodeOptions,
  ) {
    this.threads = 1 + (workers?.count ?? 0);
    this.#memory = memory;
    this.#workers = workers;
    this.#checkTime = checkTime;
    const { bytes, emitted } = emitModule(functions, workers !== undefined);
    this.#functions = emitted;
    const open = (compile: Compile): Code => {
      const module = compile(bytes);
      const { exports } = new WebAssembly.Instance(module, { env: { memory } });
      placeKeptSums(exports, 0);
      return { module, exports };
    };
    this.#plain = open(findEagerCompile() ?? compilePlain);
    this.#wide = compileWide === undefined ? undefined : open(compileWide);
    this.#clearVectors = compileWide === undefined ? undefined : findClearVectors();
    this.#code = this.#plain;
    if (this.#wide === undefined) this.settle("plain");
  }

  /** Whether there is wide code, which nobody has looked at yet. */
  get hasWide(): boolean {
    return this.#wide !== undefined;
  }

  /** Multiplications of the lists of calls that were made before code was settled, where kernels tell them. */
  get unsettledWork(): number {
    return this.#unsettledWork;
  }

  /** Makes all kernels run one code or the other, on the calling thread. */
  use(code: "plain" | "wide"): void {
    this.#code = code === "plain" ? this.#plain : (this.#wide ?? this.#plain);
  }

  /** To be called when a step has run: clears what wide code leaves behind. */
  clearVectors(): void {
    if (this.#code === this.#wide) this.#clearVectors?.();
  }

  /** Decides for one code for good, and starts the workers unless they wait for work. */
  settle(code: "plain" | "wide"): void {
    assert(!this.#isSettled, "code is settled once");
    this.use(code);
    this.#isSettled = true;
    if (this.#workers !== undefined && !this.#workers.onDemand) this.#startPool(this.#workers);
  }

  call<Call extends (...args: never[]) => void>(name: string): Call {
    if (this.#isSettled) return this.#code.exports[name] as Call;
    const indirect: EmittedCall = (...args) => (this.#code.exports[name] as EmittedCall)(...args);
    return indirect as unknown as Call;
  }

  callInTurn(lists: readonly CallList[], work: number = Number.POSITIVE_INFINITY): void {
    if (!this.#isSettled && Number.isFinite(work)) this.#unsettledWork += work;
    // A list of one call would wait for the thread whose share it is.
    const first = lists.findIndex(({ calls }) => calls.length > 1);
    const pool = first >= 0 && work >= MIN_SHARED_WORK ? this.#poolFor(work) : undefined;
    for (const list of pool === undefined ? lists : lists.slice(0, first)) this.#callHere(list);
    pool?.run(lists.slice(first), work >= MIN_WAKING_WORK);
  }

  #callHere({ name, calls }: CallList): void {
    const call = this.#code.exports[name] as EmittedCall;
    for (const args of calls) {
      this.#checkTime?.();
      call(...args);
    }
  }

  /** Ends the workers. */
  dispose(): void {
    this.#pool?.dispose();
  }

  /** The threads for so much work; started for it only when it is worth waking them. */
  #poolFor(work: number): ThreadPool | undefined {
    if (this.#pool !== undefined || !this.#isSettled || this.#workers === undefined) {
      return this.#pool;
    }
    return work < MIN_WAKING_WORK ? undefined : this.#startPool(this.#workers);
  }

  #startPool({ host, count }: Workers): ThreadPool {
    const { module, exports } = this.#code;
    const wide = this.#code === this.#wide;
    const start = { module, memory: this.#memory, functions: this.#functions, wide };
    this.#pool = new ThreadPool(host, count, start, exports);
    return this.#pool;
  }
}

function emitModule(
  functions: readonly EmittedFunction[],
  shared: boolean,
): { readonly bytes: Uint8Array<ArrayBuffer>; readonly emitted: readonly CalledFunction[] } {
  const builder = new ModuleBuilder();
  builder.importMemory(
    "env",
    "memory",
    shared ? { initial: 1, maximum: MAX_PAGES, shared } : { initial: 1 },
  );
  const emitted = new Set<string>();
  for (const entry of functions) {
    if (emitted.has(entry.name)) continue;
    emitted.add(entry.name);
    entry.emit(builder);
  }
  return {
    bytes: builder.finish(),
    emitted: [...emitted].map((name) => ({ name, params: builder.exported(name).params })),
  };
}
