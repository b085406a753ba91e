/**
 * The basic kernel of LSTM on float32 over linear memory: one product for all gates, and a call for what follows. Input
 * and state are joined in the output that shows them, gates are computed in theirs.
 */
import { basicSizes } from "../../reference/basic-lstm-sizes.ts";
import { weightMatrix } from "../../reference/recurrent-product.ts";
import { inputAt } from "../../require.ts";
import { float32 } from "../../views.ts";
import {
  addressOf,
  type FastKernel,
  type FastPlace,
  type FastRequest,
  Region,
} from "../fast-kernel.ts";
import {
  layStack,
  paddedUnits,
  runStack,
  type StackedMatrix,
  stackFunction,
  stackMatrices,
  storeStack,
} from "../gemm/stacked-matrix.ts";
import {
  emitLstmCell,
  type LstmCellFunction,
  type LstmCellVariant,
  lstmCellName,
} from "../recurrent/emit-lstm-cell.ts";

const OPERANDS = { input: 0, hidden: 1, weights: 2, bias: 3, cell: 4 };
const CELL: LstmCellVariant = {
  activation: "tanh",
  hasInputGate: true,
  hasPeepholes: false,
  order: "basic",
};

export const fastBasicLstm: FastKernel = (request) => {
  const stack = stackOfGates(request);
  const bias = request.known(OPERANDS.bias);
  if (stack === undefined || bias === undefined) return undefined;
  const lay = (region: Region) => ({
    weights: layStack(region, stack),
    bias: region.take(paddedUnits(stack) * 4),
  });
  const persistent = new Region();
  lay(persistent);
  return {
    variant: `recurrent ${stack.variant.name}`,
    functions: [
      stackFunction(stack),
      { name: lstmCellName(CELL), emit: (module) => emitLstmCell(module, CELL) },
    ],
    persistentBytes: persistent.byteLength,
    scratchBytes: 0,
    readsVariables: true,
    bind(place) {
      const at = lay(new Region(place.persistent));
      storeStack(place, at.weights);
      new Float32Array(place.memory.buffer, at.bias, stack.units).set(float32(bias));
      return bindStep(place, request, at);
    },
  };
};

/** The gates' matrix; undefined where it is not a constant of floats, or there is nothing to compute. */
function stackOfGates({ node, known, features }: FastRequest): StackedMatrix | undefined {
  const weights = known(OPERANDS.weights);
  const isFloat = inputAt(node, OPERANDS.input).dtype === "float32";
  if (!isFloat || weights?.dtype !== "float32") return undefined;
  const { batch } = basicSizes(node);
  return batch === 0 ? undefined : stackMatrices([weightMatrix(weights)], batch, features);
}

function bindStep(
  place: FastPlace,
  { node }: FastRequest,
  at: { readonly weights: ReturnType<typeof layStack>; readonly bias: number },
): ReturnType<NonNullable<ReturnType<FastKernel>>["bind"]> {
  const { batch, inputs, cells } = basicSizes(node);
  const depth = inputs + cells;
  const run = place.call<LstmCellFunction>(lstmCellName(CELL));
  return (operands, outputs) => {
    const [x, hidden, cell] = [OPERANDS.input, OPERANDS.hidden, OPERANDS.cell].map((index) =>
      float32(operands[index]),
    ) as [Float32Array, Float32Array, Float32Array];
    const [hiddenOut, cellOut, joined] = outputs.map((output) => float32(output));
    const [hiddenAt, cellAt, joinedAt, gatesAt] = outputs.map(addressOf);
    for (let b = 0; b < batch; b++) {
      joined.set(x.subarray(b * inputs, (b + 1) * inputs), b * depth);
      joined.set(hidden.subarray(b * cells, (b + 1) * cells), b * depth + inputs);
    }
    cellOut.set(cell);
    const product = { a: joinedAt, rows: batch, out: gatesAt, bias: at.bias };
    runStack(place, at.weights, product);
    for (let b = 0; b < batch; b++) {
      const [gates, state] = [gatesAt + b * 16 * cells, cellAt + b * 4 * cells];
      const out = hiddenAt + b * 4 * cells;
      run(gates, state, out, cells, 0, Infinity, -Infinity, Infinity);
    }
    hidden.set(hiddenOut);
    cell.set(cellOut);
  };
}
