/** FULLY_CONNECTED on float32 with weights that are not constant, as loops carry them, over linear memory. */
import type { TensorView } from "../../kernel.ts";
import { optionsOf } from "../../options.ts";
import { clampRange } from "../../reference/activation.ts";
import { productGeometry } from "../../reference/fully-connected.ts";
import { inputAt } from "../../require.ts";
import { float32 } from "../../views.ts";
import { DOT_ROWS_NAME, type DotRowsFunction, emitDotRows } from "../dot/emit-dot-rows.ts";
import { rowSpans } from "../elementwise/spans.ts";
import { addressOf, type FastKernel } from "../fast-kernel.ts";

export const fastFreeFullyConnected: FastKernel = ({ node, known }) => {
  const { rows, depth, units } = productGeometry(node);
  const operands = node.inputs.slice(0, 3).filter((operand) => operand !== undefined);
  if (operands.some(({ dtype }) => dtype !== "float32") || known(0) !== undefined) return undefined;
  if (known(1) !== undefined || rows * depth * units === 0) return undefined;
  const { min, max } = clampRange(
    node,
    optionsOf(node, "FullyConnectedOptions").fused_activation_function,
  );
  const constant = node.inputs[2] === undefined ? undefined : known(2);
  const isOwn = node.inputs[2] === undefined || constant !== undefined;
  return {
    variant: DOT_ROWS_NAME,
    functions: [{ name: DOT_ROWS_NAME, emit: emitDotRows }],
    persistentBytes: isOwn ? units * 4 : 0,
    scratchBytes: 0,
    bind(place) {
      if (constant !== undefined) {
        new Float32Array(place.memory.buffer, place.persistent, units).set(float32(constant));
      }
      const spans = rowSpans(units, depth * rows, place.threads);
      return ([x, weights, bias]: readonly (TensorView | undefined)[], [output]) => {
        const [from, matrix] = [addressOf(x), addressOf(weights)];
        const biasAt = isOwn ? place.persistent : addressOf(bias);
        const out = addressOf(output);
        const calls = spans.map(({ at, count }): Parameters<DotRowsFunction> => {
          const columns = [matrix + at * depth * 4, count, biasAt + at * 4, out + at * 4] as const;
          return [from, rows, depth, ...columns, units * 4, min, max];
        });
        place.callAll(DOT_ROWS_NAME, calls, rows * depth * units);
      };
    },
  };
};

/** Whether a node's weights come from another operator. */
export function hasFreeWeights({ node, known }: Parameters<FastKernel>[0]): boolean {
  return inputAt(node, 1).dtype === "float32" && known(1) === undefined;
}
