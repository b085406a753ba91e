/**
 * Emits the code with which a thread works off lists of calls (`list-layout.ts`): `begin` publishes a job, `work` walks
 * its lists. Each list is cut into shares, one for each thread; a thread takes the calls of its own share from the front,
 * then those that are left of the others from the back. So from list to list, and from run to run, each works on the
 * same part of the activations, which then are in its own cache. Before a list, a thread looks until the one before is
 * done, for a while: then it returns, and whoever called decides how to wait.
 *
 * It is a module of its own, which imports the emitted functions: those must not call each other (`compile.ts`).
 */
import type { Callable, FunctionBuilder, Label, Local } from "../wasm/function-builder.ts";
import type { ValueType } from "../wasm/instruction-row.ts";
import { ModuleBuilder } from "../wasm/module-builder.ts";
import { type NumberType, recordLayout } from "./call-record.ts";
import {
  declareJob,
  emitAge,
  emitAllDone,
  emitBegin,
  emitGeneration,
  emitIncrement,
  emitPack,
  emitUnpack,
  type JobState,
} from "./emit-job.ts";
import { emitWork } from "./emit-work.ts";
import {
  BARRIER_SLEEPERS,
  COUNT,
  DONE,
  FUNCTION,
  RECORD_BYTES,
  RECORDS,
  SHARE_BYTES,
  SHARES,
} from "./list-layout.ts";

/** A function that lists call. */
export interface CalledFunction {
  readonly name: string;
  readonly params: readonly ValueType[];
}

/** What `take` returns where there is no call. */
const NONE = -1;
const TOO_LATE = -2;

/** Emits the module for lists of calls of these functions, on a memory as large as `pages`. */
export function emitListWalker(
  functions: readonly CalledFunction[],
  threads: number,
  pages: number,
): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder();
  module.importMemory("env", "lists", { initial: pages, maximum: pages, shared: true });
  const targets = functions.map(({ name, params }) =>
    module.importFunction("kernels", name, params, []),
  );
  const job = declareJob(module);
  const call = emitCall(module, targets);
  const take = emitTake(module, job, threads);
  const run = emitRun(module, { call, take, count: emitCountDone(module, job) }, threads);
  emitWork(module, job, run, threads);
  emitBegin(module, job);
  return module.finish();
}

/** `call(function, record)`: makes a call of a function by number, with the arguments in a record. */
function emitCall(module: ModuleBuilder, targets: readonly Callable[]): Callable {
  const f = module.function(["i32", "i32"], []);
  const [number, record] = [f.param(0), f.param(1)];
  const emitFrom = (index: number, labels: readonly Label[], unknown: Label): void => {
    const target = targets[index];
    if (target === undefined) {
      f.get(number);
      f.brTable(labels, unknown);
      return;
    }
    f.block((label) => emitFrom(index + 1, [...labels, label], unknown));
    const { offsets } = recordLayout(target.params);
    for (const [at, type] of target.params.entries()) {
      f.get(record);
      f.mem(`${type as NumberType}.load`, offsets[at] ?? 0);
    }
    f.call(target);
    f.return();
  };
  f.block((unknown) => emitFrom(0, [], unknown));
  f.op("unreachable");
  return f;
}

/**
 * `take(list, share, isOthers)`: takes a call of a share, from the back when it is another thread's, and returns its
 * number. What is left of a share is one word, moved only by comparing it with what was seen.
 */
function emitTake(module: ModuleBuilder, job: JobState, threads: number): Callable {
  const f = module.function(["i32", "i32", "i32"], ["i32"]);
  const [list, share, isOthers] = [f.param(0), f.param(1), f.param(2)];
  const [word, age] = [f.local("i64"), f.local("i32")];
  const [next, end, taken] = [f.local("i32"), f.local("i32"), f.local("i32")];
  const address = f.local("i32");
  const bound = (of: () => void, to: Local): void => {
    f.get(list);
    f.mem("i32.load", COUNT);
    of();
    f.op("i32.mul");
    f.i32(threads);
    f.op("i32.div_u");
    f.set(to);
  };
  f.get(list);
  f.get(share);
  f.i32(SHARE_BYTES);
  f.op("i32.mul");
  f.op("i32.add");
  f.set(address);
  f.loop((again) => {
    f.get(address);
    f.mem("i64.atomic.load", SHARES);
    f.tee(word);
    emitAge(f, job);
    f.tee(age);
    f.i32(0);
    f.op("i32.gt_s");
    f.if(() => {
      f.i32(TOO_LATE);
      f.return();
    });
    f.get(age);
    f.if(
      () => {
        bound(() => f.get(share), next);
        bound(() => {
          f.get(share);
          f.i32(1);
          f.op("i32.add");
        }, end);
      },
      () =>
        emitUnpack(
          f,
          word,
          () => f.set(next),
          () => f.set(end),
        ),
    );
    emitTaken(f, { next, end, taken, isOthers, age });
    f.get(address);
    f.get(word);
    emitPack(
      f,
      job,
      () => f.get(next),
      () => f.get(end),
    );
    f.mem("i64.atomic.rmw.cmpxchg", SHARES);
    f.get(word);
    f.op("i64.ne");
    f.brIf(again);
  });
  f.get(taken);
  return f;
}

