/**
 * Random numbers: RANDOM_UNIFORM, RANDOM_STANDARD_NORMAL, MULTINOMIAL, STABLEHLO_RNG_BIT_GENERATOR. With a seed the
 * numbers are TensorFlow Lite 2.21's (kernels/random_ops.cc, rng_bit_generator.cc) and go on from run to run; without
 * one the first two are seeded from the host's random source.
 */
import { FLOAT32_MAX } from "../../base/dtype.ts";
import { formatShape } from "../../base/shape.ts";
import type { Kernel, KernelNode, KernelTable, TensorView } from "../kernel.ts";
import { optionsOf } from "../options.ts";
import {
  inputAt,
  misshapen,
  outputAt,
  requireOperands,
  requireRank,
  requireSameType,
  requireType,
  unsupported,
} from "../require.ts";
import { float32, present } from "../views.ts";
import { PhiloxSequence, philox, threefry, type Words4 } from "./counter-generators.ts";
import { type Elements, elementsOf, integersOf } from "./elements.ts";

/** A fresh sequence for the operator's seeds, of which the official runtime keeps 32 bits. */
function sequenceFor(node: KernelNode): PhiloxSequence {
  const { seed, seed2 } = optionsOf(node, "RandomOptions");
  if (seed !== 0n || seed2 !== 0n)
    return new PhiloxSequence(BigInt.asIntN(32, seed), BigInt.asIntN(32, seed2));
  const [fresh, fresh2] = crypto.getRandomValues(new BigUint64Array(2));
  return new PhiloxSequence(fresh, fresh2);
}

/** A float in [0, 1) from the low 23 bits of a word. */
function toUnitFloat(word: number): number {
  return (word & 0x7fffff) / 2 ** 23;
}

/** Two normally distributed floats from two words, by the method of Box and Muller. */
function toNormalPair(a: number, b: number): [number, number] {
  const { fround } = Math;
  const radius = fround(Math.sqrt(fround(-2 * fround(Math.log(Math.max(toUnitFloat(a), 1e-7))))));
  const angle = fround(2 * Math.PI * toUnitFloat(b));
  return [Math.sin(angle) * radius, Math.cos(angle) * radius];
}

function shapeFrom(node: KernelNode, view: TensorView): number[] {
  const shape = integersOf(node, view);
  if (shape.every((size) => size >= 0)) return shape;
  throw misshapen(node, `shape ${formatShape(shape)}`, "sizes of 0 or more");
}

/** A kernel that fills float32 of a given shape with what `fill` makes of four words. */
function randomKernel(fill: (words: Words4) => readonly number[]): Kernel {
  return {
    stateful: true,
    check(node) {
      requireOperands(node, [1, 1]);
      requireType(node, inputAt(node, 0), ["int32"], "shape");
      requireType(node, outputAt(node, 0), ["float32"], "output");
    },
    shapes(node, known) {
      const view = known(0);
      return [view && shapeFrom(node, view)];
    },
    create(node) {
      const sequence = sequenceFor(node);
      return (_, outputs) => {
        const out = float32(outputs[0]);
        for (let i = 0; i < out.length; i += 4) {
          out.set(fill(sequence.next()).slice(0, out.length - i), i);
        }
      };
    },
  };
}

/** Running sums of e^(logit − max) over the finite logits of a row. */
function cumulativeOdds(logits: Float32Array): Float64Array {
  let largest = -FLOAT32_MAX;
  for (const logit of logits) if (Number.isFinite(logit) && logit > largest) largest = logit;
  let total = 0;
  return Float64Array.from(logits, (logit) => {
    if (Number.isFinite(logit)) total += Math.exp(logit - largest);
    return total;
  });
}

/** A double in [0, 1) from 52 bits of two words. */
function toUnitDouble(a: number, b: number): number {
  return ((a & 0xfffff) * 2 ** 32 + b) / 2 ** 52;
}

function sampleCount(node: KernelNode, view: TensorView | undefined): number {
  const [count] = integersOf(node, view);
  if (count !== undefined && count >= 0) return count;
  throw misshapen(node, `${count} samples`, "0 or more");
}

