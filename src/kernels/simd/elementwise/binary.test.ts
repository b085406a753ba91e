import { expect, it } from "vitest";
import { ModuleBuilder } from "../../../wasm/module-builder.ts";
import { type BinaryFunction, type BinaryOp, binaryName, emitBinary } from "./emit-binary.ts";

const DEFINITION: Readonly<Record<BinaryOp, (a: number, b: number) => number>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  max: Math.max,
  min: Math.min,
  prelu: (a, b) => (a < 0 ? a * b : a),
  "difference-squared": (a, b) => Math.fround(a - b) ** 2,
};

const VARIANTS = (Object.keys(DEFINITION) as BinaryOp[]).flatMap((op) =>
  (["none", "a", "b"] as const).map((repeated) => ({ op, repeated })),
);

it.each(VARIANTS)(
  "$op, repeated operand: $repeated, equals the definition for every length",
  async (variant) => {
    const module = new ModuleBuilder();
    module.importMemory("env", "memory", { initial: 1 });
    emitBinary(module, variant);
    const memory = new WebAssembly.Memory({ initial: 1 });
    const { instance } = await WebAssembly.instantiate(module.finish(), { env: { memory } });
    const run = instance.exports[binaryName(variant)] as unknown as BinaryFunction;
    const heap = new Float32Array(memory.buffer);
    for (let length = 0; length < 40; length++) {
      const a = Float32Array.from({ length: length + 1 }, (_, index) => Math.sin(index) * 9);
      const b = Float32Array.from({ length: length + 1 }, (_, index) => Math.cos(index * 3) * 5);
      heap.set(a, 16);
      heap.set(b, 256);
      heap.fill(77, 512, 512 + length + 1);
      run(64, 1024, 2048, length, 1, 0, 0, -4, 6);
      const expected = Array.from({ length }, (_, index) => {
        const left = a[variant.repeated === "a" ? 0 : index];
        const right = b[variant.repeated === "b" ? 0 : index];
        return Math.min(Math.max(Math.fround(DEFINITION[variant.op](left, right)), -4), 6);
      });
      expect([...heap.subarray(512, 512 + length + 1)]).toEqual([...expected, 77]);
    }
  },
);
