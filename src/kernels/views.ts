/**
 * Elements of a view as the typed array that its element type promises. `check` has settled the types by the time a
 * kernel runs, so a mismatch here is a bug of ours.
 */
import type { StringData } from "../base/dtype.ts";
import { assert } from "../base/errors.ts";
import type { TensorView } from "./kernel.ts";

/** The operand, which must not be an absent one. */
export function present<View extends TensorView>(view: View | undefined): View {
  assert(view !== undefined, "an operand that check required is absent");
  return view;
}

/** Elements of a float32 view. */
export function float32(view: TensorView | undefined): Float32Array {
  const data = present(view).data;
  assert(data instanceof Float32Array, `float32 data expected in ${view?.name}`);
  return data;
}

/** Bits of the elements of a float16 view. */
export function float16(view: TensorView | undefined): Uint16Array {
  const data = present(view).data;
  assert(data instanceof Uint16Array, `float16 data expected in ${view?.name}`);
  return data;
}

/** Elements of an int8 view. */
export function int8(view: TensorView | undefined): Int8Array {
  const data = present(view).data;
  assert(data instanceof Int8Array, `int8 data expected in ${view?.name}`);
  return data;
}

/** Elements of a uint8 or bool view, or the bytes of a packed one. */
export function uint8(view: TensorView | undefined): Uint8Array {
  const data = present(view).data;
  assert(data instanceof Uint8Array, `uint8 data expected in ${view?.name}`);
  return data;
}

/** Elements of an int16 view. */
export function int16(view: TensorView | undefined): Int16Array {
  const data = present(view).data;
  assert(data instanceof Int16Array, `int16 data expected in ${view?.name}`);
  return data;
}

/** Elements of an int32 view. */
export function int32(view: TensorView | undefined): Int32Array {
  const data = present(view).data;
  assert(data instanceof Int32Array, `int32 data expected in ${view?.name}`);
  return data;
}

/** Elements of an int64 view. */
export function int64(view: TensorView | undefined): BigInt64Array {
  const data = present(view).data;
  assert(data instanceof BigInt64Array, `int64 data expected in ${view?.name}`);
  return data;
}

/** Elements of a string view. */
export function strings(view: TensorView | undefined): StringData {
  const data = present(view).data;
  assert(Array.isArray(data), `string data expected in ${view?.name}`);
  return data;
}
