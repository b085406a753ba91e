/**
 * BATCH_MATMUL on float32 over linear memory. The second operand is packed like weights: once where it is constant, else
 * at each run, where a panel is a block of rows unless the operand is transposed.
 */
import type { TensorView } from "../../kernel.ts";
import { optionsOf } from "../../options.ts";
import { type MatmulGeometry, matmulGeometry } from "../../reference/batch-matmul.ts";
import { finiteRange } from "../../reference/output-stage.ts";
import { inputAt } from "../../require.ts";
import { float32 } from "../../views.ts";
import { addressOf, type FastKernel, type FastPlace, Region } from "../fast-kernel.ts";
import { chooseGemm } from "../gemm/choose.ts";
import { emitGemm } from "../gemm/emit-gemm.ts";
import { packedByteLength, packFloat, panelByteLength } from "../gemm/pack.ts";
import { tileCalls } from "../gemm/tile-calls.ts";
import type { GemmVariant } from "../gemm/variants.ts";
import { COPY_ROWS_NAME, type CopyRowsFunction, emitCopyRows } from "../moves/emit-moves.ts";

export const fastBatchMatmul: FastKernel = ({ node, known, features }) => {
  const geometry = matmulGeometry(node);
  const { rows, depth, columns, pairs } = geometry;
  const { adj_x, adj_y } = optionsOf(node, "BatchMatMulOptions");
  const areFloats = [0, 1].every((index) => inputAt(node, index).dtype === "float32");
  const isEmpty = rows === 0 || depth === 0 || columns === 0 || pairs.length === 0;
  if (!areFloats || adj_x || isEmpty || known(0) !== undefined) return undefined;
  const variant = chooseGemm("f32", { rows, n: columns, k: depth }, features);
  const constant = known(1);
  const matrices = 1 + Math.max(...pairs.map(([, y]) => y));
  const packedBytes = packedByteLength(variant, columns, depth);
  const lay = (region: Region) => ({
    bias: region.take(Math.ceil(columns / variant.nr) * variant.nr * 4),
    constants: region.take(constant === undefined ? 0 : packedBytes * matrices),
  });
  const persistent = new Region();
  lay(persistent);
  const { min, max } = finiteRange(node, "NONE");
  return {
    variant: variant.name,
    functions: [
      { name: variant.name, emit: (module) => emitGemm(module, variant) },
      { name: COPY_ROWS_NAME, emit: emitCopyRows },
    ],
    persistentBytes: persistent.byteLength,
    scratchBytes: constant === undefined ? packedBytes : 0,
    bind(place) {
      const at = lay(new Region(place.persistent));
      const pack = packer(place, geometry, variant, adj_y);
      const multiply = multiplier(place, geometry, variant, [at.bias, min, max]);
      if (constant !== undefined) {
        for (let matrix = 0; matrix < matrices; matrix++) {
          const target = at.constants + matrix * packedBytes;
          packTransposable(place, geometry, variant, { view: constant, matrix, target, adj_y });
        }
      }
      return ([x, y], [output]) => {
        let packed = -1;
        for (const [batch, [left, right]] of pairs.entries()) {
          const weights = constant ? at.constants + right * packedBytes : place.scratch;
          if (constant === undefined && packed !== right) pack(y, right);
          packed = right;
          multiply(
            addressOf(x) + left * rows * depth * 4,
            weights,
            addressOf(output) + batch * rows * columns * 4,
          );
        }
      };
    },
  };
};

interface Packing {
  readonly view: TensorView | undefined;
  readonly matrix: number;
  readonly target: number;
  readonly adj_y: boolean;
}

/** Packs a matrix that may lie anywhere, element by element. */
function packTransposable(
  { memory }: FastPlace,
  { depth, columns }: MatmulGeometry,
  variant: GemmVariant,
  { view, matrix, target, adj_y }: Packing,
): void {
  const size = depth * columns;
  const stored = float32(view).subarray(matrix * size, (matrix + 1) * size);
  const byRow = adj_y ? stored : new Float32Array(size);
  if (!adj_y) {
    for (let k = 0; k < depth; k++) {
      for (let n = 0; n < columns; n++) byRow[n * depth + k] = stored[k * columns + n];
    }
  }
  const length = packedByteLength(variant, columns, depth) / 4;
  packFloat(byRow, columns, depth, variant.panel, new Float32Array(memory.buffer, target, length));
}

/** Packs a matrix of the second operand into the scratch, for each run. */
function packer(
  place: FastPlace,
  geometry: MatmulGeometry,
  variant: GemmVariant,
  adj_y: boolean,
): (view: TensorView | undefined, matrix: number) => void {
  const target = place.scratch;
  if (adj_y) {
    return (view, matrix) =>
      packTransposable(place, geometry, variant, { view, matrix, target, adj_y });
  }
  const copy = place.call<CopyRowsFunction>(COPY_ROWS_NAME);
  const { depth, columns } = geometry;
  const panelBytes = panelByteLength(variant, depth);
  // A last panel of fewer columns keeps what was there in the others: their sums are not stored.
  return (view, matrix) => {
    const source = addressOf(view) + matrix * depth * columns * 4;
    for (let column = 0; column < columns; column += variant.panel) {
      const panel = target + (column / variant.panel) * panelBytes;
      const width = Math.min(variant.panel, columns - column);
      copy(source + column * 4, columns * 4, panel, variant.panel * 4, depth, width * 4);
    }
  };
}

/** Multiplies one matrix of the first operand with a packed one. */
function multiplier(
  place: FastPlace,
  { rows, depth, columns }: MatmulGeometry,
  variant: GemmVariant,
  [bias, low, high]: readonly [bias: number, low: number, high: number],
): (x: number, weights: number, out: number) => void {
  return (x, weights, out) => {
    const product = {
      variant,
      a: x,
      aStride: depth * 4,
      rows,
      k: depth,
      n: columns,
      weights,
      out,
      elementBytes: 4,
      threads: place.threads,
    };
    const calls = tileCalls(product, () => [bias, low, high]);
    place.callAll(variant.name, calls, rows * columns * depth);
  };
}
