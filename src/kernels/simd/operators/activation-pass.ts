/**
 * The pass over activations that comes before products of integers, in linear memory. Float activations are quantized on
 * the fly (`reference/hybrid.ts` has the law). For most products the zero point is taken off (int16, float32); products
 * of bytes keep one, and correct their sums.
 */
import {
  type ActivationParameters,
  asymmetricParameters,
  symmetricParameters,
} from "../../reference/hybrid.ts";
import {
  type ByteType,
  emitQuantize,
  type QuantizedStorage,
  type QuantizeFunction,
  quantizeName,
  storedBytes,
} from "../activations/emit-quantize.ts";
import {
  emitQuantizeRows,
  type QuantizeRowsFunction,
  quantizeRowsName,
} from "../activations/emit-quantize-rows.ts";
import { emitRange, RANGE_NAME, type RangeFunction } from "../activations/emit-range.ts";
import {
  BYTES_NAME,
  type BytesFunction,
  emitBytes,
  emitWiden,
  type WidenFunction,
  type WideStorage,
  widenName,
} from "../activations/emit-widen.ts";
import type { CallList, EmittedFunction, FastFeatures, FastPlace } from "../fast-kernel.ts";

/** What prepared activations are: real = scale × (stored − zeroPoint). */
export interface PreparedActivations {
  /** 1 for what was quantized before. */
  readonly scale: number;
  /** 0 for all storages but bytes. */
  readonly zeroPoint: number;
}

/** What they are when calls have been made that are still to be made. */
export interface PendingActivations extends PreparedActivations {
  readonly list: CallList;
}

/** Prepares `count` elements at `source` at `target`. */
export type RunPass = (source: number, count: number, target: number) => PreparedActivations;
/** The same, but for what the list does. */
export type BeginPass = (source: number, count: number, target: number) => PendingActivations;

export interface ActivationPass {
  readonly functions: readonly EmittedFunction[];
  /** Bytes of a prepared element. */
  readonly storedBytes: number;
  /** `scratch`: PASS_SCRATCH_BYTES bytes. */
  bind(place: FastPlace, scratch: number): RunPass;
  /** The same for who makes the calls along with others. */
  bindBegin(place: FastPlace, scratch: number): BeginPass;
  /** The function that prepares whole rows, each with a scale of its own; absent where all rows have the same one. */
  readonly bindRows?: (place: FastPlace) => QuantizeRowsFunction;
}

/** Parts that several threads share out, each a multiple of the group that rounding is defined for. */
const MAX_PARTS = 16;
const PART_MULTIPLE = 64;
/** Elements that are too few to share out. */
const MIN_SHARED = 32768;

/** Room for a range of each part: two floats. */
export const PASS_SCRATCH_BYTES: number = 8 * MAX_PARTS;

/** Quantizes floats on the fly. */
export function quantizingPass(
  storage: QuantizedStorage,
  asymmetric: boolean,
  { relaxed }: Pick<FastFeatures, "relaxed"> = { relaxed: false },
): ActivationPass {
  const stored = storedZeroPoint(storage);
  const variant = { storage, relaxed };
  const rowVariant = { ...variant, asymmetric, storedZero: stored };
  const rowsName = quantizeRowsName(rowVariant);
  const prepare = (place: FastPlace, scratch: number): PreparePass<QuantizeFunction> => {
    const rangeOf = bindRange(place, scratch);
    const parametersOf = asymmetric ? asymmetricParameters : symmetricParameters;
    return (source, parts) => {
      const parameters = parametersOf(...rangeOf(source, parts));
      const { scale, inverse, low, high } = parameters;
      const zeroPoint = stored === undefined ? 0 : parameters.zeroPoint + stored;
      return { scale, zeroPoint, rest: [inverse, low, high, zeroPoint] };
    };
  };
  return {
    functions: [
      RANGE_FUNCTION,
      { name: quantizeName(variant), emit: (module) => emitQuantize(module, variant) },
      { name: rowsName, emit: (module) => emitQuantizeRows(module, rowVariant) },
    ],
    storedBytes: storedBytes(storage),
    ...passBy<QuantizeFunction>(
      { name: quantizeName(variant), from: 4, to: storedBytes(storage) },
      prepare,
    ),
    bindRows: (place) => place.call<QuantizeRowsFunction>(rowsName),
  };
}

