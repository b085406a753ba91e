/** Changing the element type: CAST; and FAKE_QUANT, which rounds floats to the grid of a quantization. */
import { toBfloat16 } from "../../base/bfloat16.ts";
import type { DType } from "../../base/dtype.ts";
import { toFloat16 } from "../../base/float16.ts";
import { nudgedGrid } from "../../base/nudged-grid.ts";
import { roundHalfAway } from "../../base/rounding.ts";
import type { Kernel, KernelTable } from "../kernel.ts";
import { optionsOf } from "../options.ts";
import { inputAt, outputAt, requireOperands, requireType, unsupported } from "../require.ts";
import { present } from "../views.ts";
import {
  type Elements,
  elementsOf,
  numbersOf,
  storeElements,
  unitsPerElement,
  writableElementsOf,
} from "./elements.ts";
import { halfFormat } from "./half.ts";

/** Lowest and highest value of the integer types that numbers hold. */
const INTEGER_RANGES: Readonly<Partial<Record<DType, readonly [min: number, max: number]>>> = {
  int4: [-8, 7],
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32768, 32767],
  uint16: [0, 65535],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
};

const FLOATS: readonly DType[] = ["float32", "float64", "float16", "bfloat16", "complex64"];

/** The value of a stored element as a number, or as a bigint for 64-bit integers. */
function reader(dtype: DType): (stored: never) => number | bigint {
  return halfFormat(dtype)?.read ?? ((stored: number | bigint) => stored);
}

/**
 * How a value is stored: floats are cut off toward zero for integers; integers wrap. Beyond its range float32 saturates
 * for int16, uint8 and int32; other conversions from floats go through a wider integer and wrap, as the official
 * interpreter's do in what `groupWriter` leaves.
 */
function writer(from: DType, to: DType): ((value: number | bigint) => unknown) | undefined {
  switch (to) {
    case "float32":
    case "float64":
    case "complex64":
      return Number;
    case "float16":
      return (value) => toFloat16(Number(value));
    case "bfloat16":
      return (value) => toBfloat16(Number(value));
    case "bool":
      return (value) => (Number(value) === 0 ? 0 : 1);
    case "int64":
    case "uint64":
      return FLOATS.includes(from) ? toInt64 : (value) => BigInt(value);
  }
  const range = INTEGER_RANGES[to];
  if (range === undefined) return undefined;
  if (!FLOATS.includes(from)) return (value) => Number(BigInt.asIntN(32, BigInt(value)));
  if (from === "float32" && SATURATED.includes(to)) {
    return (value) => saturate(Math.trunc(Number(value)), range, to === "int32");
  }
  if (to === "uint32") return (value) => Number(BigInt.asUintN(32, toInt64(value)));
  return toInt32;
}

const SATURATED: readonly DType[] = ["int32", "int16", "uint8"];

/** How many elements the official vector code takes at a time, and how many there must be for it to take any. */
interface Groups {
  readonly length: number;
  readonly atLeast: number;
}

type GroupTable = Readonly<Partial<Record<DType, Groups>>>;

const GROUPS_OF_INT16: GroupTable = {
  float32: { length: 32, atLeast: 32 },
  float64: { length: 16, atLeast: 16 },
  float16: { length: 16, atLeast: 16 },
  bfloat16: { length: 8, atLeast: 8 },
};
const GROUPS_OF_BYTES: GroupTable = {
  ...GROUPS_OF_INT16,
  float64: { length: 16, atLeast: 24 },
  float16: { length: 16, atLeast: 24 },
};

/** By the integer type that floats are cast to; the others are stored element by element. */
const GROUPS: Readonly<Partial<Record<DType, GroupTable>>> = {
  int8: GROUPS_OF_BYTES,
  uint8: GROUPS_OF_BYTES,
  int16: GROUPS_OF_INT16,
  uint16: GROUPS_OF_INT16,
  uint32: {
    float32: { length: 32, atLeast: 32 },
    float64: { length: 16, atLeast: 16 },
    float16: { length: 16, atLeast: 28 },
    bfloat16: { length: 16, atLeast: 20 },
  },
};

/** How many of `count` elements are cast in whole groups, from the first one on. */
function groupedElements(from: DType, to: DType, count: number): number {
  const groups = GROUPS[to]?.[from];
  if (groups === undefined || count < groups.atLeast) return 0;
  return count - (count % groups.length);
}

/**
 * How floats become integers of 8, 16 or unsigned 32 bits in whole groups of elements: the narrow ones by way of int32,
 * which is saturated and not wrapped. On the way from float16 and float64 to uint8 it is read as an int16 in between, so
 * that 32768 and more become 0. Undefined where groups are stored as other elements are.
 */
