/**
 * SOFTMAX over the last axis: exp(β·x − max) / Σ. 8-bit inputs go through a table of exponentials in float32, int16
 * through fixed-point tables. TensorFlow Lite 2.21 kernels/activations.cc, optimized_ops.h, reference/softmax.h.
 */
import { elementCount } from "../../base/shape.ts";
import type { KernelNode, KernelRun, KernelTable } from "../kernel.ts";
import { optionsOf } from "../options.ts";
import {
  inputAt,
  misshapen,
  outputAt,
  perTensorQuantization,
  requireOperands,
  unsupported,
} from "../require.ts";
import { float32, int16 } from "../views.ts";
import { numbersOf } from "./elements.ts";
import {
  multiplyByQuantizedMultiplier,
  quantizedRange,
  quantizeMultiplier,
} from "./fixed-point.ts";
import { type IntegerFunction, int16TableOver } from "./lookup-table.ts";

const { fround } = Math;

/** Pairs of input and output types that the official kernel serves. */
const TYPES = [
  "float32 float32",
  "int8 int8",
  "uint8 uint8",
  "int8 int16",
  "uint8 int16",
  "int16 int16",
];

function rowsOf(node: KernelNode): { rows: number; depth: number } {
  const { shape } = inputAt(node, 0);
  const depth = shape.at(-1);
  if (depth === undefined) throw misshapen(node, "a scalar", "at least one axis");
  return { rows: depth === 0 ? 0 : elementCount(shape) / depth, depth };
}

function createFloat(node: KernelNode): KernelRun {
  const { rows, depth } = rowsOf(node);
  const { beta } = optionsOf(node, "SoftmaxOptions");
  return ([input], [out]) => {
    const [x, y] = [float32(input), float32(out)];
    const row = new Float64Array(depth);
    for (let at = 0; at < rows * depth; at += depth) {
      let max = -Infinity;
      for (let i = 0; i < depth; i++) if (x[at + i] > max) max = x[at + i];
      let sum = 0;
      for (let i = 0; i < depth; i++) {
        row[i] = Math.exp((x[at + i] - max) * beta);
        sum += row[i];
      }
      for (let i = 0; i < depth; i++) y[at + i] = row[i] / sum;
    }
  };
}

/** e^(−β·s·d) in float32 for each distance d of an 8-bit input of scale s from the row's maximum. */
export function byteExponentials(node: KernelNode): Float32Array {
  const { beta } = optionsOf(node, "SoftmaxOptions");
  const { scale } = perTensorQuantization(node, inputAt(node, 0), "input");
  const factor = fround(-scale * beta);
  return Float32Array.from({ length: 256 }, (_, d) => Math.exp(fround(factor * d)));
}

/** 8-bit input: e^(−β·s·d) by table for each distance d from the row's maximum; all sums in float32. */
function createBytes(node: KernelNode): KernelRun {
  const { rows, depth } = rowsOf(node);
  const output = outputAt(node, 0);
  const { scale, zeroPoint } = perTensorQuantization(node, output, "output");
  const exponentials = byteExponentials(node);
  const { min, max } = quantizedRange(output.dtype as "int8" | "uint8" | "int16");
  return ([input], [out]) => {
    const [x, y] = [numbersOf(input), numbersOf(out)];
    for (let at = 0; at < rows * depth; at += depth) {
      let top = -Infinity;
      for (let i = 0; i < depth; i++) if (x[at + i] > top) top = x[at + i];
      let sum = 0;
      for (let i = 0; i < depth; i++) sum = fround(sum + exponentials[top - x[at + i]]);
      const inverse = fround(1 / fround(sum * scale));
      for (let i = 0; i < depth; i++) {
        const scaled = fround(exponentials[top - x[at + i]] * inverse);
        const q = Math.floor(fround(scaled + 0.5)) + zeroPoint;
        y[at + i] = Math.max(min, Math.min(max, q));
      }
    }
  };
}

/** Differences from the maximum beyond this count as e^-10. */
const INT16_REACH = 10;

/** int16: exponentials and the reciprocal of their sum from tables of 513 entries, in Q0.15. */
function createInt16(node: KernelNode): KernelRun {
  const { rows, depth } = rowsOf(node);
  const { beta } = optionsOf(node, "SoftmaxOptions");
  const { scale } = perTensorQuantization(node, inputAt(node, 0), "input");
  const steps = fround(scale * beta) / (INT16_REACH / 65535);
  const { multiplier, shift } = quantizeMultiplier(steps);
  const inDoubles = (x: number) => x;
  const exponential = int16TableOver(-INT16_REACH, 0, 2 ** 15, Math.exp, inDoubles);
  const reciprocal = int16TableOver(0, 1, 2 ** 15, (x) => 1 / (1 + x), inDoubles);
  return ([input], [out]) => {
    const [x, y] = [int16(input), int16(out)];
    const row = new Float64Array(depth);
    for (let at = 0; at < rows * depth; at += depth) {
      let top = -32768;
      for (let i = 0; i < depth; i++) if (x[at + i] > top) top = x[at + i];
      let sum = 0;
      for (let i = 0; i < depth; i++) {
        const scaled = multiplyByQuantizedMultiplier(x[at + i] - top, multiplier, shift);
        row[i] = exponential(toInt16(scaled + 32767));
        sum += row[i];
      }
      divideRow(row, sum, reciprocal, y, at);
    }
  };
}

/** y = row / sum in Q0.15, with 1/sum from the table of 1/(1 + x) on the sum's fraction. */
function divideRow(
  row: Float64Array,
  sum: number,
  reciprocal: IntegerFunction,
  y: Int16Array,
  at: number,
): void {
  const headroom = Math.clz32(sum);
  const shifted = Math.floor((sum * 2 ** (headroom - 1) + 2 ** 13) / 2 ** 14);
  const inverse = reciprocal(toInt16(shifted - 98304));
  const shift = 31 - headroom;
  const half = shift > 0 ? 2 ** (shift - 1) : 0;
  for (let i = 0; i < row.length; i++) {
    const result = Math.floor((row[i] * inverse + half) / 2 ** shift);
    y[at + i] = Math.max(0, Math.min(32767, result));
  }
}

function toInt16(value: number): number {
  return Math.max(-32768, Math.min(32767, value));
}

export const SOFTMAX: KernelTable = {
  SOFTMAX: {
    check(node) {
      requireOperands(node, [1, 1]);
      const [input, output] = [inputAt(node, 0).dtype, outputAt(node, 0).dtype];
      if (!TYPES.includes(`${input} ${output}`))
        throw unsupported(node, `from ${input} to ${output}`);
    },
    shapes(node) {
      rowsOf(node);
      return [inputAt(node, 0).shape];
    },
    create(node) {
      const { dtype } = inputAt(node, 0);
      if (dtype === "float32") return createFloat(node);
      return dtype === "int16" ? createInt16(node) : createBytes(node);
    },
  },
};
