/** L2_NORMALIZATION on float32 over linear memory. */
import { elementCount } from "../../../base/shape.ts";
import { inputAt } from "../../require.ts";
import { emitL2Rows, L2_ROWS_NAME, type L2RowsFunction } from "../elementwise/emit-l2-rows.ts";
import { rowSpans } from "../elementwise/spans.ts";
import { addressOf, type FastKernel } from "../fast-kernel.ts";

export const fastL2Normalization: FastKernel = ({ node }) => {
  const { dtype, shape } = inputAt(node, 0);
  const depth = shape.at(-1) ?? 0;
  if (dtype !== "float32" || depth === 0) return undefined;
  return {
    variant: L2_ROWS_NAME,
    functions: [{ name: L2_ROWS_NAME, emit: emitL2Rows }],
    persistentBytes: 0,
    scratchBytes: 0,
    bind(place) {
      const spans = rowSpans(elementCount(shape) / depth, depth, place.threads);
      return ([from], [to]) => {
        const [source, out] = [addressOf(from), addressOf(to)];
        const calls = spans.map(({ at, count }): Parameters<L2RowsFunction> => {
          return [source + at * depth * 4, count, depth, out + at * depth * 4];
        });
        place.callAll(L2_ROWS_NAME, calls);
      };
    },
  };
};
