/** Emits how a thread goes from list to list, and from job to job. */
import type { Callable, FunctionBuilder, Label, Local } from "../wasm/function-builder.ts";
import type { ModuleBuilder } from "../wasm/module-builder.ts";
import {
  emitAdvance,
  emitAge,
  emitAllDone,
  emitGenerationOf,
  emitMove,
  emitUnpack,
  type JobState,
} from "./emit-job.ts";
import { DONE, FINISHED, IDLE, JOB, listAddress, listBytes } from "./list-layout.ts";

/**
 * `work(thread, looks)`: works on jobs until there is nothing to do for so many looks. Returns the number of the list that
 * it waits for, `IDLE` when it waits for a job, and on the calling thread, which is number 0, `FINISHED` as soon as its
 * job is done.
 */
export function emitWork(
  module: ModuleBuilder,
  job: JobState,
  run: Callable,
  threads: number,
): void {
  const f = module.function(["i32", "i32"], ["i32"], "work");
  const [thread, looks] = [f.param(0), f.param(1)];
  const [left, list] = [f.local("i32"), f.local("i32")];
  f.loop((again) => {
    f.get(looks);
    f.set(left);
    f.loop((lookAgain) => {
      f.block((nothing) => {
        f.getGlobal(job.position);
        f.getGlobal(job.end);
        f.op("i32.eq");
        f.if(() => {
          emitNextJob(f, job, { thread, list, threads, nothing });
          f.br(again);
        });
        emitBarrier(f, job, { list, threads, again, nothing });
        emitListOf(f, job, list, threads, 0);
        f.get(thread);
        f.get(list);
        f.call(run);
        f.if(
          () => emitAdvance(f, job.position),
          () => emitMove(f, job.end, job.position),
        );
        f.br(again);
      });
      f.get(left);
      f.i32(-1);
      f.op("i32.add");
      f.tee(left);
      f.i32(0);
      f.op("i32.gt_s");
      f.brIf(lookAgain);
    });
  });
  emitAwaited(f, job, thread);
}

/** list = address of the list `before` lists before the thread's position. */
function emitListOf(
  f: FunctionBuilder,
  { position }: JobState,
  list: Local,
  threads: number,
  before: number,
): void {
  f.getGlobal(position);
  f.i32(listBytes(threads));
  f.op("i32.mul");
  f.i32(listAddress(-before, threads));
  f.op("i32.add");
  f.set(list);
}

/** At the end of a job: the calling thread returns when the last list is done, the others look for the next job. */
function emitNextJob(
  f: FunctionBuilder,
  job: JobState,
  {
    thread,
    list,
    threads,
    nothing,
  }: {
    readonly thread: Local;
    readonly list: Local;
    readonly threads: number;
    readonly nothing: Label;
  },
): void {
  const word = f.local("i64");
  f.get(thread);
  f.op("i32.eqz");
  f.if(() => {
    emitListOf(f, job, list, threads, 1);
    emitIsDone(f, job, list);
    f.op("i32.eqz");
    f.brIf(nothing);
    f.i32(FINISHED);
    f.return();
  });
  f.i32(0);
  f.mem("i64.atomic.load", JOB);
  f.tee(word);
  emitAge(f, job);
  f.op("i32.eqz");
  f.brIf(nothing);
  f.get(word);
  emitGenerationOf(f);
  f.setGlobal(job.generation);
  emitUnpack(
    f,
    word,
    () => f.setGlobal(job.first),
    () => f.setGlobal(job.end),
  );
  emitMove(f, job.first, job.position);
}

/** Goes on when the list before is done; leaves a job that is over. */
function emitBarrier(
  f: FunctionBuilder,
  job: JobState,
  {
    list,
    threads,
    again,
    nothing,
  }: {
    readonly list: Local;
    readonly threads: number;
    readonly again: Label;
    readonly nothing: Label;
  },
): void {
  f.getGlobal(job.position);
  f.getGlobal(job.first);
  f.op("i32.ne");
  f.if(() => {
    emitListOf(f, job, list, threads, 1);
    f.get(list);
    f.mem("i64.atomic.load", DONE);
    emitAge(f, job);
    f.i32(0);
    f.op("i32.gt_s");
    f.if(() => {
      emitMove(f, job.end, job.position);
      f.br(again);
    });
    emitIsDone(f, job, list);
    f.op("i32.eqz");
    f.brIf(nothing);
  });
}

/** Emits [] → whether all calls of the list are done. */
function emitIsDone(f: FunctionBuilder, job: JobState, list: Local): void {
  f.get(list);
  f.mem("i64.atomic.load", DONE);
  emitAllDone(f, job, list);
  f.op("i64.eq");
}

/** Emits [] → what the thread waits for. */
function emitAwaited(f: FunctionBuilder, job: JobState, thread: Local): void {
  f.i32(IDLE);
  f.getGlobal(job.position);
  f.i32(1);
  f.op("i32.sub");
  f.getGlobal(job.position);
  f.getGlobal(job.end);
  f.op("i32.eq");
  f.get(thread);
  f.i32(0);
  f.op("i32.ne");
  f.op("i32.and");
  f.select();
}
