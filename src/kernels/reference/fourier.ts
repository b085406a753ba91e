/**
 * RFFT2D: the two-dimensional discrete Fourier transform of real images, of which the last axis keeps its first
 * n/2 + 1 frequencies. Both lengths are powers of two; the input is cut or padded with zeros to them.
 */
import type { Kernel, KernelNode, KernelTable, TensorView } from "../kernel.ts";
import {
  inputAt,
  misshapen,
  outputAt,
  requireOperands,
  requireRank,
  requireType,
} from "../require.ts";
import { present } from "../views.ts";
import { integersOf, numbersOf } from "./elements.ts";

function lengthsFrom(node: KernelNode, view: TensorView): [number, number] {
  const [rows, columns, ...rest] = integersOf(node, view);
  const isPower = (n: number | undefined) =>
    n !== undefined && n > 0 && Number.isInteger(Math.log2(n));
  if (rest.length === 0 && isPower(rows) && isPower(columns)) return [rows, columns];
  throw misshapen(node, `lengths ${rows}, ${columns}`, "two powers of 2");
}

/** Transforms in place, X[k] = Σ x[n]·e^(−2πi·kn/N), by halving (Cooley and Tukey). N is a power of 2. */
export function fourierTransform(real: Float64Array, imaginary: Float64Array): void {
  const n = real.length;
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; (j & bit) !== 0; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [real[i], real[j]] = [real[j], real[i]];
      [imaginary[i], imaginary[j]] = [imaginary[j], imaginary[i]];
    }
  }
  for (let length = 2; length <= n; length *= 2) {
    const half = length / 2;
    for (let k = 0; k < half; k++) {
      const [c, s] = [Math.cos((Math.PI * k) / half), -Math.sin((Math.PI * k) / half)];
      for (let start = k; start < n; start += length) {
        const [re, im] = [real[start + half], imaginary[start + half]];
        const [p, q] = [c * re - s * im, c * im + s * re];
        real[start + half] = real[start] - p;
        imaginary[start + half] = imaginary[start] - q;
        real[start] += p;
        imaginary[start] += q;
      }
    }
  }
}

const RFFT2D: Kernel = {
  check(node) {
    requireOperands(node, [2, 2]);
    requireType(node, inputAt(node, 0), ["float32"], "input");
    requireType(node, inputAt(node, 1), ["int32"], "lengths");
    requireType(node, outputAt(node, 0), ["complex64"], "output");
  },
  shapes(node, known) {
    const { shape } = inputAt(node, 0);
    requireRank(node, shape, [2, Infinity], "input");
    const view = known(1);
    if (view === undefined) return [undefined];
    const [rows, columns] = lengthsFrom(node, view);
    return [[...shape.slice(0, -2), rows, Math.floor(columns / 2) + 1]];
  },
  create: (node) => (inputs, outputs) => {
    const [height, width] = present(inputs[0]).shape.slice(-2);
    const [rows, columns] = lengthsFrom(node, present(inputs[1]));
    const [x, out] = [numbersOf(inputs[0]), numbersOf(outputs[0])];
    const kept = Math.floor(columns / 2) + 1;
    const images = out.length / (2 * rows * kept);
    for (let image = 0; image < images; image++) {
      const lines = Array.from({ length: rows }, (_, y) => {
        const [real, imaginary] = [new Float64Array(columns), new Float64Array(columns)];
        if (y < height) {
          const start = (image * height + y) * width;
          for (let k = 0; k < Math.min(width, columns); k++) real[k] = x[start + k];
        }
        fourierTransform(real, imaginary);
        return { real, imaginary };
      });
      for (let k = 0; k < kept; k++) {
        const real = Float64Array.from(lines, (line) => line.real[k]);
        const imaginary = Float64Array.from(lines, (line) => line.imaginary[k]);
        fourierTransform(real, imaginary);
        for (let y = 0; y < rows; y++) {
          const at = 2 * ((image * rows + y) * kept + k);
          out[at] = real[y];
          out[at + 1] = imaginary[y];
        }
      }
    }
  },
};

export const FOURIER: KernelTable = { RFFT2D };
