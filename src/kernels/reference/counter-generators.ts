/**
 * Random bits from a counter and a key: Philox 4×32 with 10 rounds and Threefry 2×32 with 20 (Salmon et al., "Parallel
 * random numbers: as easy as 1, 2, 3", 2011). All words are uint32.
 */
export type Words2 = readonly [number, number];
export type Words4 = readonly [number, number, number, number];

const PHILOX_MULTIPLIERS = [0xd2511f53, 0xcd9e8d57] as const;
const PHILOX_KEY_STEPS = [0x9e3779b9, 0xbb67ae85] as const;

/** High and low word of a 64-bit product. */
function wideProduct(a: number, b: number): Words2 {
  const product = BigInt(a) * BigInt(b);
  return [Number(product >> 32n), Number(product & 0xffffffffn)];
}

/** Four random words for a counter. */
export function philox(key: Words2, counter: Words4): Words4 {
  let [k0, k1] = key;
  let [c0, c1, c2, c3] = counter;
  for (let round = 0; round < 10; round++) {
    const [high0, low0] = wideProduct(PHILOX_MULTIPLIERS[0], c0);
    const [high1, low1] = wideProduct(PHILOX_MULTIPLIERS[1], c2);
    [c0, c1, c2, c3] = [(high1 ^ c1 ^ k0) >>> 0, low1, (high0 ^ c3 ^ k1) >>> 0, low0];
    k0 = (k0 + PHILOX_KEY_STEPS[0]) >>> 0;
    k1 = (k1 + PHILOX_KEY_STEPS[1]) >>> 0;
  }
  return [c0, c1, c2, c3];
}

const ROTATIONS = [
  [13, 15, 26, 6],
  [17, 29, 16, 24],
] as const;

/** Two random words for a counter. */
export function threefry([k0, k1]: Words2, [c0, c1]: Words2): Words2 {
  const keys = [k0, k1, (k0 ^ k1 ^ 0x1bd11bda) >>> 0];
  let [x, y] = [(c0 + k0) >>> 0, (c1 + k1) >>> 0];
  for (let group = 0; group < 5; group++) {
    for (const rotation of ROTATIONS[group % 2]) {
      x = (x + y) >>> 0;
      y = (((y << rotation) | (y >>> (32 - rotation))) ^ x) >>> 0;
    }
    x = (x + keys[(group + 1) % 3]) >>> 0;
    y = (y + keys[(group + 2) % 3] + group + 1) >>> 0;
  }
  return [x, y];
}

/** A sequence of Philox words, as TensorFlow's generators seed and advance it. */
export class PhiloxSequence {
  readonly #key: Words2;
  #counter: bigint;

  /** The first seed is the key, the second the upper half of the 128-bit counter. */
  constructor(seed: bigint, seed2: bigint) {
    const low = BigInt.asUintN(64, seed);
    this.#key = [Number(low & 0xffffffffn), Number(low >> 32n)];
    this.#counter = BigInt.asUintN(64, seed2) << 64n;
  }

  /** The next four words. */
  next(): Words4 {
    const counter = this.#counter;
    this.skip(1n);
    const word = (k: bigint) => Number((counter >> (32n * k)) & 0xffffffffn);
    return philox(this.#key, [word(0n), word(1n), word(2n), word(3n)]);
  }

  /** Leaves out `count` groups of four words. */
  skip(count: bigint): void {
    this.#counter = BigInt.asUintN(128, this.#counter + count);
  }

  /** The same sequence from here on, advancing on its own. */
  clone(): PhiloxSequence {
    const [low, high] = this.#key;
    const copy = new PhiloxSequence(BigInt(low) | (BigInt(high) << 32n), 0n);
    copy.#counter = this.#counter;
    return copy;
  }
}
