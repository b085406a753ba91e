// How close matrix product kernels come to what the engine can do: each variant of the emitter against a bare loop over
// the same tile (k steps, nothing before and nothing after), interleaved, operands in the first-level cache.
//
//   node bench/gemm.mjs [--rounds 40]        records bench/results/gemm.json; Node 24 for relaxed and wide variants
import { parseArgs } from "node:util";
import { emitGemm, gemmStage } from "../dist/kernels/simd/gemm/emit-gemm.js";
import { gemmSteps, packedByteLength, stepBytes } from "../dist/kernels/simd/gemm/pack.js";
import { packPairLists, planPairLists } from "../dist/kernels/simd/gemm/pair-lists.js";
import { gemmVariants, hasLists } from "../dist/kernels/simd/gemm/variants.js";
import { probeFeatures } from "../dist/kernels/simd/probe.js";
import { findEagerCompile, findWideCompile } from "../dist/runtime/compile.js";
import { ModuleBuilder } from "../dist/wasm/module-builder.js";
import { recordResult } from "./record.mjs";

const { values } = parseArgs({ options: { rounds: { type: "string", default: "40" } } });
const rounds = Number(values.rounds);
const SHAPE = { m: 48, n: 96, k: 512 };
const features = probeFeatures();

/** One step of the inner loop for each kind: how weights are loaded, how a product is added. */
const STEPS = {
  f32: { load: ["v128.load", 16], multiply: (isa) => (isa === "relaxed" ? "madd" : "f32x4") },
  qd8: { load: ["v128.load8x8_s", 8], multiply: (isa) => (isa === "simd" ? "i32x4" : isa) },
  qd16: { load: ["v128.load", 16], multiply: () => "i32x4" },
};

/** Adds a function that multiplies one tile: (a, aStride, weights, steps). The sums are stored, so that they count. */
function emitBareLoop(module, { data, isa, mr, nr, name }) {
  const f = module.function(["i32", "i32", "i32", "i32"], [], `${name}-bare`);
  const vector = () => f.local("v128");
  const sums = Array.from({ length: mr }, () => Array.from({ length: nr / 4 }, vector));
  const columns = Array.from({ length: nr / 4 }, vector);
  const value = vector();
  const rows = Array.from({ length: mr }, () => f.local("i32"));
  rows.forEach((row, index) => {
    f.get(index === 0 ? f.param(0) : rows[index - 1]);
    if (index > 0) {
      f.get(f.param(1));
      f.op("i32.add");
    }
    f.set(row);
  });
  const kind = STEPS[data].multiply(isa);
  const isBytes = kind === "dot" || kind === "pairs";
  const [load, width] = isBytes ? ["v128.load", 16] : STEPS[data].load;
  const ones = vector();
  f.i32(1);
  f.op("i16x8.splat");
  f.set(ones);
  const advance = (local, by) => {
    f.get(local);
    f.i32(by);
    f.op("i32.add");
    f.set(local);
  };
  f.loop((again) => {
    columns.forEach((column, index) => {
      f.get(f.param(2));
      f.mem(load, width * index, 0);
      f.set(column);
    });
    rows.forEach((row, i) => {
      f.get(row);
      f.mem("v128.load32_splat", 0, 0);
      f.set(value);
      for (const [j, column] of columns.entries()) {
        emitProduct(f, kind, { value, column, ones, sum: sums[i][j] });
      }
      advance(row, 4);
    });
    advance(f.param(2), nr * stepBytes({ data, isa }));
    f.get(f.param(3));
    f.i32(-1);
    f.op("i32.add");
    f.tee(f.param(3));
    f.brIf(again);
  });
  sums.flat().forEach((sum, index) => {
    f.i32(64);
    f.get(sum);
    f.mem("v128.store", 16 * index, 0);
  });
}

