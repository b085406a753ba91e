/**
 * From a thrown value to what the user reads and the exit code: 1 a problem with the model or data, 2 wrong usage,
 * 70 (EX_SOFTWARE of sysexits.h) a bug of ours, 130 stopped by a signal.
 */
import { CommanderError } from "commander";
import { isOctavoError } from "../base/errors.ts";
import type { Terminal } from "./terminal.ts";

export const EXIT_DONE = 0;
export const EXIT_PROBLEM = 1;
export const EXIT_USAGE = 2;
export const EXIT_BUG = 70;
export const EXIT_SIGNAL = 130;

/** Commander's codes for "the user asked for help or the version", which is not a failure. */
const ASKED = new Set(["commander.helpDisplayed", "commander.version"]);

/** Prints why a command failed, where that has not been printed yet, and returns the exit code. */
export function reportFailure(error: unknown, terminal: Terminal): number {
  if (error instanceof CommanderError) {
    return ASKED.has(error.code) ? EXIT_DONE : EXIT_USAGE;
  }
  if (isOctavoError(error)) {
    terminal.note(`octavo: ${error.message}`);
    return error.code === "UsageError" ? EXIT_USAGE : EXIT_PROBLEM;
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  terminal.note(`${stack}\n`);
  terminal.note(
    "octavo: this is a bug in Octavo, not in your model. Please report it with the lines above and the file that causes it.",
  );
  return EXIT_BUG;
}
