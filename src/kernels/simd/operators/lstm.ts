/**
 * Float and hybrid LSTM, UNIDIRECTIONAL_SEQUENCE_LSTM and BIDIRECTIONAL_SEQUENCE_LSTM over linear memory: the gates'
 * matrices are one product, and a cell's arithmetic one call. Layer normalization and diagonal recurrent weights are left
 * to `recurrent.ts`.
 */
import type { KernelNode, TensorView } from "../../kernel.ts";
import type { ClampRange } from "../../reference/activation.ts";
import { clampRange } from "../../reference/activation.ts";
import { floatLstmPasses, type LstmPass } from "../../reference/lstm.ts";
import { matrixOperands, type PerGate } from "../../reference/lstm-operands.ts";
import { weightMatrix, weightVector } from "../../reference/recurrent-product.ts";
import { float32 } from "../../views.ts";
import type { FastKernel, FastRequest } from "../fast-kernel.ts";
import {
  layStack,
  paddedUnits,
  runStack,
  type StackedMatrix,
  stackFunction,
  stackMatrices,
  storeStack,
  vectorStorage,
  vectorStride,
} from "../gemm/stacked-matrix.ts";
import {
  emitLstmCell,
  type LstmCellFunction,
  type LstmCellVariant,
  lstmCellName,
} from "../recurrent/emit-lstm-cell.ts";
import {
  chunkSteps,
  planOfWalks,
  type RecurrentCell,
  type WalkPlan,
} from "../recurrent/sequence-walk.ts";
import { quantizingPass } from "./activation-pass.ts";

export const fastLstm: FastKernel = (request) => {
  const walks: WalkPlan[] = [];
  for (const pass of floatLstmPasses(request.node)) {
    const walk = planWalk(request, pass);
    if (walk === undefined) return undefined;
    walks.push(walk);
  }
  return planOfWalks(walks);
};

/** Constants in the order of the gates that are there; undefined where one is not constant. */
function gateConstants(
  { node, known }: FastRequest,
  operands: PerGate,
): readonly TensorView[] | undefined {
  const present = operands.filter((index) => node.inputs[index] !== undefined);
  const views = present.flatMap((index) => known(index) ?? []);
  return views.length === present.length ? views : undefined;
}

function planWalk(request: FastRequest, pass: LstmPass): WalkPlan | undefined {
  const { node, known, features } = request;
  const { layout, sizes, options, input: shape, backward } = pass.direction;
  const isNormalized = layout.layerNorm.some((index) => node.inputs[index] !== undefined);
  const operands = [pass.input, ...(pass.auxiliary === undefined ? [] : [pass.auxiliary])];
  if (isNormalized || operands.some((index) => known(index) !== undefined)) return undefined;
  const stack = (gates: PerGate, rows: number): StackedMatrix | undefined => {
    const views = gateConstants(request, gates);
    if (views === undefined || views.some((view) => view.shape.length !== 2)) return undefined;
    return stackMatrices(views.map(weightMatrix), rows, features);
  };
  const chunk = chunkSteps(shape, 4 * sizes.cells);
  const inputWeights = stack(layout.input, shape.timeMajor ? chunk * shape.batch : chunk);
  const recurrentWeights = stack(layout.recurrent, 1);
  const hasAuxiliary = pass.auxiliary !== undefined;
  const auxiliaryWeights = hasAuxiliary ? stack(layout.auxiliary, 1) : undefined;
  const biases = gateConstants(request, layout.bias);
  const cell = planCell(request, pass);
  if (inputWeights === undefined || recurrentWeights === undefined) return undefined;
  if (biases === undefined || cell === undefined) return undefined;
  const { units } = inputWeights;
  if (hasAuxiliary && auxiliaryWeights?.units !== units) return undefined;
  const bias = Float32Array.from(biases.flatMap((view) => [...float32(view)]));
  if (recurrentWeights.units !== units || bias.length !== units) return undefined;
  return {
    ...{ shape, backward, chunk, cell, bias },
    ...{ input: pass.input, auxiliary: pass.auxiliary },
    ...{ state: layout.outputState, stateWidth: sizes.outputs },
    ...{ output: pass.output, outputShape: pass.outputShape, offset: pass.offset },
    ...{ inputWeights, recurrentWeights, auxiliaryWeights },
    quantization: matrixOperands(layout).some((index) => isHybrid(known(index)))
      ? quantizingPass(vectorStorage(features), options.asymmetric, features)
      : undefined,
  };
}

function isHybrid(weights: TensorView | undefined): boolean {
  return weights !== undefined && weights.dtype !== "float32";
}

/** The projection of a cell. */
interface Projection {
  readonly stack: StackedMatrix;
  readonly bias: Float32Array;
  readonly clip: number;
}

