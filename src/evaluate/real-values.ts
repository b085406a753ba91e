/** Elements of any numeric tensor as the real numbers that they stand for. */
import type { DType, TensorData } from "../base/dtype.ts";
import { widenFloat16 } from "../base/float16.ts";
import type { Quantization } from "../model/ir.ts";

/** What must be known of a tensor to read its elements; `TensorDetails` and `TensorView` have it. */
export interface ElementDescription {
  readonly dtype: DType;
  readonly quantization?: Quantization;
}

/**
 * real = scale × (q − zeroPoint) for tensors quantized as a whole; floats as they are, not copied where they are
 * float32 already. Undefined for strings and complex numbers, and for one scale per channel, which activations never have.
 */
export function realValues(
  { dtype, quantization }: ElementDescription,
  data: TensorData,
): Float32Array | undefined {
  if (Array.isArray(data) || dtype.startsWith("complex")) return undefined;
  if (data instanceof Float32Array) return data;
  if (dtype === "float16" && data instanceof Uint16Array) {
    const wide = new Float32Array(data.length);
    widenFloat16(data, wide);
    return wide;
  }
  const [scale = 1, ...more] = quantization?.scale ?? [];
  if (more.length > 0) return undefined;
  const zeroPoint = quantization?.zeroPoint[0] ?? 0;
  return Float32Array.from<number | bigint>(data, (value) => scale * (Number(value) - zeroPoint));
}
