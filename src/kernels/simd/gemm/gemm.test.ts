import { describe, expect, it } from "vitest";
import { ModuleBuilder } from "../../../wasm/module-builder.ts";
import { emitGemm, type GemmFunction } from "./emit-gemm.ts";
import { gemmSteps, packedByteLength, packFloat, packInt8 } from "./pack.ts";
import { type GemmVariant, gemmVariants } from "./variants.ts";

/** Small deterministic generator of uniform values in [0, 1). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const SHAPES = [
  [1, 1, 1],
  [1, 9, 3],
  [2, 4, 5],
  [3, 7, 2],
  [4, 8, 16],
  [5, 17, 33],
  [7, 31, 64],
  [13, 40, 27],
  [6, 1, 10],
] as const;

interface Problem {
  readonly a: Float32Array | Int16Array;
  readonly weights: Float32Array | Int8Array;
  readonly scales: Float32Array;
  readonly rowScales: Float32Array;
  readonly bias: Float32Array;
}

function problem(variant: GemmVariant, m: number, n: number, k: number): Problem {
  const next = random(m * 1000 + n * 10 + k);
  const float = () => (next() - 0.5) * 4;
  const isInteger = variant.data === "qd8";
  return {
    a: isInteger
      ? Int16Array.from({ length: m * k }, () => Math.floor(next() * 511) - 255)
      : Float32Array.from({ length: m * k }, float),
    weights: isInteger
      ? Int8Array.from({ length: n * k }, () => Math.floor(next() * 255) - 127)
      : Float32Array.from({ length: n * k }, float),
    scales: Float32Array.from({ length: n }, () => next() / 100),
    rowScales: Float32Array.from({ length: m }, () => next() / 10),
    bias: Float32Array.from({ length: n }, float),
  };
}

/** The definition: sums in order of k, every float operation rounded to float32. */
function define(
  variant: GemmVariant,
  { a, weights, scales, rowScales, bias }: Problem,
  [m, n, k]: readonly [number, number, number],
  [low, high]: readonly [number, number],
): Float32Array {
  const f = Math.fround;
  const out = new Float32Array(m * n);
  for (let row = 0; row < m; row++) {
    for (let column = 0; column < n; column++) {
      let sum = 0;
      for (let index = 0; index < k; index++) {
        const product = a[row * k + index] * weights[column * k + index];
        sum = variant.data === "qd8" ? sum + product : f(sum + f(product));
      }
      const real = variant.data === "qd8" ? f(f(sum) * f(scales[column] * rowScales[row])) : sum;
      out[row * n + column] = Math.min(Math.max(f(real + bias[column]), low), high);
    }
  }
  return out;
}

async function run(
  variant: GemmVariant,
  data: Problem,
  [m, n, k]: readonly [number, number, number],
  [low, high]: readonly [number, number],
): Promise<{ readonly out: Float32Array; readonly after: number }> {
  const module = new ModuleBuilder();
  module.importMemory("env", "memory", { initial: 4 });
  emitGemm(module, variant);
  const memory = new WebAssembly.Memory({ initial: 4 });
  const { instance } = await WebAssembly.instantiate(module.finish(), { env: { memory } });
  const gemm = instance.exports[variant.name] as unknown as GemmFunction;
  const bytes = new Uint8Array(memory.buffer);
  let top = 64;
  const place = (
    content: { buffer: ArrayBufferLike; byteOffset: number; byteLength: number },
    slack = 0,
  ) => {
    const address = top;
    bytes.set(new Uint8Array(content.buffer, content.byteOffset, content.byteLength), address);
    top = (top + content.byteLength + slack + 63) & ~63;
    return address;
  };
  const steps = gemmSteps(variant.data, k);
  const isInteger = variant.data === "qd8";
  const packed = new Uint8Array(packedByteLength(variant, n, k));
  if (isInteger)
    packInt8(data.weights as Int8Array, n, k, variant.nr, new Int8Array(packed.buffer));
  else packFloat(data.weights as Float32Array, n, k, variant.nr, new Float32Array(packed.buffer));
  const rows = isInteger ? new Int16Array(m * steps * 2) : (data.a as Float32Array);
  if (isInteger) {
    for (let row = 0; row < m; row++)
      rows.set(data.a.subarray(row * k, (row + 1) * k), row * steps * 2);
  }
  const a = place(rows);
  const weights = place(packed);
  const scales = place(data.scales, variant.nr * 4);
  const rowScales = place(data.rowScales, variant.mr * 4);
  const bias = place(data.bias, variant.nr * 4);
  const c = place(new Float32Array(m * n).fill(-1), 64);
  const guard = new Float32Array(memory.buffer, c + m * n * 4, 1);
  guard[0] = 12345;
  const aStride = isInteger ? steps * 4 : k * 4;
  gemm(a, aStride, weights, scales, rowScales, 4, bias, c, n * 4, m, n, steps, low, high);
  return { out: new Float32Array(memory.buffer, c, m * n).slice(), after: guard[0] };
}

const variants = [...gemmVariants("f32", "simd"), ...gemmVariants("qd8", "simd")];

describe.each(variants)("$name", (variant) => {
  it.each(SHAPES)("equals the definition exactly for m, n, k = %i, %i, %i", async (m, n, k) => {
    const data = problem(variant, m, n, k);
    const shape = [m, n, k] as const;
    for (const bounds of [
      [-Infinity, Infinity],
      [0, 6],
    ] as const) {
      const { out, after } = await run(variant, data, shape, bounds);
      expect(out).toEqual(define(variant, data, shape, bounds));
      expect(after, "the float behind the output").toBe(12345);
    }
  });
});
