/** Runs the command line inside the test's process: as the `octavo` command does, with what it prints collected. */
import { runCommandLine } from "../src/cli/program.ts";
import type { Terminal } from "../src/cli/terminal.ts";
import { jsonText } from "../src/cli/text.ts";

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs one command line and returns its exit code and output. */
export async function octavo(...args: string[]): Promise<CommandResult> {
  const stdout: string[] = [];
  const stderr: string[] = [];
  const terminal: Terminal = {
    print: (text) => void stdout.push(text),
    printJson: (document) => void stdout.push(jsonText(document)),
    note: (text) => void stderr.push(text),
    warn: (diagnostics) => stderr.push(...diagnostics.map(({ text }) => `warning: ${text}`)),
    progress: () => ({ update: () => undefined, stop: () => undefined }),
  };
  const code = await runCommandLine(args, terminal);
  return { code, stdout: stdout.join("\n"), stderr: stderr.join("\n") };
}
