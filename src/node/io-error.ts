/** Turns what Node throws for files into sentences that say which file and what to do. */
import { IoError } from "../base/errors.ts";

const REASONS: Readonly<Record<string, readonly [found: string, remedy: string]>> = {
  ENOENT: ["no such file or folder", "Check the path"],
  ENOTDIR: ["part of the path is a file, not a folder", "Check the path"],
  EISDIR: ["a folder, not a file", "Give the path of a file"],
  EACCES: ["permission denied", "Check who may read and write there"],
  EPERM: ["operation not permitted", "Check who may read and write there"],
  EROFS: ["the file system is read-only", "Choose another place"],
  ENOSPC: ["no space left on the device", "Free some space or choose another place"],
  EDQUOT: ["the disk quota is used up", "Free some space or choose another place"],
  EFBIG: ["the file is larger than the system allows", "Choose another place"],
  EMFILE: ["too many open files", "Raise the limit of open files"],
  ELOOP: ["a circle of links", "Check the path"],
  ENAMETOOLONG: ["the path is too long", "Choose a shorter one"],
};

/** The system's short code of a failure (`ENOENT` …); undefined for other errors. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** The typed error for a system failure on `path`; `action` completes "could not be …" for failures without a code. */
export function ioErrorOf(error: unknown, path: string, action: "read" | "written"): IoError {
  const reason = REASONS[systemCode(error) ?? ""];
  return new IoError({
    where: path,
    found:
      reason?.[0] ?? `could not be ${action} (${error instanceof Error ? error.message : error})`,
    ...(reason === undefined ? {} : { remedy: reason[1] }),
    path,
    cause: error,
  });
}
