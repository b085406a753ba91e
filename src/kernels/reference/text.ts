/** Operators for text models: SKIP_GRAM makes n-grams of a sentence, LSH_PROJECTION hashes features to bits. */
import { bytesOf, type TypedArray } from "../../base/dtype.ts";
import { fingerprint64 } from "../../base/fingerprint.ts";
import { formatShape } from "../../base/shape.ts";
import type { Kernel, KernelNode, KernelTable } from "../kernel.ts";
import { optionsOf } from "../options.ts";
import {
  badValue,
  inputAt,
  misshapen,
  outputAt,
  requireOperands,
  requireRank,
  requireType,
  unsupported,
} from "../require.ts";
import { float32, int32, present, strings } from "../views.ts";

const isSpace = (byte: number) => byte === 32 || (byte >= 9 && byte <= 13);

function wordsOf(sentence: Uint8Array): Uint8Array[] {
  const words: Uint8Array[] = [];
  let start = 0;
  for (let i = 0; i <= sentence.length; i++) {
    if (i < sentence.length && !isSpace(sentence[i])) continue;
    if (i > start) words.push(sentence.subarray(start, i));
    start = i + 1;
  }
  return words;
}

function joined(words: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(words.flatMap((word, i) => [...(i > 0 ? [32] : []), ...word]));
}

/** More n-grams than this would not fit in memory. */
const MAX_GRAMS = 1 << 20;

interface GramOptions {
  readonly ngram_size: number;
  readonly max_skip_size: number;
  readonly include_all_ngrams: boolean;
}

/** Every sequence of `ngram_size` words in order that leaves out at most `max_skip_size` between neighbours. */
function gramsOf(node: KernelNode, words: readonly Uint8Array[], options: GramOptions) {
  const { ngram_size, max_skip_size, include_all_ngrams } = options;
  const grams: Uint8Array[] = [];
  if (words.length < ngram_size) return grams;
  const extend = (chosen: readonly number[]): void => {
    const last = chosen.at(-1);
    if (chosen.length < ngram_size) {
      const first = last === undefined ? 0 : last + 1;
      const end =
        last === undefined ? words.length : Math.min(words.length, first + max_skip_size + 1);
      for (let next = first; next < end; next++) extend([...chosen, next]);
    }
    if (chosen.length === 0 || (chosen.length < ngram_size && !include_all_ngrams)) return;
    if (grams.length >= MAX_GRAMS) throw badValue(node, "too many n-grams", `${MAX_GRAMS} at most`);
    grams.push(joined(chosen.map((index) => words[index])));
  };
  extend([]);
  return grams;
}

const SKIP_GRAM: Kernel = {
  check(node) {
    requireOperands(node, [1, 1]);
    requireType(node, inputAt(node, 0), ["string"], "input");
    requireType(node, outputAt(node, 0), ["string"], "output");
    const { ngram_size, max_skip_size } = optionsOf(node, "SkipGramOptions");
    if (ngram_size < 1 || ngram_size > 64 || max_skip_size < 0) {
      throw unsupported(node, `with n-grams of ${ngram_size} words, ${max_skip_size} skipped`);
    }
  },
  shapes: () => [undefined],
  create: (node) => (inputs, outputs) => {
    const [sentence] = strings(inputs[0]);
    if (sentence === undefined) throw badValue(node, "no sentence", "one string");
    const grams = gramsOf(node, wordsOf(sentence), optionsOf(node, "SkipGramOptions"));
    const out = present(outputs[0]).resize([grams.length]) as Uint8Array[];
    grams.forEach((gram, i) => {
      out[i] = gram;
    });
  },
};

/** Sign of Σ weight·fingerprint(seed, item): 1 above zero, else 0. */
function projectedBit(seed: number, items: readonly Uint8Array[], weights?: Float32Array): number {
  const seedBytes = new Uint8Array(Float32Array.of(seed).buffer);
  let score = 0;
  items.forEach((item, i) => {
    const key = new Uint8Array(4 + item.length);
    key.set(seedBytes);
    key.set(item, 4);
    score += Number(BigInt.asIntN(64, fingerprint64(key))) * (weights?.[i] ?? 1);
  });
  return score > 0 ? 1 : 0;
}

/** Operands: seeds float32[hashes, bits], features (any numbers), and optionally a weight for each of them. */
const LSH_PROJECTION: Kernel = {
  check(node) {
    requireOperands(node, [2, 3]);
    requireType(node, inputAt(node, 0), ["float32"], "seeds");
    if (inputAt(node, 1).dtype === "string") throw unsupported(node, "on string");
    if (node.inputs[2] !== undefined) requireType(node, inputAt(node, 2), ["float32"], "weights");
    requireType(node, outputAt(node, 0), ["int32"], "output");
    const { type } = optionsOf(node, "LSHProjectionOptions");
    if (type !== "SPARSE" && type !== "DENSE") throw unsupported(node, `of type ${type}`);
  },
  shapes(node) {
    const [seeds, features] = [inputAt(node, 0).shape, inputAt(node, 1).shape];
    requireRank(node, seeds, [2, 2], "seeds");
    requireRank(node, features, [1, Infinity], "features");
    const weights = node.inputs[2]?.shape;
    const fits = weights === undefined || (weights.length === 1 && weights[0] === features[0]);
    if (!fits || features[0] < 1 || seeds[1] > 32) {
      const found = `seeds ${formatShape(seeds)}, features ${formatShape(features)}`;
      throw misshapen(node, found, "at most 32 bits, and features with a weight each");
    }
    const isDense = optionsOf(node, "LSHProjectionOptions").type === "DENSE";
    return [[isDense ? seeds[0] * seeds[1] : seeds[0]]];
  },
  create: (node) => (inputs, outputs) => {
    const [hashes, bits] = present(inputs[0]).shape;
    const { data, shape } = present(inputs[1]);
    const bytes = bytesOf(data as TypedArray);
    const width = bytes.length / shape[0];
    const items = Array.from({ length: shape[0] }, (_, i) =>
      bytes.subarray(i * width, (i + 1) * width),
    );
    const weights = inputs[2] === undefined ? undefined : float32(inputs[2]);
    const all = Array.from(float32(inputs[0]), (seed) => projectedBit(seed, items, weights));
    const out = int32(outputs[0]);
    if (optionsOf(node, "LSHProjectionOptions").type === "DENSE") return out.set(all);
    for (let h = 0; h < hashes; h++) {
      const signature = all
        .slice(h * bits, (h + 1) * bits)
        .reduce((sum, bit) => (sum << 1) | bit, 0);
      out[h] = signature + h * (1 << bits);
    }
  },
};

export const TEXT: KernelTable = { SKIP_GRAM, LSH_PROJECTION };
