/**
 * LOGISTIC and TANH on int16: linear interpolation in one table of σ(i/24), i < 256, with 16 fraction bits, and
 * tanh(x) = 2σ(2x) − 1 (TensorFlow Lite 2.21, kernels/internal/reference/integer_ops/{logistic,tanh}.h). Inputs with 3
 * integer bits (scale 2⁻¹², for TANH also 2⁻¹¹) take the fixed-point functions instead.
 */
import { fixedPointLogistic, fixedPointTanh } from "./fixed-point-sigmoid.ts";
import type { IntegerFunction } from "./lookup-table.ts";

/** Entries that the official table has one above the nearest integer. */
const ROUNDED_UP: readonly number[] = [
  4, 8, 12, 14, 15, 16, 17, 19, 20, 21, 22, 25, 27, 28, 29, 30, 31, 33, 34, 35, 37, 39, 40, 41, 43,
  44, 45, 46, 49, 50, 54, 62, 63, 64, 66, 82, 86, 93, 100, 103, 112, 116, 135, 255,
];

function sigmoidTable(): Int32Array {
  const table = Int32Array.from({ length: 256 }, (_, i) =>
    Math.round(65536 / (1 + Math.exp(-i / 24))),
  );
  for (const i of ROUNDED_UP) table[i]++;
  return table;
}

/** k where the scale is 2^k / 4096 for one of the `shifts`, else undefined. */
function ownShift(scale: number, shifts: readonly number[]): number | undefined {
  return shifts.find((shift) => scale === 2 ** (shift - 12));
}

/** Brings an int16 to scale 1/(3·4096), through a 15-bit factor and a rounding shift. */
function rescaler(scale: number): IntegerFunction {
  let factor = scale * 4096 * 3;
  let shift = 0;
  while (factor <= 32767 / 2 && shift <= 30) {
    shift++;
    factor *= 2;
  }
  const multiplier = Math.trunc(factor);
  const half = shift > 0 ? 2 ** (shift - 1) : 0;
  return (q) => (q * multiplier + half) >> shift;
}

/** σ of an int16 with the given scale, as int16 with scale 2⁻¹⁵. */
export function int16Logistic(scale: number): IntegerFunction {
  const own = ownShift(scale, [0]);
  if (own !== undefined) return (q) => fixedPointLogistic(q, 3);
  const table = sigmoidTable();
  const rescale = rescaler(scale);
  return (q) => {
    const x = rescale(q);
    const size = Math.abs(x);
    const index = size >> 9;
    let result = 0x7fff * 1024;
    if (index < 255) {
      result = table[index] * 512 + (size & 511) * (table[index + 1] - table[index]);
    }
    const signed = x >= 0 ? result + 512 : 2 ** 25 - result + 511;
    return signed >>> 10;
  };
}

/** tanh of an int16 with the given scale, as int16 with scale 2⁻¹⁵. */
export function int16Tanh(scale: number): IntegerFunction {
  const own = ownShift(scale, [0, 1]);
  if (own !== undefined)
    return (q) => fixedPointTanh(Math.max(-32768, Math.min(32767, q * 2 ** own)), 3);
  const table = sigmoidTable();
  const rescale = rescaler(scale);
  return (q) => {
    const x = rescale(q);
    const size = Math.abs(x);
    const index = size >> 8;
    let result = 0xffff * 256;
    if (index < 255) {
      result = table[index] * 256 + (size & 255) * (table[index + 1] - table[index]);
    }
    const centred = x >= 0 ? result - 2 ** 23 + 128 : 2 ** 23 - result + 127;
    return centred >> 8;
  };
}
