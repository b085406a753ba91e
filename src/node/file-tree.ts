/** A folder on disk as a file tree. Paths that lead out of the folder are refused: they may come from a model. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { IoError } from "../base/errors.ts";
import type { FileTree } from "../io/byte-source.ts";
import { openFile } from "./file-source.ts";
import { ioErrorOf, systemCode } from "./io-error.ts";

/**
 * The files below `folder`. Each opened source holds its file open until `close`.
 * `open` and `list` throw IoError when `folder` itself is missing, and for paths with `..`, a drive or a leading slash.
 */
export function fileTree(folder: string): FileTree {
  return {
    name: folder,
    async open(path) {
      const full = pathWithin(folder, path);
      try {
        const status = await stat(full);
        return status.isDirectory() ? undefined : await openFile(full);
      } catch (error) {
        return (await missing(folder, error)) ? undefined : rethrow(error, full);
      }
    },
    async list(subfolder) {
      const full = pathWithin(folder, subfolder);
      try {
        const entries = await readdir(full, { withFileTypes: true });
        const names = await Promise.all(
          entries.map(async (entry) => ((await isFile(full, entry)) ? [entry.name] : [])),
        );
        return names.flat().sort();
      } catch (error) {
        return (await missing(folder, error)) ? [] : rethrow(error, full);
      }
    },
  };
}

function pathWithin(folder: string, path: string): string {
  const names = path.split(/[\\/]/);
  const escapes = names.includes("..") || path.startsWith("/") || /^[a-zA-Z]:/.test(path);
  if (escapes || path.includes("\0")) {
    throw new IoError({
      where: folder,
      found: `the path ${JSON.stringify(path)}`,
      expected: "a path within the folder",
      path,
    });
  }
  return join(folder, path);
}

/** Whether `error` says that a file is not there while the folder itself is. */
async function missing(folder: string, error: unknown): Promise<boolean> {
  const code = systemCode(error);
  if (code !== "ENOENT" && code !== "ENOTDIR") return false;
  try {
    const status = await stat(folder);
    if (status.isDirectory()) return true;
  } catch (cause) {
    throw ioErrorOf(cause, folder, "read");
  }
  throw new IoError({
    where: folder,
    found: "a file",
    expected: "a folder",
    remedy: "Give the path of the folder",
    path: folder,
  });
}

function rethrow(error: unknown, path: string): never {
  throw error instanceof IoError ? error : ioErrorOf(error, path, "read");
}

interface Entry {
  readonly name: string;
  isFile(): boolean;
  isSymbolicLink(): boolean;
}

async function isFile(folder: string, entry: Entry): Promise<boolean> {
  if (!entry.isSymbolicLink()) return entry.isFile();
  try {
    return (await stat(join(folder, entry.name))).isFile();
  } catch (error) {
    if (systemCode(error) === "ENOENT") return false;
    throw error;
  }
}
