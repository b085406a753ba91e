/** Fully quantized SVDF: the sums of the filters are emitted, memory and output are the reference's. */
import type { TensorView } from "../../kernel.ts";
import { svdfSizes } from "../../reference/svdf.ts";
import { createIntegerSvdf } from "../../reference/svdf-integer.ts";
import { inputAt, perTensorQuantization } from "../../require.ts";
import { int8 } from "../../views.ts";
import { addressOf, type FastKernel, Region } from "../fast-kernel.ts";
import {
  layStack,
  paddedUnits,
  runStack,
  stackFunction,
  stackOf,
  storeStack,
} from "../gemm/stacked-matrix.ts";
import { PASS_SCRATCH_BYTES, wideningPass } from "./activation-pass.ts";

export const fastIntegerSvdf: FastKernel = ({ node, known, features }) => {
  const weights = known(1);
  const sizes = svdfSizes(node);
  const { batch, inputs, filters } = sizes;
  if (weights === undefined || known(0) !== undefined || batch * inputs * filters === 0) {
    return undefined;
  }
  const { zeroPoint } = perTensorQuantization(node, inputAt(node, 0), "input");
  const pass = wideningPass("int16", "int8", zeroPoint);
  const matrix = { units: filters, depth: inputs, values: () => int8(weights), scales: undefined };
  const stack = stackOf("qi8", matrix, batch, features);
  const lay = (persistent: Region, scratch: Region) => ({
    weights: layStack(persistent, stack),
    zeros: persistent.take(paddedUnits(stack) * 4),
    pass: scratch.take(PASS_SCRATCH_BYTES),
    rows: scratch.take(batch * inputs * 2 + 2),
    sums: scratch.take(batch * filters * 4),
  });
  const [persistent, scratch] = [new Region(), new Region()];
  lay(persistent, scratch);
  return {
    variant: `recurrent ${stack.variant.name}`,
    functions: [stackFunction(stack), ...pass.functions],
    persistentBytes: persistent.byteLength,
    scratchBytes: scratch.byteLength,
    readsVariables: true,
    bind(place) {
      const at = lay(new Region(place.persistent), new Region(place.scratch));
      storeStack(place, at.weights);
      const widen = pass.bind(place, at.pass);
      const sums = new Int32Array(place.memory.buffer, at.sums, batch * filters);
      const product = {
        a: at.rows,
        aStride: inputs * 2,
        rows: batch,
        out: at.sums,
        bias: at.zeros,
      };
      return createIntegerSvdf(node, sizes, (input: TensorView) => {
        widen(addressOf(input), batch * inputs, at.rows);
        runStack(place, at.weights, product);
        return sums;
      });
    },
  };
};
