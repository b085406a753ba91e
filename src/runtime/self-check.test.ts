import { describe, expect, it } from "vitest";
import { UsageError } from "../base/errors.ts";
import type { TensorInfo } from "../kernels/kernel.ts";
import type { LinearMemory } from "./linear-memory.ts";
import { type CheckedStep, codesAgree, settleSteps } from "./self-check.ts";
import { TensorSlot } from "./tensor-slot.ts";

type Code = "plain" | "wide";

function slot(data: Float32Array, extra: Partial<TensorInfo> = {}): TensorSlot {
  const info = { name: "t", dtype: "float32", shape: [data.length] } as const;
  return new TensorSlot({ ...info, isConstant: false, isVariable: false, ...extra }, data);
}

/** A step that doubles its input; what `wide` does is up to the test. */
function doubling(wide: (doubled: number) => number, current: () => Code): CheckedStep {
  const [input, output] = [slot(new Float32Array(9)), slot(new Float32Array(9))];
  const run = (): void => {
    const [from, to] = [input.data as Float32Array, output.data as Float32Array];
    to.set(from.map((value) => (current() === "wide" ? wide(value * 2) : value * 2)));
  };
  return { run, inputs: [input], outputs: [output] };
}

function check(makeSteps: (current: () => Code) => readonly CheckedStep[]): boolean {
  let code: Code = "plain";
  return codesAgree(
    makeSteps(() => code),
    (next) => {
      code = next;
    },
  );
}

describe("codesAgree", () => {
  it("accepts code with the same results", () => {
    expect(check((code) => [doubling((value) => value, code)])).toBe(true);
  });

  it("sees a difference in the last bit, and the sign of zero", () => {
    const lastBit = (value: number) => value * (1 + 2 ** -23);
    expect(check((code) => [doubling(lastBit, code)])).toBe(false);
    const zeros = (sign: number) => (code: () => Code) => {
      const output = slot(new Float32Array(9));
      const run = (): void => {
        (output.data as Float32Array).fill(code() === "wide" ? sign * 0 : 0);
      };
      return [{ run, inputs: [], outputs: [output] }];
    };
    expect(check(zeros(1))).toBe(true);
    expect(check(zeros(-1))).toBe(false);
  });

  it("sees a difference in the last of an odd number of bytes, wherever they are", () => {
    for (const at of [0, 1]) {
      for (const changed of [0, 8]) {
        const data = new Uint8Array(new ArrayBuffer(16), at, 9);
        const info = { name: "t", dtype: "uint8", shape: [9] } as const;
        const output = new TensorSlot({ ...info, isConstant: false, isVariable: false }, data);
        const steps = (code: () => Code) => {
          const run = (): void => {
            data.fill(7);
            if (code() === "wide") data[changed] = 8;
          };
          return [{ run, inputs: [], outputs: [output] }];
        };
        expect(check(steps)).toBe(false);
      }
    }
  });

  it("keeps outputs of several steps and sizes apart", () => {
    const make = (length: number, wide: number) => (code: () => Code) => {
      const outputs = [slot(new Float32Array(length)), slot(new Float32Array(2))];
      const run = (): void => {
        (outputs[0]!.data as Float32Array).fill(length);
        (outputs[1]!.data as Float32Array).fill(code() === "wide" ? wide : 1);
      };
      return { run, inputs: [], outputs };
    };
    expect(check((code) => [make(9, 1)(code), make(3, 1)(code)])).toBe(true);
    expect(check((code) => [make(9, 1)(code), make(3, 2)(code)])).toBe(false);
  });

  it("sees a difference in a later step", () => {
    const same = (value: number) => value;
    expect(check((code) => [doubling(same, code), doubling((value) => -value, code)])).toBe(false);
  });

  it("takes a step that refuses random operands with both codes as equal", () => {
    const refuse = (): never => {
      throw new UsageError({ where: "test", found: "an index", expected: "one", option: "x" });
    };
    expect(check((code) => [{ ...doubling((value) => value, code), run: refuse }])).toBe(true);
  });

  it("gives both codes the same variables, leaves them as they were, and zeroes the rest", () => {
    const state = slot(Float32Array.of(1, 2, 3), { isVariable: true });
    const output = slot(Float32Array.of(9, 9, 9));
    const run = (): void => {
      const data = state.data as Float32Array;
      data.set(data.map((value) => value + 1));
      (output.data as Float32Array).set(data);
    };
    expect(check(() => [{ run, inputs: [state], outputs: [output] }])).toBe(true);
    expect(state.data).toEqual(Float32Array.of(1, 2, 3));
    expect(output.data).toEqual(new Float32Array(3));
  });
});

describe("settleSteps", () => {
  /** Code of which every step makes so many multiplications; says what was asked of it. */
  function settle(work: number) {
    const asked: string[] = [];
    const code = {
      hasWide: true,
      unsettledWork: work,
      use: () => undefined,
      clearVectors: () => asked.push("clear"),
      settle: (which: Code) => asked.push(which),
    };
    const memory = { code, variantOf: () => "kernel", bind: () => () => asked.push("run") };
    const [step] = [
      doubling(
        (value) => value,
        () => "plain",
      ),
    ];
    const refusals: string[] = [];
    const steps = settleSteps(
      memory as unknown as LinearMemory,
      [{ ...step, operator: 0 }],
      ({ id }) => refusals.push(id),
    );
    asked.length = 0;
    for (const { run, inputs, outputs } of steps) run(inputs, outputs);
    return { asked, refusals };
  }

  it("binds kernels anew, and clears vectors after each where wide code runs", () => {
    expect(settle(1e9)).toEqual({ asked: ["run", "clear"], refusals: [] });
  });

  it("keeps plain code where there is little work, and says so", () => {
    expect(settle(1000)).toEqual({ asked: ["run"], refusals: ["wide-not-worth"] });
  });
});
