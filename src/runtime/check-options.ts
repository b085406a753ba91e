/** Checks of what callers of the interpreter ask for. */
import { UsageError } from "../base/errors.ts";
import type { Model, Signature } from "../model/ir.ts";

/** Each thread is a worker with a heap of its own; more than machines have cores would only eat memory. */
const MAX_THREADS = 256;

/** @throws {UsageError} for a number of threads that is none. */
export function checkThreads(threads: number | undefined): void {
  if (threads === undefined) return;
  if (Number.isInteger(threads) && threads >= 1 && threads <= MAX_THREADS) return;
  throw new UsageError({
    where: "Interpreter.create",
    found: `threads ${threads}`,
    expected: `a whole number from 1 to ${MAX_THREADS}`,
    option: "threads",
  });
}

/** @throws {UsageError} for a time limit that leaves no time. */
export function checkTimeLimit(timeLimitMs: number): void {
  if (timeLimitMs > 0) return;
  throw new UsageError({
    where: "Interpreter.invoke",
    found: `timeLimitMs ${timeLimitMs}`,
    expected: "a number of milliseconds above 0",
    option: "timeLimitMs",
  });
}

/**
 * The signature of that key; undefined without a key.
 *
 * @throws {UsageError} for a key that the model does not have.
 */
export function findSignature(model: Model, key: string | undefined): Signature | undefined {
  if (key === undefined) return undefined;
  const signature = model.signatures.find((entry) => entry.key === key);
  if (signature !== undefined) return signature;
  const keys = model.signatures.map((entry) => entry.key).join(", ");
  throw new UsageError({
    where: "Interpreter",
    found: `signature ${JSON.stringify(key)}`,
    expected: keys === "" ? "none, as the model has none" : `one of ${keys}`,
    option: "signature",
  });
}
