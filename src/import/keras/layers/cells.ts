/** The cells of recurrent layers: gate orders and formulas of Keras (LSTM i, f, c, o; GRU z, r, h). */
import { formatShape, type Shape, sameShape } from "../../../base/shape.ts";
import type { TensorValue } from "../../../graph/ir.ts";
import { unsupported } from "../layer.ts";
import type { NodeWriter, Symbolic } from "../node-writer.ts";
import {
  activationOf,
  addBias,
  type CellSource,
  type CellSpec,
  lstmStep,
  splitLast,
} from "./cell.ts";
import { convLstmCell } from "./conv-lstm.ts";
import type { Cell } from "./recurrent.ts";

/** Reads the weights of a cell, whose class says which one it is, for steps of shape [batch, …]. */
export function readCell(source: CellSource, step: Shape): CellSpec {
  const { className, config } = source;
  const dense = (stateCount: number, cell: Cell): CellSpec => {
    requireRank(source, step, 2);
    return { outputShape: [config.count("units")], stateCount, cell };
  };
  switch (className.replace(/Cell$/, "")) {
    case "SimpleRNN":
      return dense(1, simpleCell(source));
    case "LSTM":
    case "LSTMV2":
    case "UnifiedLSTM":
      return dense(2, lstmCell(source));
    case "GRU":
    case "GRUV2":
    case "UnifiedGRU":
      return dense(1, gruCell(source));
    case "ConvLSTM1D":
    case "ConvLSTM2D":
    case "ConvLSTM3D":
      return convLstmCell(source, step);
    default:
      throw unsupported(config, `recurrent cell ${className}`);
  }
}

function requireRank({ className, config }: CellSource, step: Shape, rank: number): void {
  if (step.length === rank) return;
  throw unsupported(config, `${className} over steps of shape ${formatShape(step)}`);
}

interface Weights {
  readonly kernel: TensorValue;
  readonly recurrent: TensorValue;
  readonly bias: TensorValue | undefined;
}

/** Weights for `gates` gates: kernel [features, gates · units], recurrent [units, gates · units], bias. */
function readWeights({ config, weights }: CellSource, gates: number): Weights {
  const units = config.count("units");
  const width = gates * units;
  const kernel = weights.get("kernel", 0);
  const recurrent = weights.get("recurrent_kernel", 1);
  const bias = config.flag("use_bias", true) ? weights.get("bias", 2) : undefined;
  const fits =
    kernel.shape.length === 2 &&
    kernel.shape[1] === width &&
    sameShape(recurrent.shape, [units, width]) &&
    (bias === undefined || bias.shape.at(-1) === width) &&
    [kernel, recurrent, bias].every((weight) => weight === undefined || weight.dtype === "float32");
  if (fits) return { kernel, recurrent, bias };
  const found = [kernel, recurrent, bias].map((weight) => formatShape(weight?.shape ?? []));
  throw config.wrong(`weights of shapes ${found.join(", ")}`, `float32 of width ${width}`);
}

function matmul(pen: NodeWriter, name: string, x: Symbolic, weight: Symbolic): Symbolic {
  return pen.emit(name, "MatMul", [x, weight], { shape: [x.shape[0]!, weight.shape[1]!] });
}

/** h' = act(x·W + b + h·U). */
function simpleCell(source: CellSource): Cell {
  const { kernel, recurrent, bias } = readWeights(source, 1);
  const activate = activationOf(source, "activation", "tanh");
  return (pen, path, x, [h]) => {
    const fromInput = addBias(
      pen,
      `${path}/BiasAdd`,
      matmul(pen, `${path}/MatMul`, x, pen.constant(`${path}/kernel`, kernel)),
      bias,
    );
    const fromState = matmul(
      pen,
      `${path}/MatMul_1`,
      h!,
      pen.constant(`${path}/recurrent_kernel`, recurrent),
    );
    const output = activate(pen, path, pen.binary(`${path}/sum`, "AddV2", fromInput, fromState));
    return { output, states: [output] };
  };
}

