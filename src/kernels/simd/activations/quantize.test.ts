import { describe, expect, it } from "vitest";
import { ModuleBuilder } from "../../../wasm/module-builder.ts";
import { asymmetricParameters } from "../../reference/hybrid.ts";
import { probeFeatures } from "../probe.ts";
import { emitQuantize, type QuantizeFunction, quantizeName } from "./emit-quantize.ts";
import { emitRange, RANGE_NAME, type RangeFunction } from "./emit-range.ts";

const f = Math.fround;

const STORED = {
  int16: Int16Array,
  float32: Float32Array,
  int8: Int8Array,
  uint8: Uint8Array,
} as const;

async function instance(relaxed = false) {
  const module = new ModuleBuilder();
  module.importMemory("env", "memory", { initial: 1 });
  emitRange(module);
  emitQuantize(module, { storage: "int16", relaxed });
  emitQuantize(module, { storage: "float32", relaxed });
  emitQuantize(module, { storage: "int8", relaxed });
  emitQuantize(module, { storage: "uint8", relaxed });
  const memory = new WebAssembly.Memory({ initial: 1 });
  const { instance } = await WebAssembly.instantiate(module.finish(), { env: { memory } });
  return { memory, exports: instance.exports };
}

/** The law, element by element: groups of eight use the float sum, the rest rounds exactly. */
function define(values: readonly number[], inverse: number, low: number, high: number): number[] {
  const grouped = values.length - (values.length % 8);
  return values.map((value, index) => {
    const x = f(f(value) * inverse);
    const sign = x < 0 || Object.is(x, -0) ? -1 : 1;
    const rounded =
      index < grouped ? Math.trunc(f(x + sign * 0.5)) : sign * Math.floor(Math.abs(x) + 0.5);
    return Number.isNaN(rounded) ? low : Math.min(Math.max(rounded, low), high) + 0;
  });
}

const SERIES: readonly (readonly [string, readonly number[]])[] = [
  ["ties of both signs", Array.from({ length: 40 }, (_, i) => (i - 20) / 2)],
  ["a value just below one half", [0.49999997, 0.49999997, 1, 2, 3, 4, 5, 6, 0.49999997]],
  ["fewer than eight", [1.5, -2.5, 0]],
  ["values beyond the range", [1e9, -1e9, 300, -300, 127.5, -128.5, 0, 1, 1e9]],
  ["nothing", []],
];

describe("activation quantization", () => {
  const relaxations = probeFeatures()?.relaxed ? [false, true] : [false];
  const series = relaxations.flatMap((relaxed) =>
    SERIES.map(([title, values]) => [title, relaxed, values] as const),
  );

  it.each(series)("follows the law in all storages: %s, relaxed %s", async (_, relaxed, values) => {
    const { memory, exports } = await instance(relaxed);
    new Float32Array(memory.buffer, 64, values.length).set(values);
    for (const inverse of [1, f(1.7)]) {
      const expected = define(values, inverse, -130, 125);
      for (const storage of ["int16", "float32", "int8", "uint8"] as const) {
        const quantize = exports[quantizeName({ storage, relaxed })] as unknown as QuantizeFunction;
        const zeroPoint = storage === "uint8" ? 130 : storage === "int8" ? 2 : 0;
        quantize(64, values.length, 4096, inverse, -130, 125, zeroPoint);
        const out = new STORED[storage](memory.buffer, 4096, values.length);
        expect(Array.from(out, (value) => value - zeroPoint)).toEqual(expected);
      }
    }
  });

  it.each(relaxations)(
    "follows the law where the lower bound is 0, relaxed %s",
    async (relaxed) => {
      const { memory, exports } = await instance(relaxed);
      for (const greatest of [6, 3e38, 1e-36, 1e-43, 1e-45]) {
        // Whole and half steps, −0, NaN, and more than whole groups.
        const values = Array.from({ length: 47 }, (_, i) => f((greatest * (i * 5.5 + 0.5)) / 255));
        values.splice(3, 3, greatest, -0, Number.NaN);
        const numbers = values.map((value) => Math.min(value, f(greatest)));
        const { inverse, low, high } = asymmetricParameters(0, f(greatest));
        new Float32Array(memory.buffer, 64, numbers.length).set(numbers);
        const expected = define(numbers, inverse, low, high);
        for (const storage of ["int16", "float32", "int8", "uint8"] as const) {
          const quantize = exports[
            quantizeName({ storage, relaxed })
          ] as unknown as QuantizeFunction;
          const zeroPoint = storage === "int8" ? -128 : 0;
          quantize(64, numbers.length, 4096, inverse, low, high, zeroPoint);
          const out = new STORED[storage](memory.buffer, 4096, numbers.length);
          expect(Array.from(out, (value) => value - zeroPoint)).toEqual(expected);
        }
      }
    },
  );

  it("finds the range, widened to contain 0, wherever the extremes stand", async () => {
    const { memory, exports } = await instance();
    const range = exports[RANGE_NAME] as unknown as RangeFunction;
    const find = (values: readonly number[]) => {
      new Float32Array(memory.buffer, 64, values.length).set(values);
      range(64, values.length, 16);
      return [...new Float32Array(memory.buffer, 16, 2)];
    };
    for (const length of [1, 3, 16, 17, 50]) {
      for (let at = 0; at < length; at++) {
        const values = Array.from({ length }, (_, index): number => (index === at ? -7 : 1));
        values[(at + 1) % length] = length === 1 ? -7 : 9;
        expect(find(values)).toEqual(length === 1 ? [-7, 0] : [-7, 9]);
      }
    }
    const positive = Array.from({ length: 200 }, (_, index) => 1 + (index % 7));
    for (const [value, range] of [
      [9, [0, 9]],
      [-9, [-9, 7]],
      [-0, [0, 7]],
      [Number.NaN, [0, 7]],
      [-Number.NaN, [0, 7]],
      [Number.POSITIVE_INFINITY, [0, Number.POSITIVE_INFINITY]],
      [Number.NEGATIVE_INFINITY, [Number.NEGATIVE_INFINITY, 7]],
    ] as const) {
      for (const at of [0, 63, 64, 100, 199]) expect(find(positive.with(at, value))).toEqual(range);
    }
    expect(find([])).toEqual([0, 0]);
    expect(find([3, 4, 5])).toEqual([0, 5]);
    expect(find([Number.NaN, -1, 2])).toEqual([-1, 2]);
  });
});