const MULTINOMIAL: Kernel = {
  stateful: true,
  check(node) {
    requireOperands(node, [2, 2]);
    requireType(node, inputAt(node, 0), ["float32"], "logits");
    requireType(node, inputAt(node, 1), ["int32"], "sample count");
    requireType(node, outputAt(node, 0), ["int32", "int64"], "output");
  },
  shapes(node, known) {
    const { shape } = inputAt(node, 0);
    requireRank(node, shape, [2, 2], "logits");
    if (shape[1] === 0) throw misshapen(node, "no classes", "one or more");
    const view = known(1);
    return [view && [shape[0], sampleCount(node, view)]];
  },
  create(node) {
    const sequence = sequenceFor(node);
    return (inputs, outputs) => {
      const [logits, out] = [float32(inputs[0]), elementsOf(outputs[0])];
      const [batches, classes] = present(inputs[0]).shape;
      const samples = sampleCount(node, inputs[1]);
      const wide = present(outputs[0]).dtype === "int64";
      const own = sequence.clone();
      // The official kernel leaves this many out, so that the next run has numbers of its own.
      sequence.skip(BigInt(batches * Math.ceil(samples / 4) * 4 * 2 * 256));
      let words: number[] = [];
      for (let b = 0; b < batches; b++) {
        const odds = cumulativeOdds(logits.subarray(b * classes, (b + 1) * classes));
        for (let s = 0; s < samples; s++) {
          if (words.length === 0) words = [...own.next()];
          const [low, high] = words.splice(0, 2);
          const wanted = toUnitDouble(low, high) * odds[classes - 1];
          const found = odds.findIndex((sum) => sum > wanted);
          const place = found < 0 ? classes : found;
          out[b * samples + s] = wide ? BigInt(place) : place;
        }
      }
    };
  },
};

/** Fills words from a generator whose lowest 64 counter bits count up, and returns the counter after. */
function fillWords(
  out: Uint32Array,
  start: bigint,
  generate: (count: bigint) => readonly number[],
) {
  let count = start;
  for (let i = 0; i < out.length; ) {
    const words = generate(count);
    out.set(words.slice(0, out.length - i), i);
    i += words.length;
    count = BigInt.asUintN(64, count + 1n);
  }
  return count;
}

const RNG_BIT_GENERATOR: Kernel = {
  check(node) {
    requireOperands(node, [1, 1], 2);
    requireType(node, inputAt(node, 0), ["uint64"], "state");
    requireSameType(node, inputAt(node, 0), outputAt(node, 0), "next state");
    requireType(node, outputAt(node, 1), ["int32", "uint32", "int64", "uint64"], "output");
    const { algorithm } = optionsOf(node, "StablehloRngBitGeneratorOptions");
    requireRank(node, inputAt(node, 0).shape, [1, 1], "state");
    const [size] = inputAt(node, 0).shape;
    if (size !== 2 && (algorithm === "THREEFRY" || size !== 3)) {
      throw unsupported(node, `with a ${algorithm} state of ${size} words`);
    }
  },
  shapes: (node) => [inputAt(node, 0).shape, outputAt(node, 1).shape],
  create: (node) => (inputs, outputs) => {
    const { algorithm } = optionsOf(node, "StablehloRngBitGeneratorOptions");
    const state = elementsOf(inputs[0]) as Elements<bigint>;
    const next = elementsOf(outputs[0]) as Elements<bigint>;
    const { data } = present(outputs[1]) as { data: Uint32Array };
    const out = new Uint32Array(data.buffer, data.byteOffset, data.byteLength / 4);
    const low = (value: bigint) => Number(value & 0xffffffffn);
    const high = (value: bigint) => Number(value >> 32n);
    const key = [low(state[0]), high(state[0])] as const;
    const rest = state[state.length === 3 ? 2 : 0];
    for (let i = 0; i < state.length; i++) next[i] = state[i];
    next[1] = fillWords(out, state[1], (count) =>
      algorithm === "THREEFRY"
        ? threefry(key, [low(count), high(count)])
        : philox(key, [low(count), high(count), low(rest), high(rest)]),
    );
  },
};

export const RANDOM: KernelTable = {
  RANDOM_UNIFORM: randomKernel((words) => words.map(toUnitFloat)),
  RANDOM_STANDARD_NORMAL: randomKernel((words) => [
    ...toNormalPair(words[0], words[1]),
    ...toNormalPair(words[2], words[3]),
  ]),
  MULTINOMIAL,
  STABLEHLO_RNG_BIT_GENERATOR: RNG_BIT_GENERATOR,
};
