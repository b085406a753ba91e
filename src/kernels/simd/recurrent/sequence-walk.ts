/**
 * Walks along a sequence for recurrent operators, in linear memory. Products of the input are made for many steps at a
 * time, those of the state step by step; what a step does with its complete sums is the business of a cell.
 *
 * Sums are the reference's: bias, then the products of input, auxiliary input and state, each added in float32.
 */
import { assert } from "../../../base/errors.ts";
import type { KernelRun, TensorView } from "../../kernel.ts";
import { type SequenceShape, sequenceRow, stepOrder } from "../../reference/sequence.ts";
import { float32 } from "../../views.ts";
import {
  addressOf,
  type EmittedFunction,
  type FastPlace,
  type FastPlan,
  Region,
} from "../fast-kernel.ts";
import {
  layStack,
  type PlacedStack,
  paddedUnits,
  runStack,
  type StackedMatrix,
  stackCalls,
  stackFunction,
  storeStack,
  vectorStride,
} from "../gemm/stacked-matrix.ts";
import { COPY_ROWS_NAME, type CopyRowsFunction, emitCopyRows } from "../moves/emit-moves.ts";
import { type ActivationPass, PASS_SCRATCH_BYTES } from "../operators/activation-pass.ts";

/** Turns the complete sums of one step and batch into the new state, float32[outputs] at `state`. */
export type RunCell = (sums: number, state: number, batch: number) => void;

/** What is done with the sums. */
export interface RecurrentCell {
  readonly functions: readonly EmittedFunction[];
  /** Takes the bytes that it keeps, and those that others use too. */
  lay(persistent: Region, scratch: Region): (place: FastPlace, quantize: QuantizeRows) => BoundCell;
}

export interface BoundCell {
  /** Before the first step of a run, and after the last. */
  begin(inputs: Parameters<KernelRun>[0]): void;
  end(inputs: Parameters<KernelRun>[0]): void;
  readonly run: RunCell;
}

/**
 * Quantizes rows of `count` floats, `stride` bytes apart, and writes their scales, float32[rows], and the zero points that
 * they keep, int32[rows].
 */
export type QuantizeRows = (
  source: number,
  count: number,
  target: number,
  stride: number,
  rows: number,
  scales: number,
  zeroPoints: number,
) => void;

export interface WalkPlan {
  readonly shape: SequenceShape;
  readonly backward: boolean;
  /** How vectors are quantized; undefined where no weights are int8. */
  readonly quantization: ActivationPass | undefined;
  /** Operands: the sequence, and the auxiliary one (undefined without). */
  readonly input: number;
  readonly auxiliary: number | undefined;
  /** Operand of the state, and its width. */
  readonly state: number;
  readonly stateWidth: number;
  readonly output: number;
  readonly outputShape: SequenceShape;
  readonly offset: number;
  /** Steps whose input products are made together. */
  readonly chunk: number;
  readonly inputWeights: StackedMatrix;
  readonly recurrentWeights: StackedMatrix;
  readonly auxiliaryWeights: StackedMatrix | undefined;
  /** float32 for all columns. */
  readonly bias: Float32Array;
  readonly cell: RecurrentCell;
}

/** Bytes of sums that should stay in the second-level cache. */
const CHUNK_BYTES = 128 * 1024;

/** Steps whose input products are made together. */
export function chunkSteps({ steps, batch }: SequenceShape, units: number): number {
  return Math.max(1, Math.min(steps, Math.floor(CHUNK_BYTES / (batch * units * 4))));
}

/** Walks that follow each other as one operator. */
export function planOfWalks(walks: readonly WalkPlan[]): FastPlan {
  const persistent = new Region();
  const scratchBytes = walks.map((walk) => {
    const scratch = new Region();
    layWalk(walk, persistent, scratch);
    return scratch.byteLength;
  });
  const names = walks.flatMap(({ inputWeights, recurrentWeights }) => [
    inputWeights.variant.name,
    recurrentWeights.variant.name,
  ]);
  return {
    variant: `recurrent ${[...new Set(names)].join(", ")}`,
    functions: walks.flatMap(walkFunctions),
    persistentBytes: persistent.byteLength,
    scratchBytes: Math.max(...scratchBytes),
    readsVariables: true,
    bind(place) {
      const region = new Region(place.persistent);
      const runs = walks.map((walk) => layWalk(walk, region, new Region(place.scratch))(place));
      return (inputs, outputs) => {
        for (const run of runs) run(inputs, outputs);
      };
    },
  };
}

/** Functions that a walk calls. */
function walkFunctions(plan: WalkPlan): EmittedFunction[] {
  const stacks = [plan.inputWeights, plan.recurrentWeights, plan.auxiliaryWeights];
  return [
    ...stacks.flatMap((stack) => (stack === undefined ? [] : [stackFunction(stack)])),
    ...(plan.quantization?.functions ?? []),
    { name: COPY_ROWS_NAME, emit: emitCopyRows },
    ...plan.cell.functions,
  ];
}

