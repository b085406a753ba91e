/**
 * The pass over activations that comes before integer products: to q − zero point, in linear memory. Float activations
 * are quantized on the fly (`reference/hybrid.ts` has the law), quantized ones only lose their zero point.
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
import {
  type ByteType,
  emitWiden,
  type WidenFunction,
  widenName,
} from "../activations/emit-widen.ts";
import type { EmittedFunction, FastPlace } from "../fast-kernel.ts";

/** Prepares `count` elements at `source` at `target`; returns their scale, 1 for what was quantized before. */
export type RunPass = (source: number, count: number, target: number) => number;

export interface ActivationPass {
  readonly functions: readonly EmittedFunction[];
  /** `scratch`: PASS_SCRATCH_BYTES bytes. */
  bind(place: FastPlace, scratch: number): RunPass;
}

/** Room for a range: two floats. */
export const PASS_SCRATCH_BYTES = 8;

/** Quantizes floats on the fly. */
export function quantizingPass(storage: QuantizedStorage, asymmetric: boolean): ActivationPass {
  return {
    functions: [
      { name: RANGE_NAME, emit: emitRange },
      { name: quantizeName(storage), emit: (module) => emitQuantize(module, storage) },
    ],
    bind(place, scratch) {
      const range = place.call<RangeFunction>(RANGE_NAME);
      const quantize = place.call<QuantizeFunction>(quantizeName(storage));
      const extremes = new Float32Array(place.memory.buffer, scratch, 2);
      const parametersOf = asymmetric ? asymmetricParameters : symmetricParameters;
      return (source, count, target) => {
        range(source, count, scratch);
        const { scale, inverse, low, high } = parametersOf(extremes[0], extremes[1]);
        quantize(source, count, target, inverse, low, high);
        return scale;
      };
    },
  };
}

/** Takes the zero point off quantized elements. */
export function wideningPass(
  storage: QuantizedStorage,
  from: ByteType,
  zeroPoint: number,
): ActivationPass {
  const name = widenName(from, storage);
  return {
    functions: [{ name, emit: (module) => emitWiden(module, from, storage) }],
    bind(place) {
      const widen = place.call<WidenFunction>(name);
      return (source, count, target) => {
        widen(source, count, target, zeroPoint);
        return 1;
      };
    },
  };
}
