/** How models are run: the flags that all commands with an interpreter share. */
import { type Command, Option } from "commander";
import type { Diagnostic } from "../base/errors.ts";
import type { InterpreterOptions, KernelChoice } from "../runtime/interpreter-options.ts";
import { wholeNumber } from "./arguments.ts";

export interface RuntimeFlags {
  readonly kernels?: KernelChoice;
  readonly threads?: number;
  readonly wide?: boolean;
}

/** Adds the flags to a command. */
export function addRuntimeFlags(command: Command): Command {
  return command
    .addOption(
      new Option("--kernels <kind>", "which kernels compute: reference is slow and exact").choices([
        "auto",
        "reference",
        "simd",
      ]),
    )
    .option("--threads <count>", "how many threads compute", wholeNumber(1))
    .option("--wide", "256-bit kernels where the engine has them, checked before use (the default)")
    .option("--no-wide", "128-bit kernels");
}

/** The interpreter's options for what was said. 256 bits are tried unless they were refused. */
export function runtimeOptions({
  kernels,
  threads,
  wide = true,
}: RuntimeFlags): InterpreterOptions {
  return {
    ...(kernels === undefined ? {} : { kernels }),
    ...(threads === undefined ? {} : { threads }),
    wide: wide && kernels !== "reference",
  };
}

/** An interpreter's remarks that a user wants to see: not that a default could not be had. */
export function worthSaying(
  remarks: readonly Diagnostic[],
  { wide }: RuntimeFlags,
): readonly Diagnostic[] {
  return remarks.filter(({ id }) => wide === true || !["no-wide", "wide-not-worth"].includes(id));
}
