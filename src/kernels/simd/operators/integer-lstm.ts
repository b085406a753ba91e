/**
 * Fully quantized LSTM and UNIDIRECTIONAL_SEQUENCE_LSTM with a 16-bit cell state over linear memory: the gates' matrices
 * are one product, those of the input for many steps at a time, and a cell's arithmetic is one call. Peepholes, layer
 * normalization and the form with 8-bit products are left to the reference.
 */
import type { KernelRun } from "../../kernel.ts";
import { floatLstmPasses, type LstmDirection } from "../../reference/lstm.ts";
import { integerLstm } from "../../reference/lstm-integer.ts";
import { BYTE_INTERMEDIATES } from "../../reference/lstm-integer-8.ts";
import type { IntegerLstm, IntegerProduct } from "../../reference/lstm-integer-cell.ts";
import { UNIDIRECTIONAL as LAYOUT, matrixOperands } from "../../reference/lstm-operands.ts";
import { sequenceRow, stepOrder } from "../../reference/sequence.ts";
import { int8, int16 } from "../../views.ts";
import {
  addressOf,
  type FastFeatures,
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
  stackOf,
  storeStack,
} from "../gemm/stacked-matrix.ts";
import {
  emitIntegerLstmCell,
  type IntegerLstmCellFunction,
  type IntegerLstmCellVariant,
  integerLstmCellName,
} from "../recurrent/emit-integer-lstm-cell.ts";
import { chunkSteps } from "../recurrent/sequence-walk.ts";
import { PASS_SCRATCH_BYTES, wideningPass } from "./activation-pass.ts";
import { finishOf, type IntegerFinish, layFinish, storeFinish } from "./integer-finish.ts";

/** Vectors are widened as they are: the bias has their zero points in it. */
const WIDEN = wideningPass("int16", "int8", 0);
const INT16 = { zeroPoint: 0, low: -32768, high: 32767 };
/** Integer bits of a cell state for which there is a tangent. */
const MAX_CELL_BITS = 11;

/** Several products with the same vector as one, and what becomes of their sums. */
interface GateProduct {
  readonly stack: StackedMatrix;
  readonly bias: Int32Array;
  readonly finish: IntegerFinish;
}

interface IntegerLstmPlan {
  readonly direction: LstmDirection;
  readonly chunk: number;
  readonly input: GateProduct;
  readonly recurrent: GateProduct;
  readonly projection: GateProduct | undefined;
  readonly cell: IntegerLstmCellVariant;
  /** clip, multiplier, exponent and zero point of the hidden vector. */
  readonly cellArguments: readonly [number, number, number, number];
}

export const fastIntegerLstm: FastKernel = (request) => {
  const plan = planLstm(request);
  if (plan === undefined) return undefined;
  const products = productsOf(plan);
  const name = integerLstmCellName(plan.cell);
  const [persistent, scratch] = [new Region(), new Region()];
  layLstm(persistent, scratch, plan);
  const variants = new Set(products.map(({ stack }) => stack.variant.name));
  return {
    variant: `recurrent ${[...variants].join(", ")}`,
    functions: [
      ...products.flatMap(({ stack, finish }) => [stackFunction(stack), ...finish.functions]),
      ...WIDEN.functions,
      { name, emit: (module) => emitIntegerLstmCell(module, plan.cell) },
    ],
    persistentBytes: persistent.byteLength,
    scratchBytes: scratch.byteLength,
    readsVariables: true,
    bind(place) {
      return bindLstm(
        place,
        plan,
        layLstm(new Region(place.persistent), new Region(place.scratch), plan),
      );
    },
  };
};

function productsOf({ input, recurrent, projection }: IntegerLstmPlan): GateProduct[] {
  return [input, recurrent, ...(projection === undefined ? [] : [projection])];
}

