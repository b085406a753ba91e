import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import wabtModule from "wabt";
import { ATOMIC_MEMORY } from "./atomic-instructions.ts";
import type { FunctionBuilder } from "./function-builder.ts";
import { type Letters, typesOfLetters, type ValueType } from "./instruction-row.ts";
import type {
  LaneInstruction,
  MemoryInstruction,
  MemoryLaneInstruction,
  PlainInstruction,
} from "./instructions.ts";
import { ModuleBuilder } from "./module-builder.ts";
import { SCALAR_MEMORY, SCALAR_PLAIN } from "./scalar-instructions.ts";
import { SIMD_LANE, SIMD_MEMORY, SIMD_MEMORY_LANE, SIMD_PLAIN } from "./simd-instructions.ts";

interface Case {
  readonly name: string;
  readonly text: string;
  readonly operands: readonly ValueType[];
  readonly results: readonly ValueType[];
  readonly emit: (f: FunctionBuilder) => void;
}

function cases(): Case[] {
  const rows: Case[] = [];
  const add = (
    name: string,
    text: string,
    operands: Letters,
    results: Letters,
    emit: (f: FunctionBuilder) => void,
  ) => {
    const types = { operands: typesOfLetters(operands), results: typesOfLetters(results) };
    rows.push({ name, text, ...types, emit });
  };
  for (const [name, [, , operands, results]] of Object.entries({
    ...SCALAR_PLAIN,
    ...SIMD_PLAIN,
  })) {
    add(name, name, operands, results, (f) => f.op(name as PlainInstruction));
  }
  for (const [name, [, , , operands, results]] of Object.entries(SIMD_LANE)) {
    add(name, `${name} 1`, operands, results, (f) => f.lane(name as LaneInstruction, 1));
  }
  const memory = { ...SCALAR_MEMORY, ...SIMD_MEMORY, ...ATOMIC_MEMORY };
  for (const [name, [, , , operands, results]] of Object.entries(memory)) {
    add(name, `${name} offset=300`, operands, results, (f) =>
      f.mem(name as MemoryInstruction, 300),
    );
  }
  for (const [name, [, , , , operands, results]] of Object.entries(SIMD_MEMORY_LANE)) {
    add(name, `${name} offset=8 1`, operands, results, (f) =>
      f.memLane(name as MemoryLaneInstruction, 1, 8),
    );
  }
  add("memory.copy", "memory.copy", "iii", "", (f) => f.memoryCopy());
  add("memory.fill", "memory.fill", "iii", "", (f) => f.memoryFill());
  add("memory.size", "memory.size", "", "i", (f) => f.memorySize());
  add("memory.grow", "memory.grow", "i", "i", (f) => f.memoryGrow());
  add("atomic.fence", "atomic.fence", "", "", (f) => f.atomicFence());
  add("i8x16.shuffle", "i8x16.shuffle 0 1 2 3 4 5 6 7 16 17 18 19 20 21 22 31", "vv", "v", (f) =>
    f.shuffle([0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 31]),
  );
  return rows;
}

function ours({ operands, results, emit }: Case): Uint8Array {
  const module = new ModuleBuilder();
  module.memory({ initial: 1, maximum: 1, shared: true });
  const f = module.function(operands, results, "f");
  operands.forEach((_, index) => {
    f.get(f.param(index));
  });
  emit(f);
  return module.finish();
}

function theirText({ text, operands, results }: Case): string {
  const params = operands.length ? `(param ${operands.join(" ")})` : "";
  const result = results.length ? `(result ${results.join(" ")})` : "";
  const gets = operands.map((_, index) => `local.get ${index}`).join(" ");
  return `(module (memory 1 1 shared) (func (export "f") ${params} ${result} ${gets} ${text}))`;
}

describe("instruction encodings", () => {
  it("are those of an independent assembler, byte for byte, for every instruction", async () => {
    const wabt = await wabtModule();
    const all = cases();
    expect(all.length).toBeGreaterThan(480);
    const different = all.filter((row) => {
      const parsed = wabt.parseWat("x.wat", theirText(row), {
        simd: true,
        relaxed_simd: true,
        threads: true,
        bulk_memory: true,
        sat_float_to_int: true,
        sign_extension: true,
      });
      const theirs = parsed.toBinary({}).buffer;
      parsed.destroy();
      return Buffer.compare(Buffer.from(theirs), Buffer.from(ours(row))) !== 0;
    });
    expect(different.map((row) => row.name)).toEqual([]);
  });

  it("are accepted by the engine, relaxed SIMD where the engine has it", () => {
    const probe = cases().find((row) => row.name === "i8x16.relaxed_swizzle") as Case;
    const hasRelaxed = WebAssembly.validate(ours(probe) as BufferSource);
    const refused = cases().filter(
      (row) =>
        (hasRelaxed || !row.name.includes("relaxed")) &&
        !WebAssembly.validate(ours(row) as BufferSource),
    );
    expect(refused.map((row) => row.name)).toEqual([]);
  });
});