/** Where a walk keeps its constants. */
interface WalkConstants {
  readonly input: PlacedStack;
  readonly recurrent: PlacedStack;
  readonly auxiliary: PlacedStack | undefined;
  readonly bias: number;
}

function layConstants(region: Region, plan: WalkPlan): WalkConstants {
  const { inputWeights, recurrentWeights, auxiliaryWeights } = plan;
  return {
    input: layStack(region, inputWeights),
    recurrent: layStack(region, recurrentWeights),
    auxiliary: auxiliaryWeights && layStack(region, auxiliaryWeights),
    bias: region.take(paddedUnits(inputWeights) * 4),
  };
}

/** Vectors ready to be multiplied. */
interface PreparedRows {
  readonly rows: number;
  readonly scales: number;
  readonly zeroPoints: number;
}

interface WalkScratch {
  readonly pass: number;
  readonly sums: number;
  readonly input: PreparedRows;
  readonly auxiliary: PreparedRows;
  readonly states: number;
  readonly state: PreparedRows;
}

function layWorkspace(region: Region, plan: WalkPlan): WalkScratch {
  const { shape, chunk, inputWeights, recurrentWeights, auxiliaryWeights, stateWidth } = plan;
  const { batch } = shape;
  const rows = (stack: StackedMatrix | undefined, count: number): PreparedRows => ({
    rows: region.take(stack?.data === "qd8" ? count * vectorStride(stack) : 0),
    scales: region.take(stack?.data === "qd8" ? count * 4 : 0),
    zeroPoints: region.take(stack?.data === "qd8" ? count * 4 : 0),
  });
  const sumsLength = chunk * batch * inputWeights.units + paddedUnits(recurrentWeights);
  return {
    pass: region.take(PASS_SCRATCH_BYTES),
    sums: region.take(sumsLength * 4),
    input: rows(inputWeights, chunk * batch),
    auxiliary: rows(auxiliaryWeights, 1),
    states: region.take(batch * stateWidth * 4),
    state: rows(recurrentWeights, batch),
  };
}

/** Rows of a sequence that lie one behind the other: `first` in the sequence, `at` among the sums of a chunk. */
interface Segment {
  readonly first: number;
  readonly at: number;
  readonly count: number;
}

function segmentsOf({ shape, chunk }: WalkPlan, start: number, count: number): Segment[] {
  if (shape.timeMajor) {
    return [{ first: start * shape.batch, at: 0, count: count * shape.batch }];
  }
  return Array.from({ length: shape.batch }, (_, b) => ({
    first: sequenceRow(shape, start, b),
    at: b * chunk,
    count,
  }));
}

/** The row of a step and batch among the sums of the chunk that starts at `start`. */
function sumsRow({ shape, chunk }: WalkPlan, start: number, step: number, b: number): number {
  return shape.timeMajor ? (step - start) * shape.batch + b : b * chunk + step - start;
}

/** Takes the bytes of a walk, and returns what binds it to them. */
function layWalk(
  plan: WalkPlan,
  persistent: Region,
  workspace: Region,
): (place: FastPlace) => KernelRun {
  const at = layConstants(persistent, plan);
  const scratch = layWorkspace(workspace, plan);
  const bindCell = plan.cell.lay(persistent, workspace);
  return (place) => bindWalk(place, plan, at, scratch, bindCell);
}

function bindWalk(
  place: FastPlace,
  plan: WalkPlan,
  at: WalkConstants,
  scratch: WalkScratch,
  bindCell: ReturnType<RecurrentCell["lay"]>,
): KernelRun {
  const { buffer } = place.memory;
  for (const stack of [at.input, at.recurrent, at.auxiliary]) {
    if (stack !== undefined) storeStack(place, stack);
  }
  new Float32Array(buffer, at.bias, plan.bias.length).set(plan.bias);
  const quantize = bindQuantize(place, plan, scratch);
  const cell = bindCell(place, quantize);
  const multiplyInput = bindInput(place, plan, at, scratch, quantize);
  const advance = bindSteps(place, plan, at, scratch, quantize, cell.run);
  const states = new Float32Array(buffer, scratch.states, plan.shape.batch * plan.stateWidth);
  const starts = stepOrder(Math.ceil(plan.shape.steps / plan.chunk), plan.backward);
  return (inputs, outputs) => {
    const state = float32(inputs[plan.state]);
    states.set(state);
    cell.begin(inputs);
    for (const index of starts) {
      const start = index * plan.chunk;
      const count = Math.min(plan.chunk, plan.shape.steps - start);
      multiplyInput(inputs, start, count);
      advance(addressOf(outputs[plan.output]), start, count);
    }
    state.set(states);
    cell.end(inputs);
  };
}

function bindQuantize(
  place: FastPlace,
  { quantization }: WalkPlan,
  { pass }: WalkScratch,
): QuantizeRows {
  const run = quantization?.bindRows?.(place);
  if (run === undefined) return () => assert(false, "float weights ask for no quantized vectors");
  return (source, count, target, stride, rows, scales, zeroPoints) =>
    run(source, count, target, stride, rows, scales, zeroPoints, pass);
}

