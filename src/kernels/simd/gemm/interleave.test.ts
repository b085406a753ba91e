import { describe, expect, it } from "vitest";
import { ModuleBuilder } from "../../../wasm/module-builder.ts";
import { INTERLEAVE, interleavePanels, packsWords } from "./interleave.ts";
import { packFloat, packGroups } from "./pack.ts";

const START = 64;

/** Packs words of these bytes in a memory of its own. */
function interleaved(
  weights: Float32Array | Int8Array,
  shape: { readonly n: number; readonly steps: number; readonly columns: number },
) {
  const module = new ModuleBuilder();
  module.importMemory("env", "memory", { initial: 1 });
  INTERLEAVE.emit(module);
  const memory = new WebAssembly.Memory({ initial: 1 });
  const instance = new WebAssembly.Instance(new WebAssembly.Module(module.finish()), {
    env: { memory },
  });
  const call = <Call>(name: string) => instance.exports[name] as Call;
  const rows = interleavePanels({ memory, call }, weights, shape, START);
  return { rows, packed: new Uint8Array(memory.buffer, START, rows * shape.steps * 4) };
}

const SHAPES = [
  { n: 16, steps: 8, columns: 8 },
  { n: 40, steps: 27, columns: 8 },
  { n: 33, steps: 1, columns: 16 },
  { n: 25, steps: 13, columns: 12 },
  { n: 49, steps: 64, columns: 8 },
];

describe("interleavePanels", () => {
  it.each(SHAPES)(
    "packs all panels but the last as JavaScript does: $n × $steps in $columns",
    (shape) => {
      const { n, steps, columns } = shape;
      const weights = Float32Array.from({ length: n * steps }, (_, at) => at + 1);
      const { rows, packed } = interleaved(weights, shape);
      expect(rows).toBe((Math.ceil(n / columns) - 1) * columns);
      const expected = new Float32Array(rows * steps);
      packFloat(weights, rows, steps, columns, expected);
      expect(packed).toEqual(new Uint8Array(expected.buffer));
    },
  );

  it("packs four bytes of a column as a word", () => {
    const [n, k, nr] = [24, 20, 8];
    const weights = Int8Array.from({ length: n * k }, (_, at) => at);
    const { rows, packed } = interleaved(weights, { n, steps: k / 4, columns: nr });
    const expected = new Int8Array(rows * k);
    packGroups(weights, rows, k, { nr, group: 4 }, expected);
    expect(packed).toEqual(new Uint8Array(expected.buffer));
  });

  it("leaves a single panel alone", () => {
    const { rows } = interleaved(new Float32Array(8), { n: 8, steps: 1, columns: 8 });
    expect(rows).toBe(0);
  });
});

describe("packsWords", () => {
  it("wants floats, or bytes whose rows are whole words", () => {
    expect(packsWords({ data: "f32", isa: "simd" }, 3)).toBe(true);
    expect(packsWords({ data: "qs8", isa: "dot" }, 8)).toBe(true);
    expect(packsWords({ data: "qs8", isa: "dot" }, 9)).toBe(false);
    expect(packsWords({ data: "qs8", isa: "simd" }, 8)).toBe(false);
    expect(packsWords({ data: "qd4", isa: "dot" }, 8)).toBe(false);
    expect(packsWords({ data: "qs8", isa: "pairs" }, 8)).toBe(false);
  });
});
