/**
 * Files as byte sinks. The bytes go to a temporary file beside the target, which takes the target's name only when all
 * of them are on the disk: a reader never sees half a file, and a failure leaves the old one as it was. Devices and
 * pipes, which cannot be replaced, are written directly.
 */
import { randomBytes } from "node:crypto";
import { constants, type Stats } from "node:fs";
import { access, type FileHandle, open, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { assert, IoError } from "../base/errors.ts";
import type { ByteSink } from "../io/byte-source.ts";
import { ioErrorOf, systemCode } from "./io-error.ts";

/**
 * Prepares to write a file. The place is checked now, so that a wrong path fails before the work and not after it; the
 * temporary file appears with the first byte. `abort` after `commit`, or a second time, does nothing.
 * @throws {IoError} when the folder is missing or read-only, or the path is a folder
 */
export async function fileSink(path: string): Promise<ByteSink> {
  const existing = await statusOf(path);
  if (existing?.isDirectory()) {
    throw new IoError({
      where: path,
      found: "a folder",
      expected: "a file to write",
      remedy: "Give the path of a file",
      path,
    });
  }
  const replaced = existing === undefined || existing.isFile();
  // A link stays a link: what it points to is replaced.
  const target = existing === undefined ? path : await realpath(path);
  await checkWritable(replaced ? dirname(target) : target, path);
  return new FileSink(path, target, replaced);
}

class FileSink implements ByteSink {
  readonly name: string;
  readonly #target: string;
  readonly #temporary: string | undefined;
  #handle: FileHandle | undefined;
  #closed = false;

  constructor(name: string, target: string, replaced: boolean) {
    this.name = name;
    this.#target = target;
    const suffix = randomBytes(6).toString("hex");
    this.#temporary = replaced
      ? join(dirname(target), `.${basename(target).slice(0, 200)}.${suffix}.tmp`)
      : undefined;
  }

  async write(bytes: Uint8Array): Promise<void> {
    assert(!this.#closed, "a write after commit or abort");
    await this.#attempt(async () => {
      const handle = await this.#open();
      let written = 0;
      while (written < bytes.length) {
        const { bytesWritten } = await handle.write(bytes, written, bytes.length - written);
        written += bytesWritten;
      }
    });
  }

  async commit(): Promise<void> {
    assert(!this.#closed, "a second commit, or one after abort");
    await this.#attempt(async () => {
      const handle = await this.#open();
      if (this.#temporary !== undefined) await handle.sync();
      this.#handle = undefined;
      await handle.close();
      if (this.#temporary !== undefined) await rename(this.#temporary, this.#target);
      this.#closed = true;
    });
  }

  async abort(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const handle = this.#handle;
    this.#handle = undefined;
    try {
      await handle?.close();
      if (this.#temporary !== undefined) await rm(this.#temporary, { force: true });
    } catch (error) {
      throw ioErrorOf(error, this.name, "written");
    }
  }

  async #open(): Promise<FileHandle> {
    this.#handle ??= await (this.#temporary === undefined
      ? open(this.#target, "w")
      : open(this.#temporary, "wx"));
    return this.#handle;
  }

  /** Leaves nothing behind where `step` fails. */
  async #attempt(step: () => Promise<void>): Promise<void> {
    try {
      await step();
    } catch (error) {
      await this.abort();
      throw ioErrorOf(error, this.name, "written");
    }
  }
}

async function statusOf(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw ioErrorOf(error, path, "written");
  }
}

async function checkWritable(place: string, path: string): Promise<void> {
  try {
    await access(place, constants.W_OK);
    if (place !== path && !(await stat(place)).isDirectory()) {
      throw Object.assign(new Error("not a folder"), { code: "ENOTDIR" });
    }
  } catch (error) {
    throw ioErrorOf(error, path, "written");
  }
}