/** The projection, "none" without, undefined where it is not constant. */
function planProjection(
  { node, known, features }: FastRequest,
  { direction: { layout, options, sizes } }: LstmPass,
): Projection | "none" | undefined {
  if (node.inputs[layout.projection] === undefined) return "none";
  const [weights, bias] = [known(layout.projection), known(layout.projectionBias)];
  const hasBias = node.inputs[layout.projectionBias] !== undefined;
  const stack = weights && stackMatrices([weightMatrix(weights)], 1, features);
  if (stack === undefined || hasBias !== (bias !== undefined)) return undefined;
  return {
    stack,
    bias: bias === undefined ? new Float32Array(sizes.outputs) : float32(bias),
    clip: options.projectionClip > 0 ? options.projectionClip : Infinity,
  };
}

function planCell(request: FastRequest, pass: LstmPass): RecurrentCell | undefined {
  const { layout, sizes, options } = pass.direction;
  const { node } = request;
  const peepholes = gateConstants(request, layout.peephole)?.map(weightVector);
  const projection = planProjection(request, pass);
  const hasInputGate = node.inputs[layout.input[0]] !== undefined;
  const used = peepholes?.length ?? 0;
  if (peepholes === undefined || projection === undefined) return undefined;
  if (used !== 0 && used !== (hasInputGate ? 3 : 2)) return undefined;
  const { fusedActivation } = options;
  const variant: LstmCellVariant = {
    activation: fusedActivation === "TANH" ? "tanh" : "clamp",
    hasInputGate,
    hasPeepholes: used > 0,
  };
  const settings: CellSettings = {
    variant,
    cells: sizes.cells,
    batch: sizes.batch,
    cellState: layout.cellState,
    peepholes,
    clip: options.cellClip > 0 ? options.cellClip : Infinity,
    range: limitsOf(node, fusedActivation),
  };
  return projection === "none"
    ? cellOf(settings)
    : projectedCell(cellOf(settings), settings, projection);
}

/** Limits of an activation that is a clamp; none for the tangent. */
function limitsOf(node: KernelNode, activation: Parameters<typeof clampRange>[1]): ClampRange {
  return activation === "TANH" ? { min: -Infinity, max: Infinity } : clampRange(node, activation);
}

interface CellSettings {
  readonly variant: LstmCellVariant;
  readonly cells: number;
  readonly batch: number;
  /** Operand of the cell state. */
  readonly cellState: number;
  readonly peepholes: readonly Float32Array[];
  readonly clip: number;
  readonly range: ClampRange;
}

/** A cell whose hidden vector is the state. */
function cellOf(settings: CellSettings): RecurrentCell {
  const { variant, cells, batch, cellState, peepholes, clip, range } = settings;
  const name = lstmCellName(variant);
  return {
    functions: [{ name, emit: (module) => emitLstmCell(module, variant) }],
    lay: (persistent, scratch) => {
      const peepholesAt = persistent.take(peepholes.length * cells * 4);
      const statesAt = scratch.take(batch * cells * 4);
      return (place) => {
        const run = place.call<LstmCellFunction>(name);
        const { buffer } = place.memory;
        for (const [index, vector] of peepholes.entries()) {
          new Float32Array(buffer, peepholesAt + index * cells * 4, cells).set(vector);
        }
        const own = new Float32Array(buffer, statesAt, batch * cells);
        return {
          begin: (inputs) => own.set(float32(inputs[cellState])),
          end: (inputs) => float32(inputs[cellState]).set(own),
          run(sums, state, b) {
            const cell = statesAt + b * cells * 4;
            run(sums, cell, state, cells, peepholesAt, clip, range.min, range.max);
          },
        };
      };
    },
  };
}

/** A cell whose hidden vector is projected onto the state. */
function projectedCell(
  cell: RecurrentCell,
  { cells }: CellSettings,
  { stack, bias, clip }: Projection,
): RecurrentCell {
  return {
    functions: [...cell.functions, stackFunction(stack)],
    lay: (persistent, scratch) => {
      const weights = layStack(persistent, stack);
      const biasAt = persistent.take(paddedUnits(stack) * 4);
      const at = {
        hidden: scratch.take(cells * 4),
        quantized: scratch.take(vectorStride(stack)),
        scale: scratch.take(4),
        zeroPoint: scratch.take(4),
        bias: biasAt,
      };
      const bindInner = cell.lay(persistent, scratch);
      return (place, quantize) => {
        storeStack(place, weights);
        new Float32Array(place.memory.buffer, at.bias, bias.length).set(bias);
        const inner = bindInner(place, quantize);
        const a = stack.data === "qd8" ? at.quantized : at.hidden;
        return {
          ...inner,
          run(sums, state, b) {
            inner.run(sums, at.hidden, b);
            if (stack.data === "qd8") {
              quantize(at.hidden, cells, at.quantized, 0, 1, at.scale, at.zeroPoint);
            }
            const rows = {
              a,
              rows: 1,
              scales: at.scale,
              zeroPoints: at.zeroPoint,
              out: state,
              bias: at.bias,
            };
            runStack(place, weights, rows, [-clip, clip]);
          },
        };
      };
    },
  };
}