/** Makes the function that fills the sums of `count` steps from `start` on with bias and products of the input. */
function bindInput(
  place: FastPlace,
  plan: WalkPlan,
  at: WalkConstants,
  scratch: WalkScratch,
  quantize: QuantizeRows,
): (inputs: readonly (TensorView | undefined)[], start: number, count: number) => void {
  const { shape, inputWeights } = plan;
  const rowBytes = inputWeights.units * 4;
  const { scales, zeroPoints } = scratch.input;
  const addAuxiliary = bindAuxiliary(place, plan, at, scratch, quantize);
  return (inputs, start, count) => {
    for (const segment of segmentsOf(plan, start, count)) {
      const source = addressOf(inputs[plan.input]) + segment.first * shape.width * 4;
      const out = scratch.sums + segment.at * rowBytes;
      let a = source;
      if (inputWeights.data === "qd8") {
        const stride = vectorStride(inputWeights);
        a = scratch.input.rows;
        quantize(source, shape.width, a, stride, segment.count, scales, zeroPoints);
      }
      const rows = { a, rows: segment.count, scales, zeroPoints, out, bias: at.bias };
      runStack(place, at.input, rows);
      addAuxiliary(inputs, segment);
    }
  };
}

/** Makes the function that adds the products of an auxiliary input, if there is one, row by row. */
function bindAuxiliary(
  place: FastPlace,
  { auxiliary, auxiliaryWeights, inputWeights }: WalkPlan,
  at: WalkConstants,
  scratch: WalkScratch,
  quantize: QuantizeRows,
): (inputs: readonly (TensorView | undefined)[], segment: Segment) => void {
  if (auxiliary === undefined || auxiliaryWeights === undefined) return () => undefined;
  const placed = at.auxiliary;
  assert(placed !== undefined, "auxiliary weights that were laid out");
  const { depth, data } = auxiliaryWeights;
  const isHybrid = data === "qd8";
  const { rows, scales, zeroPoints } = scratch.auxiliary;
  return (inputs, { first, at: sumsAt, count }) => {
    for (let row = 0; row < count; row++) {
      const source = addressOf(inputs[auxiliary]) + (first + row) * depth * 4;
      if (isHybrid) quantize(source, depth, rows, 0, 1, scales, zeroPoints);
      const out = scratch.sums + (sumsAt + row) * inputWeights.units * 4;
      const a = isHybrid ? rows : source;
      const vector = { a, rows: 1, scales, zeroPoints, out, bias: out };
      runStack(place, placed, vector);
    }
  };
}

/** Makes the function that takes `count` steps from `start` on and writes their states to the output at `out`. */
function bindSteps(
  place: FastPlace,
  plan: WalkPlan,
  at: WalkConstants,
  scratch: WalkScratch,
  quantize: QuantizeRows,
  runCell: RunCell,
): (out: number, start: number, count: number) => void {
  const { shape, outputShape, offset, stateWidth, chunk, recurrentWeights } = plan;
  const { data, units, variant } = recurrentWeights;
  const isHybrid = data === "qd8";
  const copy = place.call<CopyRowsFunction>(COPY_ROWS_NAME);
  const stride = vectorStride(recurrentWeights);
  const stateBytes = stateWidth * 4;
  const sumsAt = (row: number) => scratch.sums + row * units * 4;
  const stateAt = (b: number) => scratch.states + b * stateBytes;
  // The batch of a row of sums is fixed, so its calls are too.
  const products = Array.from({ length: chunk * shape.batch }, (_, row) => {
    const b = shape.timeMajor ? row % shape.batch : Math.floor(row / chunk);
    const a = isHybrid ? scratch.state.rows + b * stride : stateAt(b);
    const out = sumsAt(row);
    const scales = scratch.state.scales + b * 4;
    const zeroPoints = scratch.state.zeroPoints + b * 4;
    const vector = { a, rows: 1, scales, zeroPoints, out, bias: out };
    return [{ name: variant.name, calls: stackCalls(place, at.recurrent, vector) }];
  });
  return (out, start, count) => {
    for (let done = 0; done < count; done++) {
      const step = plan.backward ? count - 1 - done : done;
      for (let b = 0; b < shape.batch; b++) {
        const row = sumsRow(plan, start, start + step, b);
        const state = stateAt(b);
        if (isHybrid) {
          const target = scratch.state.rows + b * stride;
          const { scales, zeroPoints } = scratch.state;
          quantize(state, stateWidth, target, 0, 1, scales + b * 4, zeroPoints + b * 4);
        }
        place.callInTurn(products[row] ?? [], units * stateWidth);
        runCell(sumsAt(row), state, b);
        const to = sequenceRow(outputShape, start + step, b) * outputShape.width + offset;
        copy(state, 0, out + to * 4, 0, 1, stateBytes);
      }
    }
  };
}
