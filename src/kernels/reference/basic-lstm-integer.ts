/**
 * The basic kernel of LSTM on uint8 activations and weights with a 16-bit cell state, as quantization-aware training of
 * TensorFlow 1 leaves it. Activations have scale 1/128 and zero point 128, gates are Q3.12, the cell state is Q4.11:
 *
 *   [i, g, f, o] = W·[x, h] + b        c ← σ(f)⊙c + σ(i)⊙tanh(g)        h ← σ(o)⊙tanh(c)
 *
 * TensorFlow Lite 2.21 kernels/lstm.cc, internal/reference/lstm_cell.h.
 */
import type { Kernel, KernelNode, TensorInfo } from "../kernel.ts";
import {
  inputAt,
  outputAt,
  perTensorQuantization,
  requireOperands,
  requireType,
  unsupported,
} from "../require.ts";
import { int16, int32, uint8 } from "../views.ts";
import { type BasicSizes, basicShapes, basicSizes } from "./basic-lstm-sizes.ts";
import { dotRows } from "./dot.ts";
import { multiplyRoundingUp, quantizeMultiplier } from "./fixed-point.ts";
import {
  divideFixed16,
  fixedPointLogistic,
  fixedPointTanh,
  multiplyFixed16,
  saturateFixed16,
} from "./fixed-point-sigmoid.ts";
import { preparedOnce } from "./weights.ts";

const ACTIVATION_ZERO = 128;
const GATE_INTEGER_BITS = 3;
const STATE_INTEGER_BITS = 4;
const STATE_SCALE = 2 ** (STATE_INTEGER_BITS - 15);

function requireStateScale(node: KernelNode, state: TensorInfo): void {
  const { scale } = perTensorQuantization(node, state, "cell state");
  if (scale !== STATE_SCALE) throw unsupported(node, `with a cell state of scale ${scale}`);
}

/** One cell: gates in Q3.12 and the state before; returns the state after, and the output in Q0.15. */
function advance(
  input: number,
  candidate: number,
  forget: number,
  output: number,
  state: number,
): readonly [state: number, output: number] {
  const gate = (value: number) => fixedPointLogistic(value, GATE_INTEGER_BITS);
  const added = multiplyFixed16(gate(input), fixedPointTanh(candidate, GATE_INTEGER_BITS));
  const kept = multiplyFixed16(gate(forget), state);
  const next = saturateFixed16(divideFixed16(added, STATE_INTEGER_BITS) + kept);
  const narrowed = saturateFixed16(next * 2 ** (STATE_INTEGER_BITS - GATE_INTEGER_BITS));
  const activated = fixedPointTanh(narrowed, GATE_INTEGER_BITS);
  return [next, multiplyFixed16(gate(output), activated)];
}

/** [x, h] of a batch, as the first intermediate result keeps it. */
function join(
  x: Uint8Array,
  hidden: Uint8Array,
  { batch, inputs, cells }: BasicSizes,
  joined: Uint8Array,
): void {
  for (let b = 0; b < batch; b++) {
    const at = b * (inputs + cells);
    joined.set(x.subarray(b * inputs, (b + 1) * inputs), at);
    joined.set(hidden.subarray(b * cells, (b + 1) * cells), at + inputs);
  }
}

export const BASIC_INTEGER_LSTM: Kernel = {
  stateful: true,
  check(node) {
    requireOperands(node, [5, 5], 4);
    for (const index of [0, 1, 2]) requireType(node, inputAt(node, index), ["uint8"], "operand");
    requireType(node, inputAt(node, 3), ["int32"], "bias");
    requireType(node, inputAt(node, 4), ["int16"], "cell state");
    for (const index of [0, 2]) requireType(node, outputAt(node, index), ["uint8"], "output");
    for (const index of [1, 3]) requireType(node, outputAt(node, index), ["int16"], "output");
    requireStateScale(node, outputAt(node, 1));
    perTensorQuantization(node, inputAt(node, 3), "bias");
  },
  shapes: (node) => basicShapes(basicSizes(node)),
  create(node) {
    const sizes = basicSizes(node);
    const { batch, inputs, cells } = sizes;
    const [depth, units] = [inputs + cells, 4 * cells];
    const weightZero = inputAt(node, 2).quantization?.zeroPoint[0] ?? 0;
    const biasScale = perTensorQuantization(node, inputAt(node, 3), "bias").scale;
    const { multiplier, shift } = quantizeMultiplier(4096 * biasScale);
    const weightsOf = preparedOnce((view) => Int16Array.from(uint8(view), (w) => w - weightZero));
    const [vector, sums] = [new Float64Array(depth), new Float64Array(units)];
    return ([x, hiddenView, weightsView, biasView, cellView], outputs) => {
      const [hidden, cell] = [uint8(hiddenView), int16(cellView)];
      const [weights, bias] = [weightsOf(weightsView), int32(biasView)];
      const [hiddenOut, cellOut] = [uint8(outputs[0]), int16(outputs[1])];
      const [joined, gates] = [uint8(outputs[2]), int16(outputs[3])];
      join(uint8(x), hidden, sizes, joined);
      for (let b = 0; b < batch; b++) {
        for (let k = 0; k < depth; k++) vector[k] = joined[b * depth + k] - ACTIVATION_ZERO;
        dotRows(vector, depth, weights, 0, units, sums);
        const at = b * units;
        for (let n = 0; n < units; n++) {
          const value = multiplyRoundingUp(sums[n] + bias[n], multiplier, shift);
          gates[at + n] = saturateFixed16(value);
        }
        for (let n = 0; n < cells; n++) {
          const [i, g, f, o] = [0, 1, 2, 3].map((gate) => gates[at + gate * cells + n]);
          const [state, output] = advance(i, g, f, o, cell[b * cells + n]);
          cellOut[b * cells + n] = state;
          const byte = Math.max(-128, Math.min(127, divideFixed16(output, 8)));
          hiddenOut[b * cells + n] = ACTIVATION_ZERO + byte;
        }
      }
      hidden.set(hiddenOut);
      cell.set(cellOut);
    };
  },
};