/** z = x·W + h·U + b in quarters i, f, c, o, then as `lstmStep` says. */
function lstmCell(source: CellSource): Cell {
  const { kernel, recurrent, bias } = readWeights(source, 4);
  const step = lstmStep(source);
  return (pen, path, x, [h, c]) => {
    const fromInput = matmul(pen, `${path}/MatMul`, x, pen.constant(`${path}/kernel`, kernel));
    const fromState = matmul(
      pen,
      `${path}/MatMul_1`,
      h!,
      pen.constant(`${path}/recurrent_kernel`, recurrent),
    );
    const sum = pen.binary(`${path}/sum`, "AddV2", fromInput, fromState);
    return step(pen, path, addBias(pen, `${path}/BiasAdd`, sum, bias), c!);
  };
}

/**
 * z, r = σ(…); with reset_after: h = act(x·W + b₀ + r · (h·U + b₁)), without: h = act(x·W + b + (r · h)·U);
 * h' = z·h + (1 - z)·ĥ.
 */
function gruCell(source: CellSource): Cell {
  const { kernel, recurrent, bias } = readWeights(source, 3);
  const isFirstVersion = source.className === "GRU" && source.kerasVersion < 2;
  const resetAfter = source.config.flag("reset_after", !isFirstVersion);
  const activate = activationOf(source, "activation", "tanh");
  const gate = activationOf(source, "recurrent_activation", "sigmoid");
  const [inputBias, stateBias] = splitBias(bias);
  const units = source.config.count("units");
  return (pen, path, x, [state]) => {
    const h = state!;
    const product = (name: string, from: number, to: number, input: Symbolic) => {
      const part = columns(recurrent, from * units, to * units);
      return matmul(pen, `${path}/${name}`, input, pen.constant(`${path}/${name}/kernel`, part));
    };
    const weighted = matmul(pen, `${path}/MatMul`, x, pen.constant(`${path}/kernel`, kernel));
    const biased = addBias(pen, `${path}/BiasAdd`, weighted, inputBias);
    const [xz, xr, xh] = splitLast(pen, `${path}/split`, biased, 3);
    const fromState = product("MatMul_1", 0, resetAfter ? 3 : 2, h);
    const [hz, hr, hh] = splitLast(
      pen,
      `${path}/split_1`,
      addBias(pen, `${path}/BiasAdd_1`, fromState, stateBias),
      resetAfter ? 3 : 2,
    );
    const z = gate(pen, `${path}/z`, pen.binary(`${path}/z_sum`, "AddV2", xz!, hz!));
    const r = gate(pen, `${path}/r`, pen.binary(`${path}/r_sum`, "AddV2", xr!, hr!));
    const reset = pen.binary(`${path}/reset`, "Mul", r, hh ?? h);
    const recalled = hh === undefined ? product("MatMul_2", 2, 3, reset) : reset;
    const candidate = activate(
      pen,
      `${path}/h`,
      pen.binary(`${path}/h_sum`, "AddV2", xh!, recalled),
    );
    const kept = pen.binary(`${path}/mul`, "Mul", z, h);
    const open = pen.binary(`${path}/sub`, "Sub", pen.float(`${path}/one`, 1), z);
    const taken = pen.binary(`${path}/mul_1`, "Mul", open, candidate);
    const output = pen.binary(`${path}/next`, "AddV2", kept, taken);
    return { output, states: [output] };
  };
}

/** Two rows, for input and state, where there are two. */
function splitBias(
  bias: TensorValue | undefined,
): [TensorValue | undefined, TensorValue | undefined] {
  if (bias === undefined || bias.shape.length < 2) return [bias, undefined];
  const size = bias.shape[1]!;
  const data = bias.data as Float32Array;
  const row = (i: number): TensorValue => ({
    dtype: "float32",
    shape: [size],
    data: data.slice(i * size, (i + 1) * size),
  });
  return [row(0), row(1)];
}

/** Columns of a matrix. */
function columns(matrix: TensorValue, from: number, to: number): TensorValue {
  const [rows, width] = matrix.shape as [number, number];
  if (from === 0 && to === width) return matrix;
  const data = matrix.data as Float32Array;
  const part = new Float32Array(rows * (to - from));
  for (let row = 0; row < rows; row++) {
    part.set(data.subarray(row * width + from, row * width + to), row * (to - from));
  }
  return { dtype: matrix.dtype, shape: [rows, to - from], data: part };
}
