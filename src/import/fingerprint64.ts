/**
 * Fingerprint64 of FarmHash (google/farmhash, the "na" variant), by which TensorFlow's converter orders the inputs and
 * outputs of a signature. All arithmetic is modulo 2^64.
 */

const K0 = 0xc3a5c85c97cb3127n;
const K1 = 0xb492b66fbe98f273n;
const K2 = 0x9ae16a3b2f90404fn;
const MASK = 0xffffffffffffffffn;

/** The 64-bit fingerprint of a string's UTF-8 bytes. */
export function fingerprint64(text: string): bigint {
  const bytes = new TextEncoder().encode(text);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length <= 16) return hashUpTo16(view);
  if (bytes.length <= 32) return hash17To32(view);
  if (bytes.length <= 64) return hash33To64(view);
  return hashLong(view);
}

/** Compares two keys by fingerprint, as a sort wants it. */
export function compareByFingerprint(a: string, b: string): number {
  const left = fingerprint64(a);
  const right = fingerprint64(b);
  return left < right ? -1 : left > right ? 1 : 0;
}

function word64(view: DataView, offset: number): bigint {
  return view.getBigUint64(offset, true);
}

function word32(view: DataView, offset: number): bigint {
  return BigInt(view.getUint32(offset, true));
}

function rotate(value: bigint, by: bigint): bigint {
  const wrapped = value & MASK;
  return ((wrapped >> by) | (wrapped << (64n - by))) & MASK;
}

function shiftMix(value: bigint): bigint {
  const wrapped = value & MASK;
  return wrapped ^ (wrapped >> 47n);
}

function mix(u: bigint, v: bigint, multiplier: bigint): bigint {
  const a = shiftMix((u ^ v) * multiplier);
  const b = shiftMix((v ^ a) * multiplier);
  return (b * multiplier) & MASK;
}

function hashUpTo16(view: DataView): bigint {
  const length = view.byteLength;
  const multiplier = K2 + BigInt(length) * 2n;
  if (length >= 8) {
    const a = word64(view, 0) + K2;
    const b = word64(view, length - 8);
    const c = rotate(b, 37n) * multiplier + a;
    const d = (rotate(a, 25n) + b) * multiplier;
    return mix(c & MASK, d & MASK, multiplier);
  }
  if (length >= 4) {
    return mix(BigInt(length) + (word32(view, 0) << 3n), word32(view, length - 4), multiplier);
  }
  if (length === 0) return K2;
  const y = BigInt(view.getUint8(0) + (view.getUint8(length >> 1) << 8));
  const z = BigInt(length + (view.getUint8(length - 1) << 2));
  return (shiftMix((y * K2) ^ (z * K0)) * K2) & MASK;
}

function hash17To32(view: DataView): bigint {
  const length = view.byteLength;
  const multiplier = K2 + BigInt(length) * 2n;
  const a = word64(view, 0) * K1;
  const b = word64(view, 8);
  const c = word64(view, length - 8) * multiplier;
  const d = word64(view, length - 16) * K2;
  const u = rotate(a + b, 43n) + rotate(c, 30n) + d;
  const v = a + rotate(b + K2, 18n) + c;
  return mix(u & MASK, v & MASK, multiplier);
}

function hash33To64(view: DataView): bigint {
  const length = view.byteLength;
  const multiplier = K2 + BigInt(length) * 2n;
  const a = word64(view, 0) * K2;
  const b = word64(view, 8);
  const c = word64(view, length - 8) * multiplier;
  const d = word64(view, length - 16) * K2;
  const y = (rotate(a + b, 43n) + rotate(c, 30n) + d) & MASK;
  const z = mix(y, (a + rotate(b + K2, 18n) + c) & MASK, multiplier);
  const e = word64(view, 16) * multiplier;
  const f = word64(view, 24);
  const g = (y + word64(view, length - 32)) * multiplier;
  const h = (z + word64(view, length - 24)) * multiplier;
  const u = rotate(e + f, 43n) + rotate(g, 30n) + h;
  const v = e + rotate(f + a, 18n) + g;
  return mix(u & MASK, v & MASK, multiplier);
}

/** Two sums over 32 bytes. */
function weakHash(view: DataView, offset: number, seedA: bigint, seedB: bigint): [bigint, bigint] {
  const [w, x, y, z] = [0, 8, 16, 24].map((step) => word64(view, offset + step)) as [
    bigint,
    bigint,
    bigint,
    bigint,
  ];
  const a = (seedA + w) & MASK;
  const b = rotate(seedB + a + z, 21n);
  const sum = (a + x + y) & MASK;
  return [(sum + z) & MASK, (b + rotate(sum, 44n) + a) & MASK];
}

interface LongState {
  x: bigint;
  y: bigint;
  z: bigint;
  v: [bigint, bigint];
  w: [bigint, bigint];
}

/** One round over 64 bytes; `last` is the closing round, which uses other factors. */
function round(
  view: DataView,
  offset: number,
  state: LongState,
  factor: bigint,
  last: boolean,
): void {
  const nine = last ? 9n : 1n;
  const { v, w } = state;
  let x = rotate(state.x + state.y + v[0] + word64(view, offset + 8), 37n) * factor;
  let y = rotate(state.y + v[1] + word64(view, offset + 48), 42n) * factor;
  x = (x ^ (w[1] * nine)) & MASK;
  y = (y + v[0] * nine + word64(view, offset + 40)) & MASK;
  const z = (rotate(state.z + w[0], 33n) * factor) & MASK;
  state.v = weakHash(view, offset, (v[1] * factor) & MASK, (x + w[0]) & MASK);
  state.w = weakHash(view, offset + 32, (z + w[1]) & MASK, (y + word64(view, offset + 16)) & MASK);
  state.x = z;
  state.z = x;
  state.y = y;
}

function hashLong(view: DataView): bigint {
  const length = view.byteLength;
  const seed = 81n;
  const y = (seed * K1 + 113n) & MASK;
  const state: LongState = {
    x: (seed * K2 + word64(view, 0)) & MASK,
    y,
    z: (shiftMix(y * K2 + 113n) * K2) & MASK,
    v: [0n, 0n],
    w: [0n, 0n],
  };
  const whole = Math.floor((length - 1) / 64) * 64;
  for (let offset = 0; offset < whole; offset += 64) round(view, offset, state, K1, false);
  const factor = K1 + ((state.z & 0xffn) << 1n);
  state.w[0] = (state.w[0] + BigInt((length - 1) & 63)) & MASK;
  state.v[0] = (state.v[0] + state.w[0]) & MASK;
  state.w[0] = (state.w[0] + state.v[0]) & MASK;
  round(view, length - 64, state, factor, true);
  const u = mix(state.v[0], state.w[0], factor) + shiftMix(state.y) * K0 + state.z;
  const v = mix(state.v[1], state.w[1], factor) + state.x;
  return mix(u & MASK, v & MASK, factor);
}
