/**
 * Float and hybrid RNN, UNIDIRECTIONAL_SEQUENCE_RNN and BIDIRECTIONAL_SEQUENCE_RNN over linear memory: h ← act(sums), the
 * activation rounded as the reference rounds it.
 */
import type { KernelNode } from "../../kernel.ts";
import { clampRange } from "../../reference/activation.ts";
import { weightMatrix } from "../../reference/recurrent-product.ts";
import { type RnnPass, rnnPasses } from "../../reference/rnn.ts";
import { float32 } from "../../views.ts";
import { emitUnary, type UnaryFunction, unaryName } from "../elementwise/emit-unary.ts";
import type { FastKernel, FastRequest } from "../fast-kernel.ts";
import { stackMatrices, vectorStorage } from "../gemm/stacked-matrix.ts";
import {
  chunkSteps,
  planOfWalks,
  type RecurrentCell,
  type WalkPlan,
} from "../recurrent/sequence-walk.ts";
import { quantizingPass } from "./activation-pass.ts";

export const fastRnn: FastKernel = (request) => {
  const walks: WalkPlan[] = [];
  for (const pass of rnnPasses(request.node)) {
    const walk = planWalk(request, pass);
    if (walk === undefined) return undefined;
    walks.push(walk);
  }
  return planOfWalks(walks);
};

function planWalk({ node, known, features }: FastRequest, pass: RnnPass): WalkPlan | undefined {
  const { layout, units, input: shape, backward, asymmetric, fusedActivation } = pass.direction;
  const hasAuxiliary = pass.auxiliary !== undefined;
  if (known(pass.input) !== undefined) return undefined;
  if (pass.auxiliary !== undefined && known(pass.auxiliary) !== undefined) return undefined;
  const stack = (index: number, rows: number) => {
    const view = known(index);
    return view && stackMatrices([weightMatrix(view)], rows, features);
  };
  const chunk = chunkSteps(shape, units);
  const inputWeights = stack(layout.weights, shape.timeMajor ? chunk * shape.batch : chunk);
  const recurrentWeights = stack(layout.recurrent, 1);
  const auxiliaryWeights = hasAuxiliary ? stack(layout.auxiliaryWeights, 1) : undefined;
  const isHybrid = [inputWeights, recurrentWeights, auxiliaryWeights].some(
    (own) => own?.data === "qd8",
  );
  const bias = known(layout.bias);
  if (inputWeights === undefined || recurrentWeights === undefined) return undefined;
  if (bias === undefined || (hasAuxiliary && auxiliaryWeights === undefined)) return undefined;
  return {
    ...{ shape, backward, chunk, bias: float32(bias) },
    ...{ input: pass.input, auxiliary: pass.auxiliary },
    ...{ state: layout.state, stateWidth: units },
    ...{ output: pass.output, outputShape: pass.outputShape, offset: pass.offset },
    ...{ inputWeights, recurrentWeights, auxiliaryWeights },
    quantization: isHybrid
      ? quantizingPass(vectorStorage(features), asymmetric, features)
      : undefined,
    cell: cellOf(node, units, fusedActivation),
  };
}

function cellOf(
  node: KernelNode,
  units: number,
  activation: RnnPass["direction"]["fusedActivation"],
): RecurrentCell {
  const op = activation === "TANH" ? "precise-tanh" : "clamp";
  const { min, max } = op === "clamp" ? clampRange(node, activation) : { min: 0, max: 0 };
  return {
    functions: [{ name: unaryName(op), emit: (module) => emitUnary(module, op) }],
    lay: () => (place) => {
      const run = place.call<UnaryFunction>(unaryName(op));
      return {
        begin: () => undefined,
        end: () => undefined,
        run: (sums, state) => run(sums, units, state, min, max),
      };
    },
  };
}
