/** Files as byte sources: each read asks the system for just its range, so a large file is never in memory as a whole. */
import { readSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { IoError } from "../base/errors.ts";
import type { ByteSource } from "../io/byte-source.ts";
import { type ReadLimit, readWhole } from "../io/read-whole.ts";
import { ioErrorOf } from "./io-error.ts";

/** Node refuses to read more than 2 GiB at once. */
const MAX_READ_BYTES = 1 << 30;
const SMALL_READ_BYTES = 1 << 20;
/** Longest time without a turn of the event loop. */
const TURN_MS = 50;

interface OpenFile {
  readonly handle: FileHandle;
  readonly path: string;
  /** When a read last gave the event loop a turn. */
  readonly turn: { at: number };
}

/** A byte source that holds a file open until `close`. */
export interface FileSource extends ByteSource {
  close(): Promise<void>;
}

/**
 * Opens a file for reading. Its length is the one it has now.
 * @throws {IoError} when it is missing, unreadable or a folder
 */
export async function openFile(path: string): Promise<FileSource> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, "r");
    const status = await handle.stat();
    if (status.isDirectory()) throw folderError(path);
    return sourceOf(handle, path, status.size);
  } catch (error) {
    await handle?.close();
    throw error instanceof IoError ? error : ioErrorOf(error, path, "read");
  }
}

/**
 * Reads a whole file.
 * @throws {IoError} when it is missing, unreadable or a folder
 * @throws {LimitError} when it is longer than `limit` says, or than an array can be
 */
export async function readWholeFile(path: string, limit?: ReadLimit): Promise<Uint8Array> {
  return readWhole(await openFile(path), limit);
}

function sourceOf(handle: FileHandle, path: string, byteLength: number): FileSource {
  const file = { handle, path, turn: { at: performance.now() } };
  return {
    name: path,
    byteLength,
    async read(start, end) {
      checkRange(path, byteLength, start, end);
      const bytes = new Uint8Array(end - start);
      await fill(file, start, bytes);
      return bytes;
    },
    async readInto(start, target) {
      checkRange(path, byteLength, start, start + target.length);
      await fill(file, start, target);
    },
    close: () => handle.close(),
  };
}

function checkRange(path: string, byteLength: number, start: number, end: number): void {
  if (start >= 0 && start <= end && end <= byteLength) return;
  throw new IoError({
    where: path,
    found: `read of bytes ${start} to ${end}`,
    expected: `a range within ${byteLength} bytes`,
    path,
  });
}

/** Reads until `bytes` are full. */
async function fill(file: OpenFile, start: number, bytes: Uint8Array): Promise<void> {
  const { path } = file;
  let filled = 0;
  while (filled < bytes.length) {
    const bytesRead = await readSome(file, bytes, filled, start + filled);
    if (bytesRead === 0) {
      throw new IoError({
        where: path,
        found: `the file ends at byte ${start + filled}`,
        expected: `${start + bytes.length} bytes, as when it was opened`,
        remedy: "Do not change the file while it is read",
        path,
      });
    }
    filled += bytesRead;
  }
}

/**
 * Small reads are made at once, because handing one to another thread takes longer than the read itself; but now and
 * then one goes that way, so that timers and signals get their turn.
 */
async function readSome(
  { handle, path, turn }: OpenFile,
  bytes: Uint8Array,
  filled: number,
  position: number,
): Promise<number> {
  try {
    const length = Math.min(bytes.length - filled, MAX_READ_BYTES);
    if (length <= SMALL_READ_BYTES && performance.now() - turn.at < TURN_MS) {
      return readSync(handle.fd, bytes, filled, length, position);
    }
    const { bytesRead } = await handle.read(bytes, filled, length, position);
    turn.at = performance.now();
    return bytesRead;
  } catch (error) {
    throw ioErrorOf(error, path, "read");
  }
}

function folderError(path: string): IoError {
  return new IoError({
    where: path,
    found: "a folder",
    expected: "a file",
    remedy: "Give the path of a file",
    path,
  });
}
