/**
 * LOGISTIC and TANH on int16: linear interpolation in one table of σ(i/24), i < 256, with 16 fraction bits, and
 * tanh(x) = 2σ(2x) − 1 (TensorFlow Lite 2.21, kernels/internal/reference/integer_ops/{logistic,tanh}.h). Inputs whose
 * scale is the power of two that the table was made for take a shift in place of a multiplication.
 */
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

interface Scaling {
  /** 0 where the scale is the table's own. */
  readonly multiplier: number;
  readonly leftShift: number;
}

/** The factor from the input's scale to 1/(3·4096), as a 15-bit integer and a right shift. */
function scalingOf(scale: number, ownShifts: readonly number[]): Scaling {
  const exponent = Math.log2(scale);
  const ownShift = 12 + Math.round(exponent);
  if (Math.abs(exponent - Math.round(exponent)) < 1e-3 && ownShifts.includes(ownShift)) {
    return { multiplier: 0, leftShift: ownShift };
  }
  let factor = scale * 4096 * 3;
  let leftShift = 0;
  while (factor <= 32767 / 2 && leftShift <= 30) {
    leftShift++;
    factor *= 2;
  }
  return { multiplier: Math.trunc(factor), leftShift };
}

/** σ of an int16 with the given scale, as int16 with scale 2⁻¹⁵. */
export function int16Logistic(scale: number): IntegerFunction {
  const table = sigmoidTable();
  const own = scalingOf(scale, [0]);
  const multiplier = own.multiplier === 0 ? 3 * 2 ** own.leftShift : own.multiplier;
  const shift = own.multiplier === 0 ? 0 : own.leftShift;
  const half = shift > 0 ? 2 ** (shift - 1) : 0;
  return (q) => {
    const x = (q * multiplier + half) >> shift;
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
  const table = sigmoidTable();
  const own = scalingOf(scale, [0, 1]);
  const multiplier = own.multiplier === 0 ? 3 * 2 ** own.leftShift : own.multiplier;
  const shift = own.multiplier === 0 ? 0 : own.leftShift;
  const half = shift > 0 ? 2 ** (shift - 1) : 0;
  return (q) => {
    const x = (q * multiplier + half) >> shift;
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