/**
 * Moves one end of what is left and keeps the call in `taken`. A share without calls is marked as seen in this
 * generation all the same: nobody who comes late may take it for one that has not begun.
 */
function emitTaken(
  f: FunctionBuilder,
  {
    next,
    end,
    taken,
    isOthers,
    age,
  }: Readonly<Record<"next" | "end" | "taken" | "isOthers" | "age", Local>>,
): void {
  const move = (bound: Local, step: number): void => {
    f.get(bound);
    f.i32(step);
    f.op("i32.add");
    f.set(bound);
  };
  f.get(next);
  f.get(end);
  f.op("i32.ge_u");
  f.if(
    () => {
      f.i32(NONE);
      f.set(taken);
      f.get(age);
      f.op("i32.eqz");
      f.if(() => {
        f.i32(NONE);
        f.return();
      });
    },
    () => {
      f.get(isOthers);
      f.if(
        () => {
          move(end, -1);
          f.get(end);
          f.set(taken);
        },
        () => {
          f.get(next);
          f.set(taken);
          move(next, 1);
        },
      );
    },
  );
}

/** `count(list, calls)`: counts calls as done, and wakes who waits for the list when they were the last. */
function emitCountDone(module: ModuleBuilder, job: JobState): Callable {
  const f = module.function(["i32", "i32"], []);
  const [list, calls] = [f.param(0), f.param(1)];
  const [word, counted] = [f.local("i64"), f.local("i64")];
  f.loop((again) => {
    f.get(list);
    f.mem("i64.atomic.load", DONE);
    f.tee(word);
    emitGeneration(f, job);
    f.get(word);
    emitAge(f, job);
    f.op("i32.eqz");
    f.select();
    f.get(calls);
    f.op("i64.extend_i32_u");
    f.op("i64.add");
    f.set(counted);
    f.get(list);
    f.get(word);
    f.get(counted);
    f.mem("i64.atomic.rmw.cmpxchg", DONE);
    f.get(word);
    f.op("i64.ne");
    f.brIf(again);
  });
  f.get(counted);
  emitAllDone(f, job, list);
  f.op("i64.ne");
  f.if(() => f.return());
  f.i32(0);
  f.mem("i32.atomic.load", BARRIER_SLEEPERS);
  f.if(() => {
    f.get(list);
    f.i32(-1);
    f.mem("memory.atomic.notify", DONE);
    f.drop();
  });
  return f;
}

/** `run(thread, list)`: makes what calls it can get of a list; returns 0 when it came too late for the whole job. */
function emitRun(
  module: ModuleBuilder,
  { call, take, count }: Readonly<Record<"call" | "take" | "count", Callable>>,
  threads: number,
): Callable {
  const f = module.function(["i32", "i32"], ["i32"]);
  const [thread, list] = [f.param(0), f.param(1)];
  const [turn, share, taken] = [f.local("i32"), f.local("i32"), f.local("i32")];
  const done = f.local("i32");
  f.loop((nextShare) => {
    f.get(thread);
    f.get(turn);
    f.op("i32.add");
    f.i32(threads);
    f.op("i32.rem_u");
    f.set(share);
    f.loop((again) => {
      f.get(list);
      f.get(share);
      f.get(turn);
      f.call(take);
      f.tee(taken);
      f.i32(0);
      f.op("i32.ge_s");
      f.if(() => {
        f.get(list);
        f.mem("i32.load", FUNCTION);
        f.get(list);
        f.mem("i32.load", RECORDS);
        f.get(taken);
        f.get(list);
        f.mem("i32.load", RECORD_BYTES);
        f.op("i32.mul");
        f.op("i32.add");
        f.call(call);
        emitIncrement(f, done);
        f.br(again);
      });
    });
    f.get(taken);
    f.i32(TOO_LATE);
    f.op("i32.eq");
    f.if(() => {
      f.i32(0);
      f.return();
    });
    emitIncrement(f, turn);
    f.get(turn);
    f.i32(threads);
    f.op("i32.lt_u");
    f.brIf(nextShare);
  });
  f.get(done);
  f.if(() => {
    f.get(list);
    f.get(done);
    f.call(count);
  });
  f.i32(1);
  return f;
}
