/** Weights in the form that the inner loops read, made once where they are constant. */
import { assert } from "../../base/errors.ts";
import type { TensorView } from "../kernel.ts";
import { present } from "../views.ts";
import { isPacked, numbersOf } from "./elements.ts";

/** Wraps a preparation so that a constant operand is prepared at its first use only. */
export function preparedOnce<Prepared>(
  prepare: (view: TensorView) => Prepared,
): (view: TensorView | undefined) => Prepared {
  let cached: { readonly prepared: Prepared } | undefined;
  return (operand) => {
    const view = present(operand);
    if (!view.isConstant) return prepare(view);
    cached ??= { prepared: prepare(view) };
    return cached.prepared;
  };
}

/**
 * Integer weights with their zero points subtracted: int8 as they are where the zero point is 0 (aliasing the
 * operand), int4 unpacked, uint8 as int16.
 */
export function centeredWeights(view: TensorView): Int8Array | Int16Array {
  const { data, dtype, quantization } = view;
  const zeroPoint = quantization?.zeroPoint[0] ?? 0;
  if (isPacked(dtype)) return Int8Array.from(numbersOf(view));
  if (data instanceof Int8Array && zeroPoint === 0) return data;
  assert(
    data instanceof Int8Array || data instanceof Uint8Array || data instanceof Int16Array,
    `integer weights expected in ${view.name}`,
  );
  const centered = new Int16Array(data.length);
  for (let at = 0; at < data.length; at++) centered[at] = data[at] - zeroPoint;
  return centered;
}

/**
 * Weights of a hybrid operator: int8, or bytes of type uint8 that hold int8, as converters of TensorFlow 1.13 wrote
 * them; or int4 and int2, unpacked. Their zero point is 0.
 */
export function hybridWeights(view: TensorView): Int8Array {
  const { data, dtype } = view;
  if (isPacked(dtype)) return Int8Array.from(numbersOf(view));
  if (data instanceof Int8Array) return data;
  assert(data instanceof Uint8Array, `int8 weights expected in ${view.name}`);
  return new Int8Array(data.buffer, data.byteOffset, data.length);
}
