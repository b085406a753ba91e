/**
 * MEAN over axes that follow each other, the last axis kept: one window of a pool for each element in front. Means of
 * bytes take their sums from emitted code and the rest from the reference.
 */
import { assert } from "../../../base/errors.ts";
import { elementCount } from "../../../base/shape.ts";
import { resolveAxes } from "../../reference/axes.ts";
import { integersOf } from "../../reference/elements.ts";
import { storedMean } from "../../reference/quantized-reductions.ts";
import { inputAt } from "../../require.ts";
import { addressOf, type FastKernel, type FastRequest } from "../fast-kernel.ts";
import { emitPool, type PoolFunction, poolName } from "../pooling/emit-pool.ts";
import { poolData } from "./pool.ts";

/** Sums of so many bytes stay within int32. */
const MAX_ELEMENTS = 2 ** 22;

interface Means {
  readonly axes: readonly number[];
  readonly outer: number;
  readonly reduced: number;
  readonly inner: number;
}

function meansOf({ node, known }: FastRequest): Means | undefined {
  const { shape } = inputAt(node, 0);
  const axisOperand = known(1);
  if (axisOperand === undefined || shape.length === 0) return undefined;
  const axes = resolveAxes(node, integersOf(node, axisOperand), shape.length);
  const [first, last] = [axes[0], axes.at(-1)];
  if (first === undefined || last === undefined || last - first + 1 !== axes.length) {
    return undefined;
  }
  const [outer, reduced, inner] = [
    elementCount(shape.slice(0, first)),
    elementCount(shape.slice(first, last + 1)),
    elementCount(shape.slice(last + 1)),
  ];
  const isServed = last + 1 < shape.length && reduced > 0 && reduced <= MAX_ELEMENTS && inner > 0;
  return isServed ? { axes, outer, reduced, inner } : undefined;
}

export const fastMean: FastKernel = (request) => {
  const { node } = request;
  const { dtype, shape } = inputAt(node, 0);
  const data = poolData(dtype);
  const means = data === undefined ? undefined : meansOf(request);
  if (data === undefined || means === undefined) return undefined;
  const { axes, outer, reduced, inner } = means;
  const variant = { fold: data === "f32" ? "average" : "sum", data } as const;
  const name = poolName(variant);
  const bytes = data === "f32" ? 4 : 1;
  const window = [reduced * inner * bytes, outer, 1, 0, reduced, inner] as const;
  return {
    variant: name,
    functions: [{ name, emit: (module) => emitPool(module, variant) }],
    persistentBytes: 0,
    scratchBytes: data === "f32" ? 0 : outer * inner * 4,
    bind(place) {
      const fold = place.call<PoolFunction>(name);
      if (data === "f32") {
        return ([input], [output]) => {
          fold(addressOf(input), ...window, addressOf(output), -Infinity, Infinity);
        };
      }
      const sums = new Int32Array(place.memory.buffer, place.scratch, outer * inner);
      const mean = storedMean(node, { axes, input: shape, count: reduced });
      return ([input], [output]) => {
        fold(addressOf(input), ...window, place.scratch, 0, 0);
        const data = output.data;
        assert(data instanceof Int8Array || data instanceof Uint8Array, "bytes");
        for (const [index, sum] of sums.entries()) data[index] = mean(sum, index);
      };
    },
  };
};
