/**
 * BATCH_MATMUL with an int8 second operand over linear memory: hybrid (rows of floats quantized on the fly) and full
 * integer, to int8 or to the int32 sums. The second operand is packed like weights, once where it is constant.
 */
import { assert } from "../../../base/errors.ts";
import type { KernelNode, KernelRun, TensorView } from "../../kernel.ts";
import { optionsOf } from "../../options.ts";
import { type MatmulGeometry, matmulGeometry } from "../../reference/batch-matmul.ts";
import { channelScales } from "../../reference/output-stage.ts";
import { inputAt, outputAt } from "../../require.ts";
import { int8, present } from "../../views.ts";
import {
  addressOf,
  type FastKernel,
  type FastPlace,
  type FastRequest,
  Region,
} from "../fast-kernel.ts";
import {
  layStack,
  type PlacedStack,
  packStack,
  paddedUnits,
  runStack,
  type StackedMatrix,
  stackFunction,
  stackOf,
  storeStack,
  vectorStride,
} from "../gemm/stacked-matrix.ts";
import {
  type ActivationPass,
  PASS_SCRATCH_BYTES,
  quantizingPass,
  wideningPass,
} from "./activation-pass.ts";
import { type IntegerFinish, integerFinish, layFinish, storeFinish } from "./integer-finish.ts";

type Kind = "hybrid" | "bytes" | "sums";

function kindOf(node: KernelNode): Kind | undefined {
  const types = [inputAt(node, 0), inputAt(node, 1), outputAt(node, 0)].map(({ dtype }) => dtype);
  switch (types.join(" ")) {
    case "float32 int8 float32":
      return "hybrid";
    case "int8 int8 int8":
      return "bytes";
    case "int8 int8 int32":
      return "sums";
    default:
      return undefined;
  }
}

interface MatmulPlan {
  readonly kind: Kind;
  readonly geometry: MatmulGeometry;
  readonly source: MatrixSource;
  /** The second operand, where it is constant. */
  readonly constant: TensorView | undefined;
  /** Its matrices; without a constant one, packed anew as each is needed. */
  readonly stacks: readonly StackedMatrix[];
  readonly pass: ActivationPass;
  /** Bytes from one prepared row to the next. */
  readonly stride: number;
  readonly finish: IntegerFinish | undefined;
}

export const fastIntegerMatmul: FastKernel = (request) => {
  const plan = planMatmul(request);
  if (plan === undefined) return undefined;
  const { stacks, pass, finish } = plan;
  const [stack] = stacks as [StackedMatrix];
  const [persistent, scratch] = [new Region(), new Region()];
  layMatmul(persistent, scratch, plan);
  return {
    variant: stack.variant.name,
    functions: [stackFunction(stack), ...pass.functions, ...(finish?.functions ?? [])],
    persistentBytes: persistent.byteLength,
    scratchBytes: scratch.byteLength,
    bind(place) {
      const at = layMatmul(new Region(place.persistent), new Region(place.scratch), plan);
      return bindMatmul(place, plan, at);
    },
  };
};

/** Undefined for what is left to the reference. */
function planMatmul({ node, known, features }: FastRequest): MatmulPlan | undefined {
  const kind = kindOf(node);
  const geometry = matmulGeometry(node);
  const { rows, depth, columns, pairs } = geometry;
  const { adj_x } = optionsOf(node, "BatchMatMulOptions");
  if (kind === undefined || adj_x || known(0) !== undefined) return undefined;
  if (rows * depth * columns * pairs.length === 0) return undefined;
  const finish = kind === "bytes" ? integerFinish(node, "NONE", columns, "ties-away") : undefined;
  if (kind === "bytes" && finish === undefined) return undefined;
  const source = matrixSource(node, geometry, kind);
  const { data, scales } = source;
  const constant = known(1);
  const matrices = constant === undefined ? 1 : 1 + Math.max(...pairs.map(([, y]) => y));
  const stacks = Array.from({ length: matrices }, (_, matrix) => {
    const values = () => source.values(present(constant), matrix);
    return stackOf(data, { units: columns, depth, values, scales }, rows, features);
  });
  const stride = kind === "hybrid" ? vectorStride(stacks[0] as StackedMatrix) : depth * 2;
  return { kind, geometry, source, constant, stacks, pass: passOf(node, kind), stride, finish };
}

function layMatmul(persistent: Region, scratch: Region, plan: MatmulPlan): MatmulPlaces {
  const { geometry, stacks, constant, finish } = plan;
  const { rows, columns } = geometry;
  const [stack] = stacks as [StackedMatrix];
  return {
    bias: persistent.take(paddedUnits(stack) * 4),
    finish: finish && layFinish(persistent, finish),
    stacks: stacks.map((own) => layStack(constant === undefined ? scratch : persistent, own)),
    pass: scratch.take(PASS_SCRATCH_BYTES),
    rows: scratch.take(rows * vectorStride(stack)),
    scales: scratch.take(rows * 4),
    zeroPoints: scratch.take(rows * 4),
    sums: scratch.take(finish === undefined ? 0 : rows * columns * 4),
  };
}

