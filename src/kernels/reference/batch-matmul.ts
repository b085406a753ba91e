/**
 * BATCH_MATMUL: x [.., rows, depth] × y [.., depth, columns], either operand transposed in its last two axes on request,
 * leading axes broadcast. Float, hybrid (int8 y, rows of x quantized on the fly) and full integer.
 * TensorFlow Lite 2.21 kernels/batch_matmul.cc.
 */
import { assert } from "../../base/errors.ts";
import { formatShape, type Shape } from "../../base/shape.ts";
import type { KernelContext, KernelNode, KernelRun, KernelTable, TensorView } from "../kernel.ts";
import { optionsOf } from "../options.ts";
import { inputAt, misshapen, outputAt, requireOperands, unsupported } from "../require.ts";
import { float32, int8, present } from "../views.ts";
import { clampRange } from "./activation.ts";
import { dotRows } from "./dot.ts";
import { quantizeVector } from "./hybrid.ts";
import {
  biasValues,
  channelScales,
  floatStage,
  hybridStage,
  integerStage,
  lawFor,
  type OutputStage,
} from "./output-stage.ts";
import { centeredWeights, hybridWeights } from "./weights.ts";

/** Types (x, y, out) that the kernels serve. */
const TYPES = [
  "float32 float32 float32",
  "float32 int8 float32",
  "int8 int8 int8",
  "int8 int8 int32",
  "int16 int16 int16",
];

/** The matrices that a BATCH_MATMUL multiplies. */
export interface MatmulGeometry {
  readonly rows: number;
  readonly depth: number;
  readonly columns: number;
  readonly batchShape: Shape;
  /** For each batch of the output, which matrix of x and of y it multiplies. */
  readonly pairs: readonly (readonly [x: number, y: number])[];
}

/** The matrices of a node. */
export function matmulGeometry(node: KernelNode): MatmulGeometry {
  const { adj_x, adj_y } = optionsOf(node, "BatchMatMulOptions");
  const [x, y] = [inputAt(node, 0).shape, inputAt(node, 1).shape];
  const mismatch = () =>
    misshapen(node, `operands ${formatShape(x)} and ${formatShape(y)}`, "matrices that multiply");
  if (x.length < 2 || y.length < 2) throw mismatch();
  const [xRows, xColumns] = x.slice(-2);
  const [yRows, yColumns] = y.slice(-2);
  const [rows, depth] = adj_x ? [xColumns, xRows] : [xRows, xColumns];
  const [yDepth, columns] = adj_y ? [yColumns, yRows] : [yRows, yColumns];
  const batchShape = broadcastBatches(x.slice(0, -2), y.slice(0, -2));
  if (depth !== yDepth || batchShape === undefined) throw mismatch();
  const xMatrices = matricesFor(batchShape, x.slice(0, -2));
  const yMatrices = matricesFor(batchShape, y.slice(0, -2));
  const pairs = xMatrices.map((matrix, at) => [matrix, yMatrices[at]] as const);
  return { rows, depth, columns, batchShape, pairs };
}

function broadcastBatches(a: Shape, b: Shape): Shape | undefined {
  const rank = Math.max(a.length, b.length);
  const shape: number[] = [];
  for (let axis = 0; axis < rank; axis++) {
    const sizeA = a[axis - rank + a.length] ?? 1;
    const sizeB = b[axis - rank + b.length] ?? 1;
    if (sizeA !== sizeB && sizeA !== 1 && sizeB !== 1) return undefined;
    shape.push(sizeA === 1 ? sizeB : sizeA);
  }
  return shape;
}

/** The index of the operand's matrix for each batch of the output. */
function matricesFor(batchShape: Shape, operand: Shape): number[] {
  let matrices = [0];
  for (const [axis, size] of batchShape.entries()) {
    const own = operand[axis - batchShape.length + operand.length] ?? 1;
    matrices = matrices.flatMap((matrix) =>
      Array.from({ length: size }, (_, i) => matrix * own + (own === 1 ? 0 : i)),
    );
  }
  return matrices;
}

/** Copies one matrix [height, width], transposed. */
function transposed<Matrix extends Float32Array | Int8Array | Int16Array>(
  matrix: Matrix,
  height: number,
  width: number,
): Matrix {
  const copy = matrix.slice() as Matrix;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) copy[x * height + y] = matrix[y * width + x];
  }
  return copy;
}

/** What the arithmetics do differently. */
interface MatmulArithmetic<Weights> {
  /** All matrices of y, zero points subtracted. */
  readonly weights: Weights;
  /** Writes row elements x[at + k·stride] for k in [0, depth) to `row`, centered. */
  loadRow(at: number, stride: number, row: Float64Array): void;
  readonly stage: OutputStage;
}