/** Undefined for what is left to the reference. */
function planLstm(request: FastRequest): IntegerLstmPlan | undefined {
  const { node, known, features } = request;
  const direction = floatLstmPasses(node)[0]?.direction;
  if (direction === undefined || !isServed(request)) return undefined;
  const { sizes, input: shape, options } = direction;
  const constants = node.inputs.map((_, index) => known(index));
  const lstm = integerLstm(node, constants, options);
  const gates = [lstm.inputGate, lstm.forgetGate, lstm.cellGate, lstm.outputGate].flatMap(
    (gate) => gate ?? [],
  );
  const chunk = chunkSteps(shape, gates.length * sizes.cells);
  const rows = shape.timeMajor ? chunk * shape.batch : chunk;
  const input = gateProduct(
    gates.map((gate) => gate.input),
    rows,
    features,
  );
  const recurrent = gateProduct(
    gates.map((gate) => gate.recurrent),
    1,
    features,
  );
  const projection = lstm.projection && projectionOf(lstm, lstm.projection, features);
  if (input === undefined || recurrent === undefined) return undefined;
  if (lstm.projection !== undefined && projection === undefined) return undefined;
  const { multiplier, shift } = lstm.hidden;
  const { cellExponent, cellClip } = lstm;
  if (shift >= 0 || multiplier <= 0 || 15 + cellExponent > MAX_CELL_BITS) return undefined;
  if (15 + cellExponent < 0) return undefined;
  const cell = { hasInputGate: lstm.inputGate !== undefined, cellExponent };
  const clip = cellClip > 0 ? cellClip : 32767;
  return {
    ...{ direction, chunk, input, recurrent, projection, cell },
    cellArguments: [clip, multiplier, 2 ** (31 + shift), lstm.hiddenZeroPoint],
  };
}

/** Whether constants are constant, and the form is one that has emitted code. */
function isServed({ node, known }: FastRequest): boolean {
  if (node.intermediates?.length === BYTE_INTERMEDIATES || known(0) !== undefined) return false;
  const absent = [...LAYOUT.peephole, ...LAYOUT.layerNorm];
  if (absent.some((index) => node.inputs[index] !== undefined)) return false;
  const matrices = matrixOperands(LAYOUT);
  if (matrices.some((index) => (node.inputs[index]?.shape.length ?? 2) !== 2)) return false;
  const constants = [...matrices, ...LAYOUT.bias, LAYOUT.projectionBias];
  return constants.every((index) => {
    const operand = node.inputs[index];
    if (operand === undefined) return true;
    return known(index) !== undefined && !operand.shape.includes(0);
  });
}

function gateProduct(
  products: readonly IntegerProduct[],
  rows: number,
  features: FastFeatures,
): GateProduct | undefined {
  const factors = products.flatMap(({ factor, units }) => new Array(units).fill(factor));
  const finish = finishOf("int16-sum", factors, INT16);
  const bias = products.flatMap((product) => [...product.bias]);
  if (finish === undefined || bias.some((value) => Math.abs(value) >= 2 ** 31)) return undefined;
  return { stack: stackProducts(products, rows, features), bias: Int32Array.from(bias), finish };
}

function projectionOf(
  { projectionClip, outputZeroPoint }: IntegerLstm,
  product: IntegerProduct,
  features: FastFeatures,
): GateProduct | undefined {
  const [low, high] = projectionClip > 0 ? [-projectionClip, projectionClip] : [-128, 127];
  const factors = new Array(product.units).fill(product.factor);
  const finish = finishOf("int8", factors, { zeroPoint: outputZeroPoint, low, high });
  const { bias } = product;
  if (finish === undefined || bias.some((value) => Math.abs(value) >= 2 ** 31)) return undefined;
  return { stack: stackProducts([product], 1, features), bias: Int32Array.from(bias), finish };
}

function stackProducts(
  products: readonly IntegerProduct[],
  rows: number,
  features: FastFeatures,
): StackedMatrix {
  const depth = products[0]?.depth ?? 0;
  const units = products.reduce((sum, product) => sum + product.units, 0);
  const values = () => {
    const all = new Int8Array(units * depth);
    let at = 0;
    for (const { weights } of products) {
      all.set(weights, at);
      at += weights.length;
    }
    return all;
  };
  return stackOf("qi8", { units, depth, values, scales: undefined }, rows, features);
}

function layProduct(region: Region, { stack, finish }: GateProduct) {
  return {
    weights: layStack(region, stack),
    bias: region.take(paddedUnits(stack) * 4),
    finish: layFinish(region, finish),
  };
}

/** Addresses in bytes. */
interface LstmPlaces {
  readonly input: ReturnType<typeof layProduct>;
  readonly recurrent: ReturnType<typeof layProduct>;
  readonly projection: ReturnType<typeof layProduct> | undefined;
  readonly pass: number;
  /** int16 vectors, int32 sums and int16 gates of the steps of a chunk. */
  readonly vectors: number;
  readonly sums: number;
  readonly gates: number;
  /** int8, int16 and int8 of a batch. */
  readonly states: number;
  readonly cells: number;
  readonly hidden: number;
  /** One state or hidden vector as int16. */
  readonly wide: number;
}