function bindMatmul(place: FastPlace, plan: MatmulPlan, at: MatmulPlaces): KernelRun {
  const { kind, geometry, source, constant } = plan;
  const { rows, depth, columns, pairs } = geometry;
  const { buffer } = place.memory;
  const prepare = bindRows(place, plan, at);
  const multiply = bindProduct(place, plan, at);
  const itemBytes = kind === "hybrid" ? 4 : 1;
  const outBytes = kind === "bytes" ? 1 : 4;
  if (constant !== undefined) for (const own of at.stacks) storeStack(place, own);
  const packedMatrix = (y: TensorView | undefined, matrix: number, isPacked: boolean) => {
    const weights = at.stacks[constant === undefined ? 0 : matrix];
    assert(weights !== undefined, "a matrix that was laid out");
    if (constant === undefined && !isPacked) {
      const values = () => source.values(present(y), matrix);
      packStack(buffer, { ...weights, stack: { ...weights.stack, values } });
    }
    return weights;
  };
  return ([x, y], [output]) => {
    let [prepared, packed] = [-1, -1];
    for (const [batch, [left, right]] of pairs.entries()) {
      if (prepared !== left) prepare(addressOf(x) + left * rows * depth * itemBytes);
      const weights = packedMatrix(y, right, packed === right);
      [prepared, packed] = [left, right];
      multiply(weights, addressOf(output) + batch * rows * columns * outBytes);
    }
  };
}

/** What the second operand is multiplied as. */
interface MatrixSource {
  readonly data: "qd8" | "qi8" | "qi16";
  readonly scales: Float32Array | undefined;
  /** One of its matrices, [columns, depth], less its zero point. */
  values(view: TensorView, matrix: number): Int8Array | Int16Array;
}

function matrixSource(node: KernelNode, geometry: MatmulGeometry, kind: Kind): MatrixSource {
  const { depth, columns } = geometry;
  const { adj_y } = optionsOf(node, "BatchMatMulOptions");
  const y = inputAt(node, 1);
  const zero = kind === "bytes" ? (y.quantization?.zeroPoint[0] ?? 0) : 0;
  const size = depth * columns;
  return {
    data: kind === "hybrid" ? "qd8" : zero === 0 ? "qi8" : "qi16",
    scales: kind === "hybrid" ? channelScales(node, y, columns) : undefined,
    values(view, matrix) {
      const stored = int8(view).subarray(matrix * size, (matrix + 1) * size);
      if (adj_y && zero === 0) return stored;
      const values = zero === 0 ? new Int8Array(size) : new Int16Array(size);
      for (let n = 0; n < columns; n++) {
        for (let k = 0; k < depth; k++) {
          const at = adj_y ? n * depth + k : k * columns + n;
          values[n * depth + k] = (stored[at] ?? 0) - zero;
        }
      }
      return values;
    },
  };
}

function passOf(node: KernelNode, kind: Kind): ActivationPass {
  if (kind === "hybrid") {
    const { asymmetric_quantize_inputs } = optionsOf(node, "BatchMatMulOptions");
    return quantizingPass("int16", asymmetric_quantize_inputs);
  }
  const zero = kind === "bytes" ? (inputAt(node, 0).quantization?.zeroPoint[0] ?? 0) : 0;
  return wideningPass("int16", "int8", zero);
}

/** Addresses in bytes. */
interface MatmulPlaces {
  readonly bias: number;
  readonly finish: ReturnType<typeof layFinish> | undefined;
  readonly stacks: readonly PlacedStack[];
  readonly pass: number;
  readonly rows: number;
  readonly scales: number;
  readonly zeroPoints: number;
  readonly sums: number;
}

/** Makes the function that prepares the rows of a matrix of the first operand. */
function bindRows(
  place: FastPlace,
  { geometry: { rows, depth }, pass, stride }: MatmulPlan,
  at: MatmulPlaces,
): (source: number) => void {
  const quantize = pass.bindRows?.(place);
  if (quantize !== undefined) {
    return (source) =>
      quantize(source, depth, at.rows, stride, rows, at.scales, at.zeroPoints, at.pass);
  }
  const widen = pass.bind(place, at.pass);
  return (source) => void widen(source, rows * depth, at.rows);
}

/** Makes the function that multiplies the prepared rows with a packed matrix. */
function bindProduct(
  place: FastPlace,
  { geometry: { rows, columns }, finish, stride: aStride }: MatmulPlan,
  at: MatmulPlaces,
): (weights: PlacedStack, out: number) => void {
  const requantize = finish && at.finish && storeFinish(place, finish, at.finish);
  const { rows: a, scales, bias } = at;
  return (weights, out) => {
    const target = requantize === undefined ? out : at.sums;
    runStack(place, weights, { a, aStride, rows, scales, out: target, bias });
    requantize?.(at.sums, rows, columns, out);
  };
}
