/** What the suites of damaged files share: the one kind of failure that is allowed, and how long it may take. */
import { expect } from "vitest";
import { isOctavoError } from "../../src/base/errors.ts";
import type { Graph } from "../../src/graph/ir.ts";
import { verifyGraph } from "../../src/graph/verify.ts";

/** Longest time for one damaged file, of some 50 kB. */
const MAX_MS = 2000;

/** "imported", or the code and the sentence of an error of ours; fails for anything else, and when it takes too long. */
export async function survive(
  read: () => Promise<{ readonly graph: Graph }> | { readonly graph: Graph },
  what: string,
): Promise<string> {
  const start = performance.now();
  let outcome = "imported";
  try {
    verifyGraph((await read()).graph);
  } catch (error) {
    if (!isOctavoError(error)) throw new Error(what, { cause: error });
    outcome = `${error.code}: ${error.message}`;
  }
  expect(performance.now() - start, what).toBeLessThan(MAX_MS);
  return outcome;
}
