/** FULLY_CONNECTED with int16 activations and int8 weights over linear memory: int32 sums, then int16. */
import { optionsOf } from "../../options.ts";
import { productGeometry } from "../../reference/fully-connected.ts";
import { addressOf, type FastKernel, Region } from "../fast-kernel.ts";
import {
  layStack,
  paddedUnits,
  runStack,
  stackFunction,
  stackOf,
  storeStack,
} from "../gemm/stacked-matrix.ts";
import { wideProduct } from "./wide-product.ts";

export const fastWideFullyConnected: FastKernel = ({ node, known, features }) => {
  const { rows, depth, units } = productGeometry(node);
  const filter = known(1);
  const bias = node.inputs[2] === undefined ? undefined : known(2);
  if (filter === undefined || (node.inputs[2] !== undefined && bias === undefined))
    return undefined;
  if (known(0) !== undefined || rows * depth * units === 0) return undefined;
  const { fused_activation_function } = optionsOf(node, "FullyConnectedOptions");
  const law = bias?.dtype === "int64" ? "real" : "ties-up";
  const settings = { channels: units, law } as const;
  const product = wideProduct(node, fused_activation_function, settings, filter, bias);
  if (product === undefined) return undefined;
  const { weights, sumBias, finish } = product;
  const matrix = { units, depth, values: () => weights, scales: undefined };
  const stack = stackOf("qi8", matrix, rows, features);
  const lay = (persistent: Region, scratch: Region) => ({
    weights: layStack(persistent, stack),
    bias: persistent.take(paddedUnits(stack) * 4),
    finish: finish.lay(persistent),
    sums: scratch.take(rows * units * 4),
  });
  const [persistent, scratch] = [new Region(), new Region()];
  lay(persistent, scratch);
  return {
    variant: stack.variant.name,
    functions: [stackFunction(stack), ...finish.functions],
    persistentBytes: persistent.byteLength,
    scratchBytes: scratch.byteLength,
    bind(place) {
      const at = lay(new Region(place.persistent), new Region(place.scratch));
      storeStack(place, at.weights);
      new Int32Array(place.memory.buffer, at.bias, units).set(sumBias);
      const toOutput = at.finish(place);
      return ([input], [output]) => {
        const a = addressOf(input);
        runStack(place, at.weights, { a, aStride: depth * 2, rows, out: at.sums, bias: at.bias });
        toOutput(at.sums, rows, units, addressOf(output));
      };
    },
  };
};
