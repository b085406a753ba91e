/** The memory of lists of calls, seen by the thread that writes them. `list-layout.ts` says what is where. */
import { assert } from "../base/errors.ts";
import type { CallList } from "../kernels/simd/fast-kernel.ts";
import { type RecordLayout, recordLayout } from "./call-record.ts";
import type { CalledFunction } from "./emit-list-walker.ts";
import {
  COUNT,
  FUNCTION,
  listAddress,
  MAX_CALLS,
  MAX_LISTS,
  RECORD_BYTES,
  RECORDS,
} from "./list-layout.ts";

export const PAGE_BYTES = 65536;
/** Room for the calls of a job's lists. Pages that nobody writes take no memory. */
const RECORDS_BYTES = 4 * PAGE_BYTES;

/** Lists [first, end). */
export interface ListRange {
  readonly first: number;
  readonly end: number;
}

/** A function with its number and the records of its calls. */
interface NumberedFunction {
  readonly number: number;
  readonly params: CalledFunction["params"];
  readonly record: RecordLayout;
}

export class SharedLists {
  readonly memory: WebAssembly.Memory;
  readonly #threads: number;
  readonly #words: Int32Array;
  readonly #floats: Float32Array;
  readonly #doubles: Float64Array;
  readonly #functions: ReadonlyMap<string, NumberedFunction>;
  readonly #records: number;

  constructor(
    functions: readonly CalledFunction[],
    threads: number,
    memory: WebAssembly.Memory = allocateLists(threads),
  ) {
    this.memory = memory;
    this.#threads = threads;
    const { buffer } = memory;
    this.#words = new Int32Array(buffer);
    this.#floats = new Float32Array(buffer);
    this.#doubles = new Float64Array(buffer);
    this.#functions = new Map(
      functions.map(({ name, params }, number) => {
        return [name, { number, params, record: recordLayout(params) }];
      }),
    );
    this.#records = listAddress(MAX_LISTS, threads);
  }

  /** Calls of a function that fit into a job of one list. */
  mostCalls(name: string): number {
    return Math.min(MAX_CALLS, Math.floor(RECORDS_BYTES / this.#recordBytes(name)));
  }

  /** Whether lists fit into one job. */
  fits(lists: readonly CallList[]): boolean {
    let byteLength = 0;
    for (const { name, calls } of lists) {
      if (calls.length > MAX_CALLS) return false;
      byteLength += calls.length * this.#recordBytes(name);
    }
    return lists.length <= MAX_LISTS && byteLength <= RECORDS_BYTES;
  }

  /** Writes the lists of a job, one behind the other; no job may be on. They must fit. */
  pass(lists: readonly CallList[]): ListRange {
    let records = this.#records;
    for (const [index, list] of lists.entries()) {
      this.#write(index, records, list);
      records += list.calls.length * this.#recordBytes(list.name);
    }
    return { first: 0, end: lists.length };
  }

  #recordBytes(name: string): number {
    // A function without parameters has records without bytes, of which any number would fit.
    return Math.max(this.#function(name).record.byteLength, 8);
  }

  #function(name: string): NumberedFunction {
    const known = this.#functions.get(name);
    assert(known !== undefined, `an emitted function ${name}`);
    return known;
  }

  #write(index: number, records: number, { name, calls }: CallList): void {
    const { number, params, record } = this.#function(name);
    const word = listAddress(index, this.#threads) / 4;
    const words = this.#words;
    words[word + FUNCTION / 4] = number;
    words[word + COUNT / 4] = calls.length;
    words[word + RECORDS / 4] = records;
    words[word + RECORD_BYTES / 4] = record.byteLength;
    for (let call = 0; call < calls.length; call++) {
      const args = calls[call] ?? [];
      const start = records + call * record.byteLength;
      for (let at = 0; at < params.length; at++) {
        const address = start + (record.offsets[at] ?? 0);
        const arg = args[at] ?? 0;
        if (params[at] === "i32") words[address / 4] = arg;
        else if (params[at] === "f32") this.#floats[address / 4] = arg;
        else this.#doubles[address / 8] = arg;
      }
    }
  }
}

/** Pages of the memory of lists. */
export function listPages(threads: number): number {
  const bytes = listAddress(MAX_LISTS, threads) + RECORDS_BYTES;
  return Math.ceil(bytes / PAGE_BYTES);
}

function allocateLists(threads: number): WebAssembly.Memory {
  const pages = listPages(threads);
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
}
