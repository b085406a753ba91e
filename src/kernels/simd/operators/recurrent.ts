/**
 * LSTM, RNN and SVDF, float and hybrid. What `lstm.ts` and `rnn.ts` do not take keeps the reference's control; there,
 * products and activations are emitted (`recurrent-math.ts`).
 */
import type { KernelNode, KernelRun } from "../../kernel.ts";
import { optionsOf } from "../../options.ts";
import { createFloatLstm } from "../../reference/lstm.ts";
import {
  BACKWARD,
  FORWARD,
  matrixOperands,
  UNIDIRECTIONAL,
} from "../../reference/lstm-operands.ts";
import type { RecurrentMath } from "../../reference/recurrent-product.ts";
import { createFloatSvdf } from "../../reference/svdf.ts";
import { inputAt } from "../../require.ts";
import { type FastKernel, type FastKernelTable, Region } from "../fast-kernel.ts";
import { fastBasicLstm } from "./basic-lstm.ts";
import { fastIntegerLstm } from "./integer-lstm.ts";
import { fastIntegerSvdf } from "./integer-svdf.ts";
import { fastLstm } from "./lstm.ts";
import {
  emittedMath,
  layMatrices,
  measuringMath,
  packedMatrix,
  RecurrentScratch,
  recurrentFunctions,
  storeMatrix,
} from "./recurrent-math.ts";
import { fastRnn } from "./rnn.ts";

/** A recurrent operator of the reference. */
interface Recurrence {
  /** Operands that may be matrices of weights; a diagonal is not one. */
  readonly matrices: readonly number[];
  create(node: KernelNode, math: RecurrentMath): KernelRun;
  isAsymmetric(node: KernelNode): boolean;
}

function fastRecurrence({ matrices, create, isAsymmetric }: Recurrence): FastKernel {
  return ({ node, known, features }) => {
    if (inputAt(node, 0).dtype !== "float32") return undefined;
    const operands = matrices.filter((index) => node.inputs[index]?.shape.length === 2);
    const weights = operands.flatMap((index) => known(index) ?? []);
    if (weights.length === 0 || weights.length < operands.length) return undefined;
    if (weights.some(({ shape }) => shape.includes(0))) return undefined;
    const packed = weights.map((view) => packedMatrix(view, features));
    const persistent = new Region();
    layMatrices(persistent, packed);
    const scratch = new RecurrentScratch(packed);
    create(node, measuringMath(scratch));
    return {
      variant: `recurrent ${[...new Set(packed.map(({ variant }) => variant.name))].join(", ")}`,
      functions: recurrentFunctions(packed, isAsymmetric(node)),
      persistentBytes: persistent.byteLength,
      scratchBytes: scratch.byteLength,
      readsVariables: true,
      bind(place) {
        const placed = layMatrices(new Region(place.persistent), packed);
        for (const matrix of placed) storeMatrix(place.memory.buffer, matrix);
        const room = new RecurrentScratch(packed, place.scratch);
        return create(node, emittedMath(place, room, placed));
      },
    };
  };
}

const generalLstm = fastRecurrence({
  matrices: matrixOperands(UNIDIRECTIONAL),
  create: createFloatLstm,
  isAsymmetric: (node) =>
    node.op === "LSTM"
      ? optionsOf(node, "LSTMOptions").asymmetric_quantize_inputs
      : optionsOf(node, "UnidirectionalSequenceLSTMOptions").asymmetric_quantize_inputs,
});

const fastUnidirectionalLstm: FastKernel = (request) => {
  const { dtype } = inputAt(request.node, 0);
  if (dtype === "int8") return fastIntegerLstm(request);
  return dtype === "float32" ? (fastLstm(request) ?? generalLstm(request)) : undefined;
};

const generalBidirectionalLstm = fastRecurrence({
  matrices: [...matrixOperands(FORWARD), ...matrixOperands(BACKWARD)],
  create: createFloatLstm,
  isAsymmetric: (node) =>
    optionsOf(node, "BidirectionalSequenceLSTMOptions").asymmetric_quantize_inputs,
});

const floatSvdf = fastRecurrence({
  matrices: [1],
  create: createFloatSvdf,
  isAsymmetric: (node) => optionsOf(node, "SVDFOptions").asymmetric_quantize_inputs,
});

export const RECURRENT_KERNELS: FastKernelTable = {
  LSTM: (request) =>
    optionsOf(request.node, "LSTMOptions").kernel_type === "BASIC"
      ? fastBasicLstm(request)
      : fastUnidirectionalLstm(request),
  UNIDIRECTIONAL_SEQUENCE_LSTM: fastUnidirectionalLstm,
  BIDIRECTIONAL_SEQUENCE_LSTM: (request) => fastLstm(request) ?? generalBidirectionalLstm(request),
  RNN: fastRnn,
  UNIDIRECTIONAL_SEQUENCE_RNN: fastRnn,
  BIDIRECTIONAL_SEQUENCE_RNN: fastRnn,
  SVDF: (request) =>
    inputAt(request.node, 0).dtype === "int8" ? fastIntegerSvdf(request) : floatSvdf(request),
};
