/** SOFTMAX on float32; bytes go through the reference's table of exponentials. */
import { elementCount } from "../../../base/shape.ts";
import { optionsOf } from "../../options.ts";
import { inputAt } from "../../require.ts";
import { emitSoftmax, SOFTMAX_NAME, type SoftmaxFunction } from "../elementwise/emit-softmax.ts";
import { addressOf, type FastKernel } from "../fast-kernel.ts";

export const fastSoftmax: FastKernel = ({ node }) => {
  const { dtype, shape } = inputAt(node, 0);
  const depth = shape.at(-1) ?? 0;
  if (dtype !== "float32" || depth === 0) return undefined;
  const { beta } = optionsOf(node, "SoftmaxOptions");
  const rows = elementCount(shape) / depth;
  return {
    variant: SOFTMAX_NAME,
    functions: [{ name: SOFTMAX_NAME, emit: emitSoftmax }],
    persistentBytes: 0,
    scratchBytes: 0,
    bind(place) {
      const run = place.call<SoftmaxFunction>(SOFTMAX_NAME);
      return ([from], [to]) => run(addressOf(from), rows, depth, addressOf(to), beta);
    },
  };
};