/** The function of a pass, and bytes of the elements that it reads and writes. */
interface PassFunction {
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

/** The arguments of a pass's function that follow where elements are, how many, and where they go. */
type RestOf<Run> = Run extends (
  source: number,
  count: number,
  target: number,
  ...rest: infer Rest
) => void
  ? Rest
  : never;

/** What elements are going to be, and those arguments. */
type PreparePass<Run> = (
  source: number,
  parts: readonly Part[],
) => PreparedActivations & { readonly rest: Readonly<RestOf<Run>> & readonly number[] };

/** Both ways to run a pass: at once, and as a list of calls. Parts of large tensors are shared out. */
function passBy<Run>(
  { name, from, to }: PassFunction,
  bindPrepare: (place: FastPlace, scratch: number) => PreparePass<Run>,
): Pick<ActivationPass, "bind" | "bindBegin"> {
  const callsOf = (
    parts: readonly Part[],
    source: number,
    target: number,
    rest: readonly number[],
  ): CallList["calls"] =>
    parts.map(({ first, length }) => [
      ...[source + first * from, length, target + first * to],
      ...rest,
    ]);
  return {
    bind(place, scratch) {
      const prepare = bindPrepare(place, scratch);
      const run = place.call<(...args: number[]) => void>(name);
      return (source, count, target) => {
        const parts = partsOf(count, place.threads);
        const prepared = prepare(source, parts);
        if (parts.length === 1) run(source, count, target, ...prepared.rest);
        else place.callAll(name, callsOf(parts, source, target, prepared.rest));
        return prepared;
      };
    },
    bindBegin(place, scratch) {
      const prepare = bindPrepare(place, scratch);
      return (source, count, target) => {
        const parts = partsOf(count, place.threads);
        const { scale, zeroPoint, rest } = prepare(source, parts);
        return { scale, zeroPoint, list: { name, calls: callsOf(parts, source, target, rest) } };
      };
    },
  };
}

/** What `bindAsymmetric` calls. */
export const RANGE_FUNCTION: EmittedFunction = { name: RANGE_NAME, emit: emitRange };

/** Makes the function that says how floats are to be quantized, 255 steps for their range. `scratch` as for a pass. */
export function bindAsymmetric(
  place: FastPlace,
  scratch: number,
): (source: number, count: number) => ActivationParameters {
  const rangeOf = bindRange(place, scratch);
  return (source, count) => asymmetricParameters(...rangeOf(source, partsOf(count, place.threads)));
}

interface Part {
  readonly first: number;
  readonly length: number;
}

/** Cuts `count` elements into parts for several threads. */
function partsOf(count: number, threads: number): readonly Part[] {
  if (threads === 1 || count < MIN_SHARED) return [{ first: 0, length: count }];
  const wanted = Math.min(MAX_PARTS, 2 * threads);
  const length = Math.ceil(count / wanted / PART_MULTIPLE) * PART_MULTIPLE;
  return Array.from({ length: Math.ceil(count / length) }, (_, index) => ({
    first: index * length,
    length: Math.min(length, count - index * length),
  }));
}

/** Makes the function that finds minimum and maximum, 0 among them, of floats at an address. */
function bindRange(
  place: FastPlace,
  scratch: number,
): (source: number, parts: readonly Part[]) => readonly [min: number, max: number] {
  const range = place.call<RangeFunction>(RANGE_NAME);
  const extremes = new Float32Array(place.memory.buffer, scratch, 2 * MAX_PARTS);
  return (source, parts) => {
    const [whole] = parts;
    if (parts.length === 1 && whole !== undefined) {
      range(source, whole.length, scratch);
      return [extremes[0], extremes[1]];
    }
    const calls = parts.map(({ first, length }, index) => {
      return [source + first * 4, length, scratch + 8 * index];
    });
    place.callAll(RANGE_NAME, calls);
    const ofParts = extremes.subarray(0, 2 * parts.length);
    return [Math.min(...ofParts), Math.max(...ofParts)];
  };
}

/** What an int8 zero point becomes in a storage of bytes by addition; undefined where none is kept. */
function storedZeroPoint(storage: QuantizedStorage): number | undefined {
  if (storage === "uint8") return 128;
  return storage === "int8" ? 0 : undefined;
}

/** Takes the zero point off quantized elements. */
export function wideningPass(
  storage: WideStorage,
  from: ByteType,
  zeroPoint: number,
): ActivationPass {
  const name = widenName(from, storage);
  const prepared = { scale: 1, zeroPoint: 0, rest: [zeroPoint] as const };
  return {
    functions: [{ name, emit: (module) => emitWiden(module, from, storage) }],
    storedBytes: storedBytes(storage),
    ...passBy<WidenFunction>({ name, from: 1, to: storedBytes(storage) }, () => () => prepared),
  };
}

/** Brings quantized elements into the bytes that dot products want, and their zero point with them. */
export function bytePass(from: ByteType, to: ByteType, zeroPoint: number): ActivationPass {
  const moved = movedZeroPoint(from, to, zeroPoint);
  const flipped = from === to ? 0 : 128;
  const prepared = { scale: 1, zeroPoint: moved, rest: [flipped] as const };
  return {
    functions: [{ name: BYTES_NAME, emit: emitBytes }],
    storedBytes: 1,
    ...passBy<BytesFunction>({ name: BYTES_NAME, from: 1, to: 1 }, () => () => prepared),
  };
}

/** The zero point of int8 elements as uint8, or the other way round. */
export function movedZeroPoint(from: ByteType, to: ByteType, zeroPoint: number): number {
  if (from === to) return zeroPoint;
  return to === "uint8" ? zeroPoint + 128 : zeroPoint - 128;
}
