/**
 * Quantizes activations in linear memory as the hybrid operators do (`reference/hybrid.ts` has the law): range, scale
 * and zero point, then q − zero point in one vector pass.
 */
import { asymmetricParameters, symmetricParameters } from "../../reference/hybrid.ts";
import {
  emitQuantize,
  emitRange,
  type QuantizedStorage,
  type QuantizeFunction,
  quantizeName,
  RANGE_NAME,
  type RangeFunction,
} from "../activations/emit-quantize.ts";
import type { EmittedFunction, FastPlace } from "../fast-kernel.ts";

/** The functions it calls. */
export function quantizerFunctions(storage: QuantizedStorage): readonly EmittedFunction[] {
  return [
    { name: RANGE_NAME, emit: emitRange },
    { name: quantizeName(storage), emit: (module) => emitQuantize(module, storage) },
  ];
}

/** Quantizes `count` floats at `source` to `target`; returns their scale. `result` is 8 bytes of scratch. */
export type ActivationQuantizer = (source: number, count: number, target: number) => number;

export function bindQuantizer(
  place: FastPlace,
  storage: QuantizedStorage,
  asymmetric: boolean,
  result: number,
): ActivationQuantizer {
  const range = place.call<RangeFunction>(RANGE_NAME);
  const quantize = place.call<QuantizeFunction>(quantizeName(storage));
  const extremes = new Float32Array(place.memory.buffer, result, 2);
  const parametersOf = asymmetric ? asymmetricParameters : symmetricParameters;
  return (source, count, target) => {
    range(source, count, result);
    const { scale, inverse, low, high } = parametersOf(extremes[0], extremes[1]);
    quantize(source, count, target, inverse, low, high);
    return scale;
  };
}