function layLstm(persistent: Region, scratch: Region, plan: IntegerLstmPlan): LstmPlaces {
  const { direction, chunk, input, recurrent, projection } = plan;
  const { sizes } = direction;
  const rows = chunk * sizes.batch;
  const { units } = input.stack;
  return {
    input: layProduct(persistent, input),
    recurrent: layProduct(persistent, recurrent),
    projection: projection && layProduct(persistent, projection),
    pass: scratch.take(PASS_SCRATCH_BYTES),
    vectors: scratch.take(rows * sizes.inputs * 2 + 2),
    sums: scratch.take(Math.max(rows * units, sizes.outputs) * 4),
    gates: scratch.take(rows * units * 2),
    states: scratch.take(sizes.batch * sizes.outputs),
    cells: scratch.take(sizes.batch * sizes.cells * 2),
    hidden: scratch.take(sizes.cells),
    wide: scratch.take(Math.max(sizes.outputs, sizes.cells) * 2 + 2),
  };
}

/** Multiplies `rows` int16 vectors at `a` and requantizes the sums to `out`. */
type RunProduct = (a: number, rows: number, out: number) => void;

function bindProduct(
  place: FastPlace,
  { stack, bias, finish }: GateProduct,
  at: ReturnType<typeof layProduct>,
  sums: number,
): RunProduct {
  const { buffer } = place.memory;
  storeStack(place, at.weights);
  new Int32Array(buffer, at.bias, bias.length).set(bias);
  const requantize = storeFinish(place, finish, at.finish);
  const aStride = stack.depth * 2;
  return (a, rows, out) => {
    runStack(place, at.weights, { a, aStride, rows, out: sums, bias: at.bias });
    requantize(sums, rows, stack.units, out);
  };
}

function bindLstm(place: FastPlace, plan: IntegerLstmPlan, at: LstmPlaces): KernelRun {
  const { direction, chunk } = plan;
  const { sizes, input: shape } = direction;
  const { buffer } = place.memory;
  const heap = new Uint8Array(buffer);
  const widen = WIDEN.bind(place, at.pass);
  const multiplyInput = bindProduct(place, plan.input, at.input, at.sums);
  const advance = bindStep(place, plan, at);
  const states = new Int8Array(buffer, at.states, sizes.batch * sizes.outputs);
  const cells = new Int16Array(buffer, at.cells, sizes.batch * sizes.cells);
  const rowBytes = plan.input.stack.units * 2;
  return (inputs, [output]) => {
    const [state, cell] = [int8(inputs[LAYOUT.outputState]), int16(inputs[LAYOUT.cellState])];
    states.set(state);
    cells.set(cell);
    for (let start = 0; start < shape.steps; start += chunk) {
      const count = Math.min(chunk, shape.steps - start);
      const segments = shape.timeMajor ? 1 : shape.batch;
      const rows = shape.timeMajor ? count * shape.batch : count;
      heap.fill(0, at.gates, at.gates + chunk * shape.batch * rowBytes);
      for (let b = 0; b < segments; b++) {
        const source = addressOf(inputs[0]) + sequenceRow(shape, start, b) * sizes.inputs;
        widen(source, rows * sizes.inputs, at.vectors);
        multiplyInput(at.vectors, rows, at.gates + b * chunk * rowBytes);
      }
      for (const step of stepOrder(count, false)) {
        for (let b = 0; b < shape.batch; b++) {
          const row = shape.timeMajor ? step * shape.batch + b : b * chunk + step;
          const from = advance(at.gates + row * rowBytes, b);
          const to = sequenceRow(shape, start + step, b) * sizes.outputs;
          heap.copyWithin(addressOf(output) + to, from, from + sizes.outputs);
        }
      }
    }
    state.set(states);
    cell.set(cells);
  };
}

/** Makes the function that takes one step of batch `b` on its gates, and returns the address of the new state. */
function bindStep(
  place: FastPlace,
  plan: IntegerLstmPlan,
  at: LstmPlaces,
): (gates: number, b: number) => number {
  const { sizes } = plan.direction;
  const widen = WIDEN.bind(place, at.pass);
  const multiply = bindProduct(place, plan.recurrent, at.recurrent, at.sums);
  const project =
    plan.projection && at.projection && bindProduct(place, plan.projection, at.projection, at.sums);
  const run = place.call<IntegerLstmCellFunction>(integerLstmCellName(plan.cell));
  return (gates, b) => {
    const state = at.states + b * sizes.outputs;
    widen(state, sizes.outputs, at.wide);
    multiply(at.wide, 1, gates);
    const hidden = project === undefined ? state : at.hidden;
    run(gates, at.cells + b * sizes.cells * 2, hidden, sizes.cells, ...plan.cellArguments);
    if (project !== undefined) {
      widen(at.hidden, sizes.cells, at.wide);
      project(at.wide, 1, state);
    }
    return state;
  };
}
