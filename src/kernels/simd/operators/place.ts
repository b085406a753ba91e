/** ARG_MAX and ARG_MIN of float32, int8 and uint8 over linear memory. */
import { elementCount } from "../../../base/shape.ts";
import { splitAt } from "../../reference/axes.ts";
import { axisFrom } from "../../reference/ordering.ts";
import { inputAt, outputAt } from "../../require.ts";
import {
  emitPlace,
  type PlaceFunction,
  type PlaceVariant,
  placeName,
} from "../elementwise/emit-place.ts";
import { rowSpans } from "../elementwise/spans.ts";
import { addressOf, type FastKernel, type FastKernelTable } from "../fast-kernel.ts";
import { poolData } from "./pool.ts";

function fastPlace(wanted: PlaceVariant["wanted"]): FastKernel {
  return ({ node, known }) => {
    const { dtype, shape } = inputAt(node, 0);
    const data = poolData(dtype);
    const axis = known(1);
    const places = outputAt(node, 0).dtype;
    if (data === undefined || axis === undefined || known(0) !== undefined) return undefined;
    if ((places !== "int32" && places !== "int64") || elementCount(shape) === 0) return undefined;
    const { outer, size, inner } = splitAt(shape, axisFrom(node, axis));
    const itemBytes = data === "f32" ? 4 : 1;
    const variant: PlaceVariant = { data, wanted, placeBytes: places === "int32" ? 4 : 8 };
    const name = placeName(variant);
    return {
      variant: name,
      functions: [{ name, emit: (module) => emitPlace(module, variant) }],
      persistentBytes: 0,
      scratchBytes: 0,
      bind(place) {
        // Where the axis is not the last, one call serves the numbers behind one another of one outer place.
        const isLast = inner === 1;
        const [groups, rows] = isLast ? [1, outer] : [outer, inner];
        const rowStep = isLast ? size * itemBytes : itemBytes;
        const spans = rowSpans(rows, size, place.threads);
        return ([input], [output]) => {
          const calls: Parameters<PlaceFunction>[] = [];
          for (let group = 0; group < groups; group++) {
            const from = addressOf(input) + group * rows * size * itemBytes;
            const to = addressOf(output) + group * rows * variant.placeBytes;
            for (const { at, count } of spans) {
              const ends = [from + at * rowStep, to + at * variant.placeBytes] as const;
              calls.push([ends[0], count, rowStep, size, inner * itemBytes, ends[1]]);
            }
          }
          place.callAll(name, calls);
        };
      },
    };
  };
}

export const PLACE_KERNELS: FastKernelTable = {
  ARG_MAX: fastPlace("max"),
  ARG_MIN: fastPlace("min"),
};
