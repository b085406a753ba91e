/** SOFTMAX on float32, and on bytes by the reference's table of exponentials. */
import { elementCount } from "../../../base/shape.ts";
import { optionsOf } from "../../options.ts";
import { quantizedRange } from "../../reference/fixed-point.ts";
import { byteExponentials } from "../../reference/softmax.ts";
import { inputAt, outputAt, perTensorQuantization } from "../../require.ts";
import { emitSoftmax, SOFTMAX_NAME, type SoftmaxFunction } from "../elementwise/emit-softmax.ts";
import {
  emitSoftmaxBytes,
  type SoftmaxBytesFunction,
  softmaxBytesName,
} from "../elementwise/emit-softmax-bytes.ts";
import { rowSpans } from "../elementwise/spans.ts";
import { addressOf, type FastKernel, type FastPlan } from "../fast-kernel.ts";
import { VALUES } from "./lookup.ts";

export const fastSoftmax: FastKernel = (request) => {
  const { dtype, shape } = inputAt(request.node, 0);
  if ((shape.at(-1) ?? 0) === 0) return undefined;
  return dtype === "float32" ? planFloats(request) : planBytes(request);
};

function planFloats({ node }: Parameters<FastKernel>[0]): FastPlan {
  const { shape } = inputAt(node, 0);
  const depth = shape.at(-1) ?? 1;
  const { beta } = optionsOf(node, "SoftmaxOptions");
  return {
    variant: SOFTMAX_NAME,
    functions: [{ name: SOFTMAX_NAME, emit: emitSoftmax }],
    persistentBytes: 0,
    scratchBytes: 0,
    bind(place) {
      const spans = rowSpans(elementCount(shape) / depth, depth, place.threads);
      return ([from], [to]) => {
        const [source, out] = [addressOf(from), addressOf(to)];
        const calls = spans.map(({ at, count }): Parameters<SoftmaxFunction> => {
          return [source + at * depth * 4, count, depth, out + at * depth * 4, beta];
        });
        place.callAll(SOFTMAX_NAME, calls);
      };
    },
  };
}

function planBytes({ node }: Parameters<FastKernel>[0]): FastPlan | undefined {
  const { dtype, shape } = inputAt(node, 0);
  const output = outputAt(node, 0);
  if ((dtype !== "int8" && dtype !== "uint8") || output.dtype !== dtype) return undefined;
  const depth = shape.at(-1) ?? 1;
  const name = softmaxBytesName(dtype);
  const { scale, zeroPoint } = perTensorQuantization(node, output, "output");
  const { min, max } = quantizedRange(dtype);
  return {
    variant: name,
    functions: [{ name, emit: (module) => emitSoftmaxBytes(module, dtype) }],
    persistentBytes: VALUES * 4,
    scratchBytes: 0,
    bind(place) {
      const table = place.persistent;
      new Float32Array(place.memory.buffer, table, VALUES).set(byteExponentials(node));
      const spans = rowSpans(elementCount(shape) / depth, depth, place.threads);
      return ([from], [to]) => {
        const [source, out] = [addressOf(from), addressOf(to)];
        const calls = spans.map(({ at, count }): Parameters<SoftmaxBytesFunction> => {
          const [start, target] = [source + at * depth, out + at * depth];
          return [start, count, depth, target, table, scale, zeroPoint, min, max];
        });
        place.callAll(name, calls);
      };
    },
  };
}
