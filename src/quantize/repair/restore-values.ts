/** Stored weights as the floats that operators compute with. */
import { fromFloat16, widenFloat16 } from "../../base/float16.ts";
import type { Shape } from "../../base/shape.ts";
import { unpackInt4 } from "../int4.ts";
import { type QuantizedWeight, slicesOf } from "../quantize-weight.ts";
import { tensorSlices } from "../slices.ts";
import type { WeightFormat } from "../weight-format.ts";

/** float32 values of a stored weight: scale × (q − zero point). */
export function restoreValues(
  stored: QuantizedWeight,
  shape: Shape,
  format: WeightFormat,
): Float32Array {
  const { bytes, blocks, zeroPoint } = stored;
  if (format.dtype === "float16") {
    const bits = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2);
    const values = new Float32Array(bits.length);
    widenFloat16(bits, values);
    return values;
  }
  const granularity = format.dtype === "uint8" ? undefined : format.granularity;
  const slices = granularity === undefined ? tensorSlices(shape) : slicesOf(shape, granularity);
  const scale = blocks === undefined ? stored.scale : Float32Array.from(blocks.scales, fromFloat16);
  const count = slices.outer * slices.slices * slices.inner;
  const integers = integersOf(bytes, format.dtype, count);
  const zero = zeroPoint[0] ?? 0;
  const values = new Float32Array(count);
  for (let index = 0; index < count; index++) {
    const slice = Math.floor(index / slices.inner) % slices.slices;
    values[index] = scale[slice]! * (integers[index]! - zero);
  }
  return values;
}

function integersOf(
  bytes: Uint8Array,
  dtype: "int8" | "int4" | "uint8",
  count: number,
): Int8Array | Uint8Array {
  if (dtype === "int4") return unpackInt4(bytes, count);
  if (dtype === "uint8") return bytes;
  return new Int8Array(bytes.buffer, bytes.byteOffset, count);
}
