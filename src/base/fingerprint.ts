/**
 * FarmHash's Fingerprint64, the 64-bit hash of byte strings that TensorFlow and TensorFlow Lite use where a hash must
 * never change. All arithmetic is modulo 2^64. Source: github.com/google/farmhash, farmhashna::Hash64.
 */
const K0 = 0xc3a5c85c97cb3127n;
const K1 = 0xb492b66fbe98f273n;
const K2 = 0x9ae16a3b2f90404fn;

const wrap = (value: bigint): bigint => BigInt.asUintN(64, value);

function rotate(value: bigint, bits: bigint): bigint {
  const word = wrap(value);
  return wrap((word >> bits) | (word << (64n - bits)));
}

function shiftMix(value: bigint): bigint {
  const word = wrap(value);
  return word ^ (word >> 47n);
}

function mixPair(u: bigint, v: bigint, multiplier: bigint): bigint {
  const a = shiftMix(wrap((wrap(u) ^ wrap(v)) * multiplier));
  const b = shiftMix(wrap((wrap(v) ^ a) * multiplier));
  return wrap(b * multiplier);
}

/** 64-bit hash of the bytes. */
export function fingerprint64(bytes: Uint8Array): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const word = (at: number) => view.getBigUint64(at, true);
  const { length } = bytes;
  if (length > 64) return hashLong(length, word);
  if (length > 32) return hashTo64(length, word);
  if (length > 16) return hashTo32(length, word);
  return hashTo16(bytes, view, word);
}

function hashTo16(bytes: Uint8Array, view: DataView, word: (at: number) => bigint): bigint {
  const { length } = bytes;
  const multiplier = K2 + 2n * BigInt(length);
  if (length >= 8) {
    const a = word(0) + K2;
    const b = word(length - 8);
    const c = rotate(b, 37n) * multiplier + a;
    return mixPair(c, (rotate(a, 25n) + b) * multiplier, multiplier);
  }
  if (length >= 4) {
    const a = BigInt(view.getUint32(0, true));
    const b = BigInt(view.getUint32(length - 4, true));
    return mixPair(BigInt(length) + (a << 3n), b, multiplier);
  }
  if (length === 0) return K2;
  const [a, b, c] = [0, length >> 1, length - 1].map((at) => BigInt(view.getUint8(at)));
  const y = a! + (b! << 8n);
  const z = BigInt(length) + (c! << 2n);
  return wrap(shiftMix(wrap(y * K2) ^ wrap(z * K0)) * K2);
}

function hashTo32(length: number, word: (at: number) => bigint): bigint {
  const multiplier = K2 + 2n * BigInt(length);
  const [a, b] = [word(0) * K1, word(8)];
  const [c, d] = [word(length - 8) * multiplier, word(length - 16) * K2];
  return mixPair(rotate(a + b, 43n) + rotate(c, 30n) + d, a + rotate(b + K2, 18n) + c, multiplier);
}

function hashTo64(length: number, word: (at: number) => bigint): bigint {
  const multiplier = K2 + 2n * BigInt(length);
  const [a, b] = [word(0) * K2, word(8)];
  const [c, d] = [word(length - 8) * multiplier, word(length - 16) * K2];
  const y = rotate(a + b, 43n) + rotate(c, 30n) + d;
  const z = mixPair(y, a + rotate(b + K2, 18n) + c, multiplier);
  const [e, f] = [word(16) * multiplier, word(24)];
  const g = (y + word(length - 32)) * multiplier;
  const h = (z + word(length - 24)) * multiplier;
  return mixPair(rotate(e + f, 43n) + rotate(g, 30n) + h, e + rotate(f + a, 18n) + g, multiplier);
}

type Words = readonly [bigint, bigint];

/** Mixes 32 bytes from `at` with two seeds. */
function weakMix(word: (at: number) => bigint, at: number, seedA: bigint, seedB: bigint): Words {
  const first = seedA + word(at);
  const a = first + word(at + 8) + word(at + 16);
  const last = word(at + 24);
  const b = rotate(seedB + first + last, 21n) + rotate(a, 44n);
  return [wrap(a + last), wrap(b + first)];
}

interface LongState {
  x: bigint;
  y: bigint;
  z: bigint;
  v: Words;
  w: Words;
}

/** One round over 64 bytes; `scale` is 9 in the last one, else 1. */
function mixBlock(
  state: LongState,
  word: (at: number) => bigint,
  at: number,
  multiplier: bigint,
  scale: bigint,
): LongState {
  const { v, w } = state;
  const x =
    wrap(rotate(state.x + state.y + v[0] + word(at + 8), 37n) * multiplier) ^ wrap(w[1] * scale);
  const y = rotate(state.y + v[1] + word(at + 48), 42n) * multiplier + v[0] * scale + word(at + 40);
  const z = rotate(state.z + w[0], 33n) * multiplier;
  const nextV = weakMix(word, at, v[1] * multiplier, x + w[0]);
  const nextW = weakMix(word, at + 32, z + w[1], y + word(at + 16));
  return { x: wrap(z), y: wrap(y), z: wrap(x), v: nextV, w: nextW };
}

function hashLong(length: number, word: (at: number) => bigint): bigint {
  const seed = 81n;
  const y = wrap(seed * K1 + 113n);
  const z = wrap(shiftMix(y * K2 + 113n) * K2);
  let state: LongState = { x: wrap(seed * K2 + word(0)), y, z, v: [0n, 0n], w: [0n, 0n] };
  const blocks = Math.floor((length - 1) / 64);
  for (let block = 0; block < blocks; block++) state = mixBlock(state, word, 64 * block, K1, 1n);
  const multiplier = K1 + ((state.z & 0xffn) << 1n);
  const w0 = state.w[0] + BigInt((length - 1) & 63);
  const v0 = state.v[0] + w0;
  state = { ...state, v: [wrap(v0), state.v[1]], w: [wrap(w0 + v0), state.w[1]] };
  const { x, y: lastY, z: lastZ, v, w } = mixBlock(state, word, length - 64, multiplier, 9n);
  return mixPair(
    mixPair(v[0], w[0], multiplier) + shiftMix(lastY) * K0 + lastZ,
    mixPair(v[1], w[1], multiplier) + x,
    multiplier,
  );
}