describe("ModuleBuilder", () => {
  it("builds a loop with branches, locals, memory and data that computes", async () => {
    const module = new ModuleBuilder();
    module.importMemory("env", "memory", { initial: 1 });
    module.data(Uint8Array.of(1, 2, 3, 250), 16);
    const f = module.function(["i32", "i32"], ["i32"], "sum");
    const [address, count] = [f.param(0), f.param(1)];
    const sum = f.local("i32");
    f.block((exit) => {
      f.loop((again) => {
        f.get(count);
        f.op("i32.eqz");
        f.brIf(exit);
        f.get(sum);
        f.get(address);
        f.mem("i32.load8_u");
        f.op("i32.add");
        f.set(sum);
        f.get(address);
        f.i32(1);
        f.op("i32.add");
        f.set(address);
        f.get(count);
        f.i32(-1);
        f.op("i32.add");
        f.set(count);
        f.br(again);
      });
    });
    f.get(sum);
    const memory = new WebAssembly.Memory({ initial: 1 });
    const { instance } = await WebAssembly.instantiate(module.finish(), { env: { memory } });
    expect((instance.exports["sum"] as (a: number, n: number) => number)(16, 4)).toBe(256);
  });

  it("encodes integer and float constants of every length", async () => {
    const values = [0, 1, -1, 63, 64, -64, -65, 8191, 8192, 2147483647, -2147483648];
    const module = new ModuleBuilder();
    values.forEach((value, index) => {
      module.function([], ["i32"], `i${index}`).i32(value);
    });
    module.function([], ["i64"], "min").i64(-(2n ** 63n));
    module.function([], ["f32"], "third").f32(1 / 3);
    module.function([], ["f64"], "tenth").f64(0.1);
    const { instance } = await WebAssembly.instantiate(module.finish());
    const call = (name: string) => (instance.exports[name] as () => number | bigint)();
    expect(values.map((_, index) => call(`i${index}`))).toEqual(values);
    expect([call("min"), call("third"), call("tenth")]).toEqual([
      -(2n ** 63n),
      Math.fround(1 / 3),
      0.1,
    ]);
  });

  it("takes names longer than 127 bytes and blocks with several results", async () => {
    const name = "n".repeat(300);
    const module = new ModuleBuilder();
    const f = module.function([], ["i32"], name);
    f.block(() => {
      f.i32(40);
      f.i32(2);
    }, ["i32", "i32"]);
    f.op("i32.add");
    const { instance } = await WebAssembly.instantiate(module.finish());
    expect((instance.exports[name] as () => number)()).toBe(42);
  });

  it("makes a global with a name once, which the host can set", async () => {
    const module = new ModuleBuilder();
    for (const name of ["first", "second"]) {
      const f = module.function([], ["i32"], name);
      f.getGlobal(module.exportedGlobal("i32", "shared"));
    }
    const { instance } = await WebAssembly.instantiate(module.finish());
    const { shared, first, second } = instance.exports;
    (shared as WebAssembly.Global).value = 7;
    const values = [first, second].map((read) => (read as () => number)());
    expect(values).toEqual([7, 7]);
  });

  it("selects between vectors with the typed form", async () => {
    const module = new ModuleBuilder();
    const f = module.function(["i32"], ["i32"], "pick");
    f.v128(new Uint8Array(16).fill(1));
    f.v128(new Uint8Array(16).fill(2));
    f.get(f.param(0));
    f.select();
    f.lane("i8x16.extract_lane_u", 3);
    const { instance } = await WebAssembly.instantiate(module.finish());
    const pick = instance.exports["pick"] as (condition: number) => number;
    expect([pick(1), pick(0)]).toEqual([1, 2]);
  });
});

describe("the operand check", () => {
  const body =
    (emit: (f: FunctionBuilder) => void, results: readonly ValueType[] = []) =>
    () => {
      const module = new ModuleBuilder();
      emit(module.function([], results));
      module.finish();
    };

  it("names the instruction whose operand has the wrong type", () => {
    expect(
      body((f) => {
        f.i32(1);
        f.f32(1);
        f.op("i32.add");
      }),
    ).toThrow("internal: i32.add: operand 1 is f32, expected i32");
  });

  it("reports an empty stack, leftovers and a missing result", () => {
    expect(body((f) => f.drop())).toThrow("drop: the operand stack is empty");
    expect(body((f) => f.i32(1))).toThrow("end of function: 1 operands left on the stack");
    expect(body(() => undefined, ["i32"])).toThrow("end of function: the operand stack is empty");
  });

  it("refuses lanes, shuffles, alignments and labels out of range", () => {
    expect(
      body((f) => {
        f.v128(new Uint8Array(16));
        f.lane("f32x4.extract_lane", 4);
      }),
    ).toThrow("lane 4 of 4");
    expect(
      body((f) => {
        f.i32(0);
        f.mem("i32.load", 0, 3);
      }),
    ).toThrow("alignment 2^3 above the natural 2^2");
    expect(
      body((f) => {
        let stale: Parameters<typeof f.br>[0] | undefined;
        f.block((label) => {
          stale = label;
        });
        f.br(stale as Parameters<typeof f.br>[0]);
      }),
    ).toThrow("branch to a block that has ended");
  });

  it("lets code after an unconditional branch leave any types", () => {
    expect(
      body(
        (f) => {
          f.i32(1);
          f.return();
          f.op("i32.add");
        },
        ["i32"],
      ),
    ).not.toThrow();
  });
});

it("has no instruction twice", () => {
  const text = ["scalar", "simd", "atomic"]
    .map((kind) => readFileSync(new URL(`./${kind}-instructions.ts`, import.meta.url), "utf8"))
    .join("");
  const names = [...text.matchAll(/^ {2}"?([\w.]+)"?: \[/gm)].map((match) => match[1]);
  expect(names.length).toBe(new Set(names).size);
});
