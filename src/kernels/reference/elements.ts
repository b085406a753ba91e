/**
 * Elements of a tensor through one interface, for kernels that serve many element types. Complex numbers take two
 * storage units per element; everything else here takes one. Packed types (int4, int2, uint4) are unpacked on the way
 * in and packed on the way out.
 */
import type { DType } from "../../base/dtype.ts";
import { bitsOf } from "../../base/dtype.ts";
import { assert } from "../../base/errors.ts";
import { elementCount } from "../../base/shape.ts";
import type { KernelNode, TensorInfo, TensorView } from "../kernel.ts";
import { badValue } from "../require.ts";
import { present } from "../views.ts";

/** Random access to elements; every typed array and every list of strings is one. */
export interface Elements<T = unknown> {
  readonly length: number;
  [index: number]: T;
}

/** Storage units per element: 2 for complex numbers, else 1. */
export function unitsPerElement(dtype: DType): number {
  return dtype === "complex64" || dtype === "complex128" ? 2 : 1;
}

/** Whether several elements share a byte. */
export function isPacked(dtype: DType): boolean {
  const bits = bitsOf(dtype);
  return bits !== undefined && bits < 8;
}

/** Elements of any type, in storage units. Packed types come as a copy, one element each. */
export function elementsOf(view: TensorView | undefined): Elements {
  const { data, dtype, shape } = present(view);
  return isPacked(dtype) ? unpack(data as Uint8Array, dtype, elementCount(shape)) : data;
}

/** Elements of a type that JavaScript holds as numbers: all but 64-bit integers and strings. */
export function numbersOf(view: TensorView | undefined): Elements<number> {
  const elements = elementsOf(view);
  assert(
    !Array.isArray(elements) &&
      !(elements instanceof BigInt64Array) &&
      !(elements instanceof BigUint64Array),
    `numbers expected in ${view?.name}`,
  );
  return elements as Elements<number>;
}

/** Elements of a 64-bit integer type. */
export function bigintsOf(view: TensorView | undefined): Elements<bigint> {
  const elements = elementsOf(view);
  assert(
    elements instanceof BigInt64Array || elements instanceof BigUint64Array,
    `64-bit integers expected in ${view?.name}`,
  );
  return elements as Elements<bigint>;
}

/** Where an output's elements go: its own storage, or for packed types a list to hand to `storeElements`. */
export function writableElementsOf(view: TensorView): Elements {
  return isPacked(view.dtype) ? new Int8Array(elementCount(view.shape)) : view.data;
}

/** Packs what was written to `writableElementsOf`; does nothing where that was the output's own storage. */
export function storeElements(view: TensorView, elements: Elements): void {
  if (isPacked(view.dtype)) pack(elements as Elements<number>, view.dtype, view.data as Uint8Array);
}

/** Copies `count` storage units. */
export function copyUnits(
  from: Elements,
  fromStart: number,
  to: Elements,
  toStart: number,
  count: number,
): void {
  if (count >= LONG_RUN && isTyped(from) && isTyped(to) && from.constructor === to.constructor) {
    to.set(from.subarray(fromStart, fromStart + count), toStart);
    return;
  }
  for (let i = 0; i < count; i++) to[toStart + i] = from[fromStart + i];
}

/** From here on the copy of the engine is quicker than a loop. */
const LONG_RUN = 32;

/** Storage units between two looks at the clock: some milliseconds of copying. */
export const UNITS_PER_CHECK: number = 2 ** 22;

/** Calls `work` with parts of `count` units, one after the other, and looks at the clock before each. */
function inParts(
  count: number,
  checkTime: () => void,
  work: (start: number, length: number) => void,
): void {
  for (let start = 0; start < count; start += UNITS_PER_CHECK) {
    checkTime();
    work(start, Math.min(UNITS_PER_CHECK, count - start));
  }
}

/** Copies as many storage units as `to` has. */
export function copyWhole(from: Elements, to: Elements, checkTime: () => void): void {
  inParts(to.length, checkTime, (start, length) => copyUnits(from, start, to, start, length));
}

/** Makes every element of `to` the first one of `value`. An element has one or two storage units. */
export function fillWhole(
  to: Elements,
  value: Elements,
  units: number,
  checkTime: () => void,
): void {
  inParts(to.length, checkTime, (start, length) => {
    if (units === 1) fillUnits(to, start, length, value[0]);
    else for (let i = start; i < start + length; i += units) copyUnits(value, 0, to, i, units);
  });
}

/** Any typed array: one type stands for all of them, which differ in what they hold only. */
function isTyped(elements: unknown): elements is Float32Array {
  return ArrayBuffer.isView(elements) && !(elements instanceof DataView);
}

/** Sets `count` storage units to one value. */
export function fillUnits(to: Elements, start: number, count: number, value: unknown): void {
  if (count >= LONG_RUN && isTyped(to)) to.fill(value as number, start, start + count);
  else for (let i = 0; i < count; i++) to[start + i] = value;
}

/** The value that an output of this type has before anything is written: 0, or the empty string. */
export function zeroOf(dtype: DType): unknown {
  if (dtype === "string") return new Uint8Array(0);
  return dtype === "int64" || dtype === "uint64" ? 0n : 0;
}

/**
 * Integers of an operand (axes, sizes, indices) as numbers, whatever integer type holds them.
 *
 * @throws {ExecutionError} for a 64-bit value that no index can have.
 */
export function integersOf(node: KernelNode, view: TensorView | undefined): number[] {
  const elements = elementsOf(view);
  const integers = new Array<number>(elements.length);
  for (let i = 0; i < elements.length; i++) {
    const value = Number(elements[i]);
    if (!Number.isSafeInteger(value)) {
      throw badValue(node, `${value} in ${present(view).name}`, "an integer of moderate size");
    }
    integers[i] = value;
  }
  return integers;
}

/** Whether the tensor carries per-tensor or per-channel scales. */
export function isQuantized(tensor: TensorInfo): boolean {
  return (tensor.quantization?.scale.length ?? 0) > 0;
}

function unpack(bytes: Uint8Array, dtype: DType, count: number): Elements<number> {
  const bits = bitsOf(dtype) ?? 8;
  const perByte = 8 / bits;
  const out = dtype === "uint4" ? new Uint8Array(count) : new Int8Array(count);
  for (let i = 0; i < count; i++) {
    const raw = bytes[Math.floor(i / perByte)] >> (bits * (i % perByte));
    const shift = 32 - bits;
    out[i] = dtype === "uint4" ? raw & 15 : (raw << shift) >> shift;
  }
  return out;
}

function pack(elements: Elements<number>, dtype: DType, bytes: Uint8Array): void {
  const bits = bitsOf(dtype) ?? 8;
  const perByte = 8 / bits;
  const mask = 2 ** bits - 1;
  bytes.fill(0);
  for (let i = 0; i < elements.length; i++) {
    bytes[Math.floor(i / perByte)] |= (elements[i] & mask) << (bits * (i % perByte));
  }
}