function createMatmul<Weights extends Float32Array | Int8Array | Int16Array>(
  node: KernelNode,
  checkTime: () => void,
  bind: (inputs: Parameters<KernelRun>[0]) => MatmulArithmetic<Weights>,
): KernelRun {
  const { rows, depth, columns, pairs } = matmulGeometry(node);
  const { adj_x, adj_y } = optionsOf(node, "BatchMatMulOptions");
  const row = new Float64Array(depth);
  const sums = new Float64Array(columns);
  return (inputs, [out]) => {
    const { weights, loadRow, stage } = bind(inputs);
    pairs.forEach(([x, y], batch) => {
      const stored = weights.subarray(y * depth * columns, (y + 1) * depth * columns) as Weights;
      const matrix = adj_y ? stored : transposed(stored, depth, columns);
      for (let r = 0; r < rows; r++) {
        checkTime();
        const at = x * rows * depth + (adj_x ? r : r * depth);
        loadRow(at, adj_x ? rows : 1, row);
        dotRows(row, depth, matrix, 0, columns, sums);
        stage(sums, columns, 0, present(out).data, (batch * rows + r) * columns);
      }
    });
  };
}

function loadNumbers(
  view: TensorView | undefined,
  zero: number,
): MatmulArithmetic<never>["loadRow"] {
  const { data } = present(view);
  assert(!Array.isArray(data), "numeric operand");
  return (at, stride, row) => {
    for (let k = 0; k < row.length; k++) row[k] = Number(data[at + k * stride]) - zero;
  };
}

function createFloat(node: KernelNode, { checkTime }: KernelContext): KernelRun {
  const { columns } = matmulGeometry(node);
  const stage = floatStage(node, "NONE", new Float64Array(columns));
  return createMatmul(node, checkTime, ([x, y]) => ({
    weights: float32(y),
    loadRow: loadNumbers(x, 0),
    stage,
  }));
}

function createHybrid(node: KernelNode, { checkTime }: KernelContext): KernelRun {
  const { depth, columns } = matmulGeometry(node);
  const { asymmetric_quantize_inputs: asymmetric } = optionsOf(node, "BatchMatMulOptions");
  const weightScales = channelScales(node, inputAt(node, 1), columns);
  const scales = new Float32Array(columns);
  const values = new Float32Array(depth);
  const stage = hybridStage(clampRange(node, "NONE"), new Float64Array(columns), scales);
  return createMatmul(node, checkTime, ([x, y]) => ({
    weights: hybridWeights(present(y)),
    stage,
    loadRow(at, stride, row) {
      const source = float32(x);
      for (let k = 0; k < depth; k++) values[k] = source[at + k * stride];
      const { scale } = quantizeVector(values, 0, depth, asymmetric, row);
      for (let c = 0; c < columns; c++) scales[c] = weightScales[c] * scale;
    },
  }));
}

function createInteger(node: KernelNode, { checkTime }: KernelContext): KernelRun {
  const { columns } = matmulGeometry(node);
  const [input, filter, output] = [inputAt(node, 0), inputAt(node, 1), outputAt(node, 0)];
  const isRaw = output.dtype === "int32";
  const zero = isRaw ? 0 : (input.quantization?.zeroPoint[0] ?? 0);
  const stage = isRaw
    ? rawStage
    : integerStage(node, "NONE", {
        input,
        filter,
        output,
        channels: columns,
        precision: "per-tensor",
        law: lawFor(input, undefined, "ties-away"),
      })(biasValues(undefined, columns));
  return createMatmul(node, checkTime, ([x, y]) => ({
    weights: isRaw ? int8(y) : centeredWeights(present(y)),
    loadRow: loadNumbers(x, zero),
    stage,
  }));
}

/** int32 outputs are the sums of products of the stored integers, whatever their zero points. */
const rawStage: OutputStage = (sums, count, _, out, at) => {
  assert(out instanceof Int32Array, "int32 output");
  for (let i = 0; i < count; i++) out[at + i] = sums[i];
};

export const BATCH_MATMUL: KernelTable = {
  BATCH_MATMUL: {
    check(node) {
      requireOperands(node, [2, 2]);
      const types = [inputAt(node, 0), inputAt(node, 1), outputAt(node, 0)].map(
        ({ dtype }) => dtype,
      );
      if (!TYPES.includes(types.join(" "))) {
        throw unsupported(node, `on (${types[0]}, ${types[1]}) to ${types[2]}`);
      }
      optionsOf(node, "BatchMatMulOptions");
    },
    shapes(node) {
      const { batchShape, rows, columns } = matmulGeometry(node);
      return [[...batchShape, rows, columns]];
    },
    create(node, context) {
      const [x, y] = [inputAt(node, 0).dtype, inputAt(node, 1).dtype];
      if (x !== "float32") return createInteger(node, context);
      return y === "float32" ? createFloat(node, context) : createHybrid(node, context);
    },
  },
};
