/** QUANTIZE and DEQUANTIZE with one scale: floats to bytes by emitted code, bytes by table. */
import { elementCount } from "../../../base/shape.ts";
import { quantizedRange } from "../../reference/fixed-point.ts";
import { inputAt, outputAt, perTensorQuantization } from "../../require.ts";
import { emitToBytes, type ToBytesFunction, toBytesName } from "../elementwise/emit-to-bytes.ts";
import { elementSpans } from "../elementwise/spans.ts";
import { addressOf, type FastKernel } from "../fast-kernel.ts";
import { planLookup } from "./lookup.ts";

/** Groups that the reference treats differently from what is left behind them. */
const GROUP = { dequantize: 8, requantize: 16 };

export const fastDequantize: FastKernel = (request) => planLookup(request, GROUP.dequantize);

export const fastQuantize: FastKernel = (request) => {
  const { node } = request;
  const [input, output] = [inputAt(node, 0), outputAt(node, 0)];
  if (input.dtype !== "float32") return planLookup(request, GROUP.requantize);
  const { dtype } = output;
  if (dtype !== "int8" && dtype !== "uint8") return undefined;
  if (output.quantization?.scale.length !== 1) return undefined;
  const { scale, zeroPoint } = perTensorQuantization(node, output, "output");
  const { min, max } = quantizedRange(dtype);
  const numbers = [scale, Math.fround(1 / scale), zeroPoint, min, max] as const;
  const name = toBytesName(dtype);
  const count = elementCount(input.shape);
  return {
    variant: name,
    functions: [{ name, emit: (module) => emitToBytes(module, dtype) }],
    persistentBytes: 0,
    scratchBytes: 0,
    bind(place) {
      const spans = elementSpans(count, place.threads);
      return ([from], [to]) => {
        const [source, out] = [addressOf(from), addressOf(to)];
        const calls = spans.map((span): Parameters<ToBytesFunction> => {
          return [source + span.at * 4, span.count, out + span.at, ...numbers];
        });
        place.callAll(name, calls);
      };
    },
  };
};
