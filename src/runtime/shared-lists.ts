/** The memory of lists of calls, seen by the thread that writes them. `list-layout.ts` says what is where. */
import { assert } from "../base/errors.ts";
import { type RecordLayout, recordLayout } from "./call-record.ts";
import type { CalledFunction } from "./emit-list-walker.ts";
import {
  COUNT,
  FUNCTION,
  IS_ALONE,
  listAddress,
  MAX_CALLS,
  MAX_LISTS,
  RECORD_BYTES,
  RECORDS,
} from "./list-layout.ts";

export const PAGE_BYTES = 65536;
/** Room for the calls of the list that is written anew for each use. */
const PASSING_BYTES = 4 * PAGE_BYTES;
/** Room for the calls of lists that stay. Pages that nobody writes take no memory. */
const KEPT_BYTES = 16 * PAGE_BYTES;
/** The list that is written anew for each use. */
const PASSING_LIST = 0;

/** Lists [first, end). */
export interface ListRange {
  readonly first: number;
  readonly end: number;
}

/** Calls of one function that do not touch each other's results. */
export interface CallList {
  readonly name: string;
  readonly calls: readonly (readonly number[])[];
  /** Whether the calling thread makes them alone, in order. */
  readonly isAlone: boolean;
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
  readonly #passing: number;
  #top: number;
  #lists: number = PASSING_LIST + 1;

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
    this.#passing = listAddress(MAX_LISTS, threads);
    this.#top = this.#passing + PASSING_BYTES;
  }

  /** Calls that fit into the list that is written anew. */
  passingCalls(name: string): number {
    const { record } = this.#function(name);
    return Math.min(MAX_CALLS, Math.floor(PASSING_BYTES / Math.max(record.byteLength, 1)));
  }

  /** Writes the list that is written anew for each use; no job may be on. */
  pass(list: CallList): ListRange {
    this.#write(PASSING_LIST, this.#passing, list);
    return { first: PASSING_LIST, end: PASSING_LIST + 1 };
  }

  /** Writes a list that stays, behind those that are there; undefined where it does not fit. */
  keep(list: CallList): ListRange | undefined {
    const byteLength = list.calls.length * this.#function(list.name).record.byteLength;
    const end = this.#passing + PASSING_BYTES + KEPT_BYTES;
    const fits = list.calls.length <= MAX_CALLS && this.#top + byteLength <= end;
    if (this.#lists === MAX_LISTS || !fits) return undefined;
    const first = this.#lists++;
    this.#write(first, this.#top, list);
    this.#top += byteLength;
    return { first, end: first + 1 };
  }

  #function(name: string): NumberedFunction {
    const known = this.#functions.get(name);
    assert(known !== undefined, `an emitted function ${name}`);
    return known;
  }

  #write(index: number, records: number, { name, calls, isAlone }: CallList): void {
    const { number, params, record } = this.#function(name);
    const word = listAddress(index, this.#threads) / 4;
    const words = this.#words;
    words[word + FUNCTION / 4] = number;
    words[word + COUNT / 4] = calls.length;
    words[word + RECORDS / 4] = records;
    words[word + RECORD_BYTES / 4] = record.byteLength;
    words[word + IS_ALONE / 4] = isAlone ? 1 : 0;
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
  const bytes = listAddress(MAX_LISTS, threads) + PASSING_BYTES + KEPT_BYTES;
  return Math.ceil(bytes / PAGE_BYTES);
}

function allocateLists(threads: number): WebAssembly.Memory {
  const pages = listPages(threads);
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
}
