/** What callers hand in and get out: elements in, checked against the tensor; copies out. */
import type { TensorData, TypedArray } from "../base/dtype.ts";
import { ShapeError } from "../base/errors.ts";
import { formatShape } from "../base/shape.ts";
import type { TensorView } from "../kernels/kernel.ts";
import { copyData } from "./tensor-data.ts";

/** Elements of an input: the typed array of its type, or strings as text or bytes. */
export type InputData = TypedArray | readonly (string | Uint8Array)[];

/**
 * Copies `data` into `view`.
 *
 * @throws {ShapeError} for elements of another type or number.
 */
export function toTensorData(view: TensorView, data: InputData): void {
  const wanted = view.data;
  if (Array.isArray(wanted)) {
    if (!isStringList(data)) throw mismatch(view, describe(data), "an array of strings");
    requireLength(view, data.length, wanted.length);
    const encoder = new TextEncoder();
    copyData(
      data.map((text) => (typeof text === "string" ? encoder.encode(text) : text.slice())),
      wanted,
    );
    return;
  }
  if (isStringList(data) || data.constructor !== wanted.constructor) {
    throw mismatch(view, describe(data), `${wanted.constructor.name} for ${view.dtype}`);
  }
  requireLength(view, data.length, wanted.length);
  copyData(data, wanted);
}

/** The elements of `view`, copied. */
export function copyOf(view: TensorView): TensorData {
  const { data } = view;
  return Array.isArray(data) ? data.map((bytes) => bytes.slice()) : data.slice();
}

function isStringList(data: InputData): data is readonly (string | Uint8Array)[] {
  return Array.isArray(data);
}

function describe(data: InputData): string {
  return isStringList(data) ? "an array of strings" : data.constructor.name;
}

function requireLength(view: TensorView, found: number, wanted: number): void {
  if (found === wanted) return;
  throw mismatch(view, `${found} elements`, `${wanted} for shape ${formatShape(view.shape)}`);
}

function mismatch(view: TensorView, found: string, expected: string): ShapeError {
  return new ShapeError({
    where: `tensor ${JSON.stringify(view.name)} (${view.dtype})`,
    found,
    expected,
  });
}
