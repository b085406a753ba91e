/**
 * What a command sees of the terminal. Results go to standard output; progress and warnings go to standard error, so
 * that a pipe or a redirected file holds results only.
 */
import type { Diagnostic } from "../base/errors.ts";
import { type Progress, trackProgress } from "./progress.ts";
import { jsonText } from "./text.ts";

export interface Terminal {
  /** One line, or several, of the result. A line break is added at the end. */
  print(text: string): void;
  /** The whole result as one JSON document. */
  printJson(document: unknown): void;
  /** A line for the person who waits: on standard error. */
  note(text: string): void;
  /** Prints what the library had to remark: one line each, notes indented below. */
  warn(diagnostics: readonly Diagnostic[]): void;
  /** A progress bar, drawn only where standard error is a terminal and only after a second. */
  progress(label: string): Progress;
}

/** The part of `process` that a terminal needs. */
export interface Streams {
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
}

/**
 * A terminal over the process's streams. A reader that goes away (`octavo inspect … | head`) is not an error: what
 * cannot be delivered is dropped and the work is finished.
 */
export function openTerminal({ stdout, stderr }: Streams): Terminal {
  for (const stream of [stdout, stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
    });
  }
  const note = (text: string): void => void stderr.write(`${text}\n`);
  return {
    print: (text) => void stdout.write(`${text}\n`),
    printJson: (document) => void stdout.write(`${jsonText(document)}\n`),
    note,
    warn(diagnostics) {
      for (const { text, location, notes } of diagnostics) {
        const isSaid = location === undefined || text.includes(location);
        note(`warning: ${isSaid ? "" : `${location}: `}${text}`);
        for (const line of notes ?? []) note(`  ${line}`);
      }
    },
    progress: (label) => trackProgress(label, stderr),
  };
}
