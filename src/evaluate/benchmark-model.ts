/**
 * How long a model takes: loading, first run, and many runs after a warm-up, on seeded random inputs. The profile comes
 * from runs of its own, so that watching every operator does not count in the times of the whole.
 */
import type { Diagnostic } from "../base/errors.ts";
import { Interpreter } from "../runtime/interpreter.ts";
import type { InterpreterOptions } from "../runtime/interpreter-options.ts";
import type { SessionMemory } from "../runtime/observations.ts";
import { toModelInput } from "./preprocess.ts";
import { randomInput, randomSequence } from "./random-inputs.ts";

export interface BenchmarkOptions
  extends Pick<InterpreterOptions, "kernels" | "threads" | "wide" | "tiles"> {
  /** Timed runs; 50 by default. */
  readonly runs?: number;
  /** Runs before them that do not count; 10 by default. */
  readonly warmup?: number;
  /** Whether to measure every operator as well. */
  readonly profile?: boolean;
  readonly onProgress?: (done: number, total: number) => void;
}

/** Milliseconds. */
export interface TimeSummary {
  readonly median: number;
  readonly p90: number;
  readonly min: number;
  readonly mean: number;
}

export interface OperatorTime {
  readonly subgraph: number;
  readonly operator: number;
  readonly op: string;
  /** Name of its first output. */
  readonly tensor: string;
  /** The emitted kernel that ran it, `kind-tile-instructions`; absent where the reference kernel did. */
  readonly kernel?: string;
  /** Milliseconds in one run of the model: the median over all profiled runs, all calls in a run added up. */
  readonly medianMs: number;
  /** Of the sum over all operators, from 0 to 1. */
  readonly share: number;
}

export interface BenchmarkResult {
  readonly runs: number;
  readonly warmup: number;
  /** From bytes to an interpreter that is ready to run. */
  readonly loadMs: number;
  readonly firstRunMs: number;
  readonly runMs: TimeSummary;
  readonly memory: SessionMemory;
  readonly threads: number;
  /** Whether kernels were compiled with 256-bit vectors. */
  readonly wide: boolean;
  /** What the interpreter says about how it runs. */
  readonly remarks: readonly Diagnostic[];
  /** In the order in which operators run. */
  readonly profile?: readonly OperatorTime[];
}

/**
 * Measures a .tflite model.
 * @throws what `Interpreter.create` and a run throw, and UnsupportedError for inputs of strings
 */
export async function benchmarkModel(
  model: Uint8Array,
  { runs = 50, warmup = 10, profile = false, onProgress, ...options }: BenchmarkOptions = {},
): Promise<BenchmarkResult> {
  const total = 1 + warmup + runs + (profile ? 1 + runs : 0);
  let done = 0;
  const step = (): void => onProgress?.(++done, total);
  const startedAt = performance.now();
  const interpreter = await Interpreter.create(model, options);
  const loadMs = performance.now() - startedAt;
  try {
    setRandomInputs(interpreter);
    const firstRunMs = await timed(interpreter, step);
    for (let run = 0; run < warmup; run++) await timed(interpreter, step);
    const times: number[] = [];
    for (let run = 0; run < runs; run++) times.push(await timed(interpreter, step));
    return {
      runs,
      warmup,
      loadMs,
      firstRunMs,
      runMs: summarizeTimes(times),
      memory: interpreter.memory(),
      threads: interpreter.threads,
      wide: interpreter.wide,
      remarks: interpreter.diagnostics,
      ...(profile ? { profile: await profileOperators(model, runs, options, step) } : {}),
    };
  } finally {
    interpreter.dispose();
  }
}

async function timed(interpreter: Interpreter, step: () => void): Promise<number> {
  const startedAt = performance.now();
  await interpreter.invoke();
  const elapsed = performance.now() - startedAt;
  step();
  return elapsed;
}

function setRandomInputs(interpreter: Interpreter): void {
  const random = randomSequence(1);
  for (const input of interpreter.getInputDetails()) {
    interpreter.setTensor(input.index, toModelInput(randomInput(input, random), input));
  }
}

/** Runs once without counting, then `runs` times with an eye on every operator. */
async function profileOperators(
  model: Uint8Array,
  runs: number,
  options: InterpreterOptions,
  step: () => void,
): Promise<OperatorTime[]> {
  const operators = new Map<
    string,
    Omit<OperatorTime, "medianMs" | "share"> & { times: number[] }
  >();
  let run = -1;
  const interpreter = await Interpreter.create(model, {
    ...options,
    observe({ subgraph, operator, op, variant, milliseconds, outputs }) {
      if (run < 0) return;
      const key = `${subgraph}/${operator}`;
      const tensor = outputs[0]?.name ?? "";
      const kernel = variant === undefined ? {} : { kernel: variant };
      const entry = operators.get(key) ?? { subgraph, operator, op, tensor, ...kernel, times: [] };
      entry.times[run] = (entry.times[run] ?? 0) + milliseconds;
      operators.set(key, entry);
    },
  });
  try {
    setRandomInputs(interpreter);
    for (; run < runs; run++) await timed(interpreter, step);
  } finally {
    interpreter.dispose();
  }
  const measured = [...operators.values()].map(({ times, ...operator }) => ({
    ...operator,
    medianMs: summarizeTimes(times.filter((time) => time !== undefined)).median,
  }));
  const sum = measured.reduce((all, { medianMs }) => all + medianMs, 0);
  return measured.map((entry) => ({ ...entry, share: sum === 0 ? 0 : entry.medianMs / sum }));
}

/** Summarizes at least one time. */
export function summarizeTimes(times: readonly number[]): TimeSummary {
  const sorted = [...times].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const at = (index: number): number => sorted[index] ?? Number.NaN;
  return {
    median: (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2,
    p90: at(Math.ceil(0.9 * sorted.length) - 1),
    min: at(0),
    mean: sorted.reduce((sum, time) => sum + time, 0) / sorted.length,
  };
}