function emitProduct(f, kind, { value, column, ones, sum }) {
  if (kind === "pairs") {
    for (const operand of [sum, column, value]) f.get(operand);
    f.op("i16x8.relaxed_dot_i8x16_i7x16_s");
    f.get(ones);
    f.op("i32x4.dot_i16x8_s");
    f.op("i32x4.add");
  } else if (kind === "madd" || kind === "dot") {
    f.get(kind === "dot" ? column : value);
    f.get(kind === "dot" ? value : column);
    f.get(sum);
    f.op(kind === "dot" ? "i32x4.relaxed_dot_i8x16_i7x16_add_s" : "f32x4.relaxed_madd");
  } else {
    f.get(sum);
    f.get(value);
    f.get(column);
    f.op(kind === "f32x4" ? "f32x4.mul" : "i32x4.dot_i16x8_s");
    f.op(`${kind}.add`);
  }
  f.set(sum);
}

function measure(variant, compile) {
  const module = new ModuleBuilder();
  module.importMemory("env", "memory", { initial: 32 });
  emitGemm(module, variant);
  emitBareLoop(module, variant);
  const memory = new WebAssembly.Memory({ initial: 32 });
  const { exports } = new WebAssembly.Instance(compile(module.finish()), { env: { memory } });
  const { m, n, k } = SHAPE;
  const steps = gemmSteps(variant, k);
  const a = 8192;
  const weights = a + m * steps * 4;
  const c = weights + storeWeights(memory.buffer, variant, weights);
  const stage = gemmStage(variant);
  const common = [a, steps * 4, weights, c, n * stage.outputBytes, m, n, steps];
  const args = [...common, ...stage.params.map(() => c + m * n * 4)];
  // Every row has the scale of the first, whatever the stride: zeros cost what other numbers cost.
  if (variant.data !== "f32") args[common.length + 2] = 0;
  const tiles = (m * n) / (variant.mr * variant.nr);
  let [kernel, bare] = [Infinity, Infinity];
  for (let round = 0; round < rounds; round++) {
    kernel = Math.min(
      kernel,
      timed(() => exports[variant.name](...args)),
    );
    bare = Math.min(
      bare,
      timed(() => {
        for (let tile = 0; tile < tiles; tile++) {
          exports[`${variant.name}-bare`](a, steps * 4, weights, steps);
        }
      }),
    );
  }
  const work = (m * n * k) / 1e6;
  return { kernel: work / kernel, bare: work / bare };
}

/** Makes room for weights that are zero, whose steps all fit where they are in lists; the bytes that they take. */
function storeWeights(buffer, variant, address) {
  const { n, k } = SHAPE;
  if (!hasLists(variant)) return packedByteLength(variant, n, k);
  const zeros = new Int8Array(n * k);
  const lists = planPairLists(zeros, n, k);
  packPairLists(zeros, n, k, lists, { buffer, address });
  return lists.byteLength;
}

function timed(run) {
  const startedAt = performance.now();
  for (let repeat = 0; repeat < 4; repeat++) run();
  return (performance.now() - startedAt) / 4;
}

const compilers = { 128: findEagerCompile() };
if (features?.relaxed) compilers["256"] = findWideCompile();
const variants = [
  ...gemmVariants("f32", "simd"),
  ...(features?.relaxed ? gemmVariants("f32", "relaxed") : []),
  ...gemmVariants("qd8", "simd"),
  ...gemmVariants("qd16", "simd"),
  ...["dot", "pairs"].flatMap((isa) => (features?.[isa] ? gemmVariants("qd8", isa) : [])),
].filter(({ mr }) => mr > 1);

const results = [];
for (const [bits, compile] of Object.entries(compilers)) {
  for (const variant of variants) {
    const { kernel, bare } = measure(variant, compile);
    const ratio = kernel / bare;
    results.push({ variant: variant.name, bits: Number(bits), kernel, bare, ratio });
    const figures = [kernel, bare].map((speed) => speed.toFixed(1).padStart(7));
    console.log(variant.name.padEnd(24), bits, ...figures, `${(ratio * 100).toFixed(0)} %`);
  }
}
const best = {};
for (const { variant, bits, kernel } of results) {
  const kind = `${variant.replace(/-gemm-\w+/, "")} ${bits}`;
  best[kind] = Math.max(best[kind] ?? 0, kernel);
}
console.log(`kept in ${recordResult("gemm", { unit: "GMAC/s", shape: SHAPE, best, results })}`);
