#!/usr/bin/env node
/** The `octavo` command. Everything it does is in `program.ts`, so that tests can call that without a process. */
import { runCommandLine } from "./program.ts";
import { openTerminal } from "./terminal.ts";

process.exitCode = await runCommandLine(process.argv.slice(2), openTerminal(process));
