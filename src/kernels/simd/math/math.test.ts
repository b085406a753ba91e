import { describe, expect, it } from "vitest";
import { ModuleBuilder } from "../../../wasm/module-builder.ts";
import {
  emitUnary,
  type UnaryFunction,
  type UnaryOp,
  unaryName,
} from "../elementwise/emit-unary.ts";

const SOURCE = 0;
const RESULT = 1 << 15;

function functionOf(op: UnaryOp): (values: Float32Array) => Float32Array {
  const module = new ModuleBuilder();
  module.importMemory("env", "memory", { initial: 1 });
  emitUnary(module, op);
  const memory = new WebAssembly.Memory({ initial: 1 });
  const instance = new WebAssembly.Instance(new WebAssembly.Module(module.finish()), {
    env: { memory },
  });
  const run = instance.exports[unaryName(op)] as unknown as UnaryFunction;
  return (values) => {
    new Float32Array(memory.buffer, SOURCE, values.length).set(values);
    run(SOURCE, values.length, RESULT, 0, 0);
    return new Float32Array(memory.buffer, RESULT, values.length).slice();
  };
}

/** Random mantissas over exponents from 2^-30 to 2^7, of both signs. */
function* samples(): Generator<Float32Array> {
  let state = 1;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  for (let round = 0; round < 100; round++) {
    yield Float32Array.from({ length: 4001 }, () => {
      const size = (1 + next()) * 2 ** (Math.floor(next() * 37) - 30);
      return next() < 0.5 ? -size : size;
    });
  }
}

const LEAST_NORMAL = 2 ** -126;

describe("functions on four floats", () => {
  it.each<[UnaryOp, (x: number) => number, number]>([
    ["exp", Math.exp, 2 ** -22],
    ["tanh", Math.tanh, 2 ** -21],
    ["logistic", (x) => 1 / (1 + Math.exp(-x)), 2 ** -21],
  ])("%s stays within its bound of relative error", (op, define, bound) => {
    const run = functionOf(op);
    let worst = 0;
    for (const values of samples()) {
      const results = run(values);
      for (const [index, x] of values.entries()) {
        const exact = define(x);
        const size = Math.abs(exact);
        if (size < LEAST_NORMAL || size > 3.4e38) continue;
        worst = Math.max(worst, Math.abs(results[index] - exact) / size);
      }
    }
    expect(worst).toBeGreaterThan(0);
    expect(worst).toBeLessThan(bound);
  });

  it.each<[UnaryOp, (x: number) => number]>([
    ["precise-tanh", Math.tanh],
    ["precise-logistic", (x) => 1 / (1 + Math.exp(-x))],
  ])("%s rounds as the function of JavaScript does", (op, define) => {
    const run = functionOf(op);
    for (const values of samples()) {
      expect(run(values)).toEqual(values.map(define));
    }
  });

  it("keep limits, zero and NaN", () => {
    const edges = Float32Array.of(-Infinity, -1000, 0, 1000, Infinity, Number.NaN);
    expect([...functionOf("exp")(edges)]).toEqual([0, 0, 1, Infinity, Infinity, Number.NaN]);
    expect([...functionOf("tanh")(edges)]).toEqual([-1, -1, 0, 1, 1, Number.NaN]);
    expect([...functionOf("logistic")(edges)]).toEqual([0, 0, 0.5, 1, 1, Number.NaN]);
    expect([...functionOf("precise-tanh")(edges)]).toEqual([-1, -1, 0, 1, 1, Number.NaN]);
    expect([...functionOf("precise-logistic")(edges)]).toEqual([0, 0, 0.5, 1, 1, Number.NaN]);
    const [, , ...above] = edges;
    for (const op of ["gelu", "gelu-exact"] as const) {
      expect([...functionOf(op)(Float32Array.from(above))]).toEqual([
        0,
        1000,
        Infinity,
        Number.NaN,
      ]);
    }
  });

  it("reach the subnormal floats", () => {
    const x = -100;
    const [result] = functionOf("exp")(Float32Array.of(x));
    expect(Math.abs(result - Math.exp(x))).toBeLessThanOrEqual(2 ** -149);
  });
});
