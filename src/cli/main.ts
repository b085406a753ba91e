#!/usr/bin/env node
/** The `octavo` command. Everything it does is in `program.ts`, so that tests can call that without a process. */
import { reportFailure } from "./failure.ts";
import { runCommandLine } from "./program.ts";
import { openTerminal } from "./terminal.ts";

const terminal = openTerminal(process);
// What escapes from a callback is a bug too, and must not pass for a problem with the model.
process.once("uncaughtException", (error) => process.exit(reportFailure(error, terminal)));
process.exitCode = await runCommandLine(process.argv.slice(2), terminal);
