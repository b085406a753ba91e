/**
 * The files that a command writes: all of them appear, whole, or none does. They are written under temporary names and
 * renamed at the end; a failure or a signal on the way removes the temporaries.
 */
import type { ByteSink } from "../io/byte-source.ts";
import { fileSink } from "../node/file-sink.ts";
import { EXIT_SIGNAL } from "./failure.ts";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** An output that counts. Its `commit` only says that it is complete: `withOutputs` makes all of them visible together. */
export interface Output extends ByteSink {
  readonly bytesWritten: number;
}

/** Opens one output file by path, and fails at once where it could not be written. */
export type OpenOutput = (path: string) => Promise<Output>;

/**
 * Calls `work` and then makes visible all that it has opened. Signals are caught from the first byte on, while there
 * is something to clean up; before that Ctrl-C ends even a long computation at once, which a handler would delay.
 */
export async function withOutputs<T>(work: (open: OpenOutput) => Promise<T>): Promise<T> {
  const sinks: ByteSink[] = [];
  const abortAll = (): Promise<unknown> => Promise.allSettled(sinks.map((sink) => sink.abort()));
  const stop = (): void => void abortAll().finally(() => process.exit(EXIT_SIGNAL));
  let isCatching = false;
  const catchSignals = (): void => {
    if (isCatching) return;
    isCatching = true;
    for (const signal of SIGNALS) process.once(signal, stop);
  };
  const open: OpenOutput = async (path) => {
    const sink = await fileSink(path);
    sinks.push(sink);
    return counted(sink, catchSignals);
  };
  try {
    const result = await work(open);
    for (const sink of sinks) await sink.commit();
    return result;
  } catch (error) {
    await abortAll();
    throw error;
  } finally {
    for (const signal of SIGNALS) process.removeListener(signal, stop);
  }
}

function counted(sink: ByteSink, beforeWrite: () => void): Output {
  let bytesWritten = 0;
  return {
    name: sink.name,
    get bytesWritten() {
      return bytesWritten;
    },
    async write(bytes) {
      beforeWrite();
      await sink.write(bytes);
      bytesWritten += bytes.byteLength;
    },
    commit: async () => undefined,
    abort: () => sink.abort(),
  };
}
