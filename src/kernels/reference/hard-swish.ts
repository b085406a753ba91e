/**
 * HARD_SWISH: x·clamp(x + 3, 0, 6)/6. The 8-bit form works in 16-bit fixed point (TensorFlow Lite 2.21,
 * kernels/internal/reference/hard_swish.h): the input with 7 more bits times a multiplier in [0, 1] that is itself the
 * input rescaled so that 3 becomes 2^15.
 */
import type { Kernel, KernelNode } from "../kernel.ts";
import { inputAt, unsupported } from "../require.ts";
import { quantizedRange, quantizeMultiplier, roundingDivideByPowerOfTwo } from "./fixed-point.ts";
import type { IntegerFunction } from "./lookup-table.ts";
import { elementKernel, quantizationOf } from "./unary.ts";

const { fround } = Math;

/** The input takes this factor before it meets the gate, so that large ones do not overflow. */
const SIXTH = fround(1 / 6);

/** A multiplier reduced to 15 bits. */
function to16Bits(multiplier: number): number {
  return multiplier >= 2 ** 31 - 1 - 2 ** 15 ? 32767 : (multiplier + 2 ** 15) >> 16;
}

function saturate16(value: number): number {
  return Math.max(-32768, Math.min(32767, value));
}

/** High half of 2·a·b of two int16, rounded half up. */
function roundingHighMul16(a: number, b: number): number {
  return saturate16(Math.floor((a * b + 2 ** 14) / 2 ** 15));
}

/** High half of 2·a·b of two int16, rounded toward zero. */
function highMul16(a: number, b: number): number {
  return saturate16(Math.trunc((a * b) / 2 ** 15));
}

function quantizedHardSwish(node: KernelNode, dtype: "int8" | "uint8"): IntegerFunction {
  const { from, to } = quantizationOf(node);
  const { min, max } = quantizedRange(dtype);
  const fineScale = fround(from.scale / 128);
  const output = quantizeMultiplier(fround(fineScale / to.scale));
  if (output.shift > 0) throw unsupported(node, "with an output scale below the input's by 128");
  const gate = quantizeMultiplier(fround(fineScale / fround(3 / 32768)));
  const [outputFactor, gateFactor] = [to16Bits(output.multiplier), to16Bits(gate.multiplier)];
  return (q) => {
    const fine = (q - from.zeroPoint) * 128;
    const onOutput = roundingHighMul16(fine, outputFactor);
    let slope = fine;
    if (gate.shift > 0) slope = saturate16(slope * 2 ** (gate.shift - 1));
    slope = roundingHighMul16(slope, gateFactor);
    if (gate.shift > 0) slope = saturate16(slope * 2);
    if (gate.shift < 0) slope = roundingDivideByPowerOfTwo(slope, -gate.shift);
    const product = highMul16((slope + 2 ** 15) >> 1, onOutput);
    const result = roundingDivideByPowerOfTwo(product, -output.shift) + to.zeroPoint;
    return Math.max(min, Math.min(max, result));
  };
}

/** The row of HARD_SWISH. */
export function hardSwishKernel(): Kernel {
  return elementKernel((node) => {
    const { dtype } = inputAt(node, 0);
    if (dtype === "float32") {
      return (x: number) => fround(x * SIXTH) * Math.min(6, Math.max(0, fround(x + 3)));
    }
    return dtype === "int8" || dtype === "uint8" ? quantizedHardSwish(node, dtype) : undefined;
  });
}
