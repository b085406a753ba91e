/**
 * Messages that are known by name and decoded when first asked for. A SavedModel brings along hundreds of functions,
 * for training, for saving, for every way to call a layer; a conversion needs a handful of them.
 */
import { parseMessage, type ReadMessage } from "./wire.ts";

/** Records by name. */
export interface Records<T> {
  has(name: string): boolean;
  get(name: string): T | undefined;
}

/** Records that are decoded when first asked for. */
export class NamedRecords<T> implements Records<T> {
  readonly #bytes = new Map<string, Uint8Array>();
  readonly #decoded = new Map<string, T>();
  readonly #read: ReadMessage<T>;
  readonly #kind: string;

  /** `readName` reads the name and passes over everything else; `kind` is for messages ("function"). */
  constructor(
    items: readonly Uint8Array[],
    readName: ReadMessage<string>,
    read: ReadMessage<T>,
    kind: string,
  ) {
    for (const [i, bytes] of items.entries()) {
      this.#bytes.set(parseMessage(readName, bytes, `${kind} ${i}`), bytes);
    }
    this.#read = read;
    this.#kind = kind;
  }

  has(name: string): boolean {
    return this.#bytes.has(name);
  }

  /** @throws {FormatError} when the record's bytes are damaged. */
  get(name: string): T | undefined {
    const known = this.#decoded.get(name);
    const bytes = this.#bytes.get(name);
    if (known !== undefined || bytes === undefined) return known;
    const record = parseMessage(this.#read, bytes, `${this.#kind} "${name}"`);
    this.#decoded.set(name, record);
    return record;
  }
}