function groupWriter(from: DType, to: DType): ((value: number | bigint) => unknown) | undefined {
  const range = INTEGER_RANGES[to];
  const saturatesAlways = from === "float32" && SATURATED.includes(to);
  if (range === undefined || saturatesAlways || GROUPS[to]?.[from] === undefined) return undefined;
  if (to === "uint32") return toUint32;
  const most = to === "uint8" && (from === "float16" || from === "float64") ? 32767 : Infinity;
  return (value) => {
    const integer = toInt32(value);
    return integer > most ? 0 : saturate(integer, range, false);
  };
}

function saturate(
  value: number,
  [min, max]: readonly [number, number],
  nanIsLargest: boolean,
): number {
  if (Number.isNaN(value)) return nanIsLargest ? max : 0;
  return value < min ? min : value > max ? max : value;
}

/** What no int32 holds becomes the lowest one, as x86 processors convert. */
function toInt32(value: number | bigint): number {
  const number = Math.trunc(Number(value));
  return Math.abs(number) < 2 ** 31 ? number : -(2 ** 31);
}

/** What neither int32 nor uint32 holds becomes the highest bit, as x86 vector code converts in two halves. */
function toUint32(value: number | bigint): number {
  const number = Math.trunc(Number(value));
  return number >= -(2 ** 31) && number < 2 ** 32 ? number >>> 0 : 2 ** 31;
}

function toInt64(value: number | bigint): bigint {
  const number = Math.trunc(Number(value));
  // What no int64 holds becomes the lowest one, as x86 processors convert.
  return Math.abs(number) < 2 ** 63 ? BigInt(number) : -(2n ** 63n);
}

const CAST: Kernel = {
  check(node) {
    requireOperands(node, [1, 1]);
    const [from, to] = [inputAt(node, 0).dtype, outputAt(node, 0).dtype];
    const castable = from !== "string" && from !== "resource" && from !== "variant";
    if (!castable || writer(from, to) === undefined)
      throw unsupported(node, `from ${from} to ${to}`);
  },
  shapes: (node) => [inputAt(node, 0).shape],
  create(node) {
    const [from, to] = [inputAt(node, 0).dtype, outputAt(node, 0).dtype];
    const read = reader(from);
    const write = writer(from, to);
    if (write === undefined) throw unsupported(node, `from ${from} to ${to}`);
    const writeInGroup = groupWriter(from, to) ?? write;
    const [unitsIn, unitsOut] = [unitsPerElement(from), unitsPerElement(to)];
    return (inputs, outputs) => {
      const x = elementsOf(inputs[0]) as Elements<never>;
      const output = present(outputs[0]);
      const out = writableElementsOf(output);
      const count = x.length / unitsIn;
      const grouped = groupedElements(from, to, count);
      for (let i = 0; i < count; i++) {
        const store = i < grouped ? writeInGroup : write;
        out[i * unitsOut] = store(read(x[i * unitsIn]));
        // A complex result has an imaginary part: the input's, or none.
        if (unitsOut === 2) out[2 * i + 1] = unitsIn === 2 ? x[2 * i + 1] : 0;
      }
      storeElements(output, out);
    };
  },
};

const FAKE_QUANT: Kernel = {
  check(node) {
    requireOperands(node, [1, 1]);
    requireType(node, inputAt(node, 0), ["float32"], "input");
    requireType(node, outputAt(node, 0), ["float32"], "output");
    const { min, max, num_bits } = optionsOf(node, "FakeQuantOptions");
    if (!(max > min && Number.isFinite(max - min) && num_bits >= 2 && num_bits <= 16)) {
      throw unsupported(node, `with range ${min} to ${max} in ${num_bits} bits`);
    }
  },
  shapes: (node) => [inputAt(node, 0).shape],
  create(node) {
    const { fround } = Math;
    const { min, max, num_bits, narrow_range } = optionsOf(node, "FakeQuantOptions");
    const grid = nudgedGrid(fround(min), fround(max), num_bits, narrow_range);
    const inverse = fround(1 / grid.scale);
    return (inputs, outputs) => {
      const [x, out] = [numbersOf(inputs[0]), numbersOf(outputs[0])];
      for (let i = 0; i < out.length; i++) {
        // What is not above the lowest value is the lowest, NaN among it.
        const clamped = x[i] > grid.min ? Math.min(grid.max, x[i]) : grid.min;
        const steps = roundHalfAway(fround(fround(clamped - grid.min) * inverse));
        out[i] = fround(steps * grid.scale) + grid.min;
      }
    };
  },
};

export const CASTING: KernelTable = { CAST, FAKE_QUANT };
