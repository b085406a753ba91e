/**
 * What decoding may cost. Overlapping objects could otherwise make a small file decode to an unbounded amount: decoded
 * bytes are charged against the size of the file, and tables are counted.
 */
import { LimitError } from "../../base/errors.ts";

/** The limit of FlatBuffers' own verifier; real models have some thousands. */
const MAX_TABLES = 1_000_000;
/** Allows small files a little overlap, which some writers produce when they share strings' tails. */
const BUDGET_SLACK = 4096;

export class DecodeBudget {
  readonly #name: string;
  readonly #fileBytes: number;
  #spent = 0;
  #tables = 0;

  /** `name` is the file's, for messages. */
  constructor(name: string, fileBytes: number) {
    this.#name = name;
    this.#fileBytes = fileBytes;
  }

  /** Counts decoded bytes. @throws {LimitError} for more than the file can hold. */
  charge(byteLength: number, position: number, what: string): void {
    const max = this.#fileBytes + BUDGET_SLACK;
    this.#spent += byteLength;
    if (this.#spent <= max) return;
    throw new LimitError({
      where: `${this.#name}, byte ${position}, ${what}`,
      found: `objects that overlap, ${this.#spent} bytes in all`,
      expected: `no more than the file's ${this.#fileBytes} bytes`,
      remedy: "The file is damaged; get it again",
      limit: "decoded bytes",
      value: this.#spent,
      max,
    });
  }

  /** Counts a table. @throws {LimitError} for more than a million. */
  countTable(position: number, what: string): void {
    this.#tables += 1;
    if (this.#tables <= MAX_TABLES) return;
    throw new LimitError({
      where: `${this.#name}, byte ${position}, ${what}`,
      found: `more than ${MAX_TABLES} tables`,
      expected: "fewer",
      limit: "tables",
      value: this.#tables,
      max: MAX_TABLES,
    });
  }
}
