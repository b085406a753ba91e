/**
 * The basic kernel of LSTM: one matrix for all gates, no peepholes, no projection, float32.
 *
 *   [i, g, f, o] = W·[x, h] + b        c ← σ(f)⊙c + σ(i)⊙tanh(g)        h ← σ(o)⊙tanh(c)
 *
 * Outputs are h, c and the two intermediate results, [x, h] and [i, g, f, o]. TensorFlow Lite 2.21 kernels/lstm.cc.
 */
import type { Kernel } from "../kernel.ts";
import { inputAt, requireOperands } from "../require.ts";
import { float32 } from "../views.ts";
import { basicShapes, basicSizes } from "./basic-lstm-sizes.ts";
import { dotRows } from "./dot.ts";
import { requireFloatEnds, requireFloats } from "./recurrent-product.ts";
import { sigmoid } from "./vector-activation.ts";

const { fround } = Math;

export const BASIC_FLOAT_LSTM: Kernel = {
  stateful: true,
  check(node) {
    requireOperands(node, [5, 5], 4);
    for (let index = 0; index < 5; index++) inputAt(node, index);
    requireFloatEnds(node);
    requireFloats(node, [1, 2, 3, 4]);
  },
  shapes: (node) => basicShapes(basicSizes(node)),
  create(node) {
    const { batch, inputs, cells } = basicSizes(node);
    const depth = inputs + cells;
    const vector = new Float64Array(depth);
    const sums = new Float64Array(4 * cells);
    return (operands, outputs) => {
      const [x, hidden, weights, bias, cell] = operands.map((operand) => float32(operand));
      const [hiddenOut, cellOut, joined, gates] = outputs.map((output) => float32(output));
      for (let b = 0; b < batch; b++) {
        joined.set(x.subarray(b * inputs, (b + 1) * inputs), b * depth);
        joined.set(hidden.subarray(b * cells, (b + 1) * cells), b * depth + inputs);
        vector.set(joined.subarray(b * depth, (b + 1) * depth));
        dotRows(vector, depth, weights, 0, 4 * cells, sums);
        const gateAt = b * 4 * cells;
        for (let n = 0; n < 4 * cells; n++) gates[gateAt + n] = sums[n] + bias[n];
        for (let n = 0; n < cells; n++) {
          const at = b * cells + n;
          const input = fround(sigmoid(gates[gateAt + n]));
          const candidate = fround(Math.tanh(gates[gateAt + cells + n]));
          const forget = fround(sigmoid(gates[gateAt + 2 * cells + n]));
          const output = fround(sigmoid(gates[gateAt + 3 * cells + n]));
          cellOut[at] = fround(input * candidate) + fround(forget * cell[at]);
          hiddenOut[at] = output * fround(Math.tanh(cellOut[at]));
        }
      }
      hidden.set(hiddenOut);
      cell.set(cellOut);
    };
  },
};
