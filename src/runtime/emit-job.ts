/** What the parts of the emitted list walker share: the words that carry a generation, and the start of a job. */
import type { FunctionBuilder, Global, Local } from "../wasm/function-builder.ts";
import type { ModuleBuilder } from "../wasm/module-builder.ts";
import { COUNT, IDLE_SLEEPERS, INDEX_BITS, JOB, JOB_GENERATION } from "./list-layout.ts";

const INDEX_MASK = (1 << INDEX_BITS) - 1;

/** What a thread knows of the job that it works on. */
export interface JobState {
  readonly generation: Global;
  /** First list. */
  readonly first: Global;
  /** The list that it works on. */
  readonly position: Global;
  readonly end: Global;
}

/** Declares the variables of a thread's job; its generation is exported. */
export function declareJob(module: ModuleBuilder): JobState {
  const variable = (name?: string): Global => module.global("i32", 0, true, name);
  const generation = variable("generation");
  return { generation, first: variable(), position: variable(), end: variable() };
}

/** Emits [] → the generation as the upper half of a word. */
export function emitGeneration(f: FunctionBuilder, { generation }: JobState): void {
  f.getGlobal(generation);
  f.op("i64.extend_i32_u");
  f.i64(32n);
  f.op("i64.shl");
}

/** Emits [word] → its generation. */
export function emitGenerationOf(f: FunctionBuilder): void {
  f.i64(32n);
  f.op("i64.shr_u");
  f.op("i32.wrap_i64");
}

/** Emits [word] → its generation − the thread's: above 0 in a word of a later job. */
export function emitAge(f: FunctionBuilder, { generation }: JobState): void {
  emitGenerationOf(f);
  f.getGlobal(generation);
  f.op("i32.sub");
}

/** Emits [] → the word of a list whose calls are all done. */
export function emitAllDone(f: FunctionBuilder, job: JobState, list: Local): void {
  emitGeneration(f, job);
  f.get(list);
  f.mem("i64.load32_u", COUNT);
  f.op("i64.or");
}

/** Emits [] → a word of this generation with `end` and `first`. */
export function emitPack(
  f: FunctionBuilder,
  job: JobState,
  first: () => void,
  end: () => void,
): void {
  emitGeneration(f, job);
  end();
  f.i32(INDEX_BITS);
  f.op("i32.shl");
  first();
  f.op("i32.or");
  f.op("i64.extend_i32_u");
  f.op("i64.or");
}

/** Emits what takes a word apart. */
export function emitUnpack(
  f: FunctionBuilder,
  word: Local,
  setFirst: () => void,
  setEnd: () => void,
): void {
  f.get(word);
  f.op("i32.wrap_i64");
  f.i32(INDEX_MASK);
  f.op("i32.and");
  setFirst();
  f.get(word);
  f.op("i32.wrap_i64");
  f.i32(INDEX_BITS);
  f.op("i32.shr_u");
  setEnd();
}

/** Emits local += 1. */
export function emitIncrement(f: FunctionBuilder, variable: Local): void {
  f.get(variable);
  f.i32(1);
  f.op("i32.add");
  f.set(variable);
}

/** Emits variable += 1. */
export function emitAdvance(f: FunctionBuilder, variable: Global): void {
  f.getGlobal(variable);
  f.i32(1);
  f.op("i32.add");
  f.setGlobal(variable);
}

/** Emits to = from. */
export function emitMove(f: FunctionBuilder, from: Global, to: Global): void {
  f.getGlobal(from);
  f.setGlobal(to);
}

/** `begin(first, end, wakes)`: publishes the job of these lists, and wakes the threads that sleep if it is to. */
export function emitBegin(module: ModuleBuilder, job: JobState): void {
  const f = module.function(["i32", "i32", "i32"], [], "begin");
  const [first, end, wakes] = [f.param(0), f.param(1), f.param(2)];
  f.i32(0);
  f.mem("i32.atomic.load", JOB_GENERATION);
  f.i32(1);
  f.op("i32.add");
  f.setGlobal(job.generation);
  f.get(first);
  f.setGlobal(job.first);
  f.get(first);
  f.setGlobal(job.position);
  f.get(end);
  f.setGlobal(job.end);
  f.i32(0);
  emitPack(
    f,
    job,
    () => f.get(first),
    () => f.get(end),
  );
  f.mem("i64.atomic.store", JOB);
  f.get(wakes);
  f.i32(0);
  f.mem("i32.atomic.load", IDLE_SLEEPERS);
  f.op("i32.and");
  f.if(() => {
    f.i32(0);
    f.i32(0);
    f.mem("i32.atomic.store", IDLE_SLEEPERS);
    f.i32(0);
    f.i32(-1);
    f.mem("memory.atomic.notify", JOB_GENERATION);
    f.drop();
  });
}
