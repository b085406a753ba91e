/**
 * Where bytes come from and go to, and nothing about what they mean. A source is read in ranges, so that a large
 * file never has to be in memory as a whole. File sources live in `node/`.
 */

/** Random-access bytes. `read` returns exactly `end - start` bytes (end exclusive) or throws IoError. */
export interface ByteSource {
  /** For messages: a path, a URL or "memory". */
  readonly name: string;
  readonly byteLength: number;
  read(start: number, end: number): Promise<Uint8Array>;
  /** Fills `target` with the bytes from `start` on; for reading piece by piece without new memory for each. */
  readInto?(start: number, target: Uint8Array): Promise<void>;
  close?(): Promise<void>;
}

/**
 * A place for one output. Bytes are appended in order; `commit` makes the whole visible at once (a file sink writes
 * to a temporary name and renames), `abort` leaves nothing behind.
 */
export interface ByteSink {
  readonly name: string;
  write(bytes: Uint8Array): Promise<void>;
  commit(): Promise<void>;
  abort(): Promise<void>;
}

/** A folder: paths are relative, with "/" between names. */
export interface FileTree {
  readonly name: string;
  /** Opens one file; undefined when there is no such file. */
  open(path: string): Promise<ByteSource | undefined>;
  /** Names of the files directly in `folder` ("" = the root), sorted; empty when there is no such folder. */
  list(folder: string): Promise<string[]>;
}
