/**
 * TRANSPOSE_CONV on float32 over linear memory. One row of the input at a time is multiplied with the weights of all
 * filter elements; the products of a pixel in one filter row lie side by side, as their places in the output do, and
 * are added there.
 */
import { assert } from "../../../base/errors.ts";
import { elementCount } from "../../../base/shape.ts";
import { optionsOf } from "../../options.ts";
import { finiteRange } from "../../reference/output-stage.ts";
import { type TransposeGeometry, transposeGeometry } from "../../reference/transpose-conv.ts";
import { insideRange } from "../../reference/window.ts";
import { inputAt, outputAt } from "../../require.ts";
import { emitUnary, type UnaryFunction, unaryName } from "../elementwise/emit-unary.ts";
import { addressOf, type FastKernel, Region } from "../fast-kernel.ts";
import { chooseGemm } from "../gemm/choose.ts";
import { emitGemm, type GemmCommon } from "../gemm/emit-gemm.ts";
import { packedByteLength, packFloat } from "../gemm/pack.ts";
import { type AddRowsFunction, addRowsName, emitAddRows } from "../moves/emit-add-rows.ts";
import { COPY_ROWS_NAME, type CopyRowsFunction, emitCopyRows } from "../moves/emit-moves.ts";

const OPERANDS = { filter: 1, input: 2, bias: 3 };

export const fastFloatTransposeConv: FastKernel = ({ node, known, features }) => {
  const output = outputAt(node, 0);
  const geometry = transposeGeometry(node, output.shape);
  const filter = known(OPERANDS.filter);
  const hasBias = node.inputs[OPERANDS.bias] !== undefined;
  const bias = hasBias ? known(OPERANDS.bias) : undefined;
  if (inputAt(node, OPERANDS.input).dtype !== "float32" || hasBias !== (bias !== undefined)) {
    return undefined;
  }
  if (!(filter?.data instanceof Float32Array) || known(OPERANDS.input) !== undefined) {
    return undefined;
  }
  const { batch, rows, columns, inputHeight, inputWidth, inChannels, outChannels } = geometry;
  if (elementCount(output.shape) === 0 || inputWidth * inputHeight * inChannels === 0) {
    return undefined;
  }
  const weights = byFilterElement(filter.data, geometry);
  const products = rows.filterSize * columns.filterSize * outChannels;
  const variant = chooseGemm("f32", { rows: inputWidth, n: products, k: inChannels }, features);
  const lay = (region: Region) => ({
    weights: region.take(packedByteLength(variant, products, inChannels)),
    zeros: region.take(Math.ceil(products / variant.nr) * variant.nr * 4),
    bias: region.take(outChannels * 4),
  });
  const persistent = new Region();
  lay(persistent);
  const { fused_activation_function } = optionsOf(node, "TransposeConvOptions");
  const { min, max } = finiteRange(node, fused_activation_function);
  return {
    variant: `transposed ${variant.name}`,
    functions: [
      { name: variant.name, emit: (module) => emitGemm(module, variant) },
      { name: addRowsName("f32"), emit: (module) => emitAddRows(module, "f32") },
      { name: COPY_ROWS_NAME, emit: emitCopyRows },
      { name: unaryName("clamp"), emit: (module) => emitUnary(module, "clamp") },
    ],
    persistentBytes: persistent.byteLength,
    scratchBytes: inputWidth * products * 4,
    bind(place) {
      const { buffer } = place.memory;
      const at = lay(new Region(place.persistent));
      const length = packedByteLength(variant, products, inChannels) / 4;
      const packed = new Float32Array(buffer, at.weights, length);
      packFloat(weights, products, inChannels, variant.panel, packed);
      if (bias?.data instanceof Float32Array) {
        new Float32Array(buffer, at.bias, outChannels).set(bias.data);
      }
      const multiply = place.call<(...args: number[]) => void>(variant.name);
      const addLine = bindAddLine(geometry, place.call<AddRowsFunction>(addRowsName("f32")));
      const copyRows = place.call<CopyRowsFunction>(COPY_ROWS_NAME);
      const clamp = place.call<UnaryFunction>(unaryName("clamp"));
      const pixels = elementCount(output.shape) / outChannels;
      const rowBytes = inputWidth * inChannels * 4;
      return (inputs, [out]) => {
        const [source, target] = [addressOf(inputs[OPERANDS.input]), addressOf(out)];
        copyRows(at.bias, 0, target, outChannels * 4, pixels, outChannels * 4);
        for (let line = 0; line < batch * inputHeight; line++) {
          const [from, result] = [source + line * rowBytes, place.scratch];
          const stride = inChannels * 4;
          const common: GemmCommon = [
            ...([from, stride, at.weights, result, products * 4] as const),
            ...([inputWidth, products, inChannels] as const),
          ];
          multiply(...common, at.zeros, -Infinity, Infinity);
          addLine(line, result, target);
        }
        clamp(target, pixels * outChannels, target, min, max);
      };
    },
  };
};

/** Makes the function that adds the products of one input row, words at `from`, to the output at `target`. */
export function bindAddLine(
  geometry: TransposeGeometry,
  addRows: AddRowsFunction,
): (line: number, from: number, target: number) => void {
  const { rows, columns, inputHeight, outChannels } = geometry;
  const products = rows.filterSize * columns.filterSize * outChannels;
  const outRowBytes = columns.inputSize * outChannels * 4;
  const runs = filterRuns(geometry);
  return (line, from, target) => {
    const top = (line % inputHeight) * rows.stride - rows.padBefore;
    const [firstRow, endRow] = insideRange(rows, top);
    const image = Math.floor(line / inputHeight) * rows.inputSize;
    for (let ky = firstRow; ky < endRow; ky++) {
      const outRow = target + (image + top + ky) * outRowBytes;
      for (const { x, pixels, first, count, column } of runs) {
        const element = ky * columns.filterSize + first;
        addRows(
          from + (x * products + element * outChannels) * 4,
          products * 4,
          outRow + column * outChannels * 4,
          columns.stride * outChannels * 4,
          pixels,
          count * outChannels,
        );
      }
    }
  };
}

/** Weights [outChannels, window, inChannels] with the first two axes exchanged. */
export function byFilterElement<Weights extends Float32Array | Int8Array | Int16Array>(
  weights: Weights,
  geometry: TransposeGeometry,
): Weights {
  const { rows, columns, inChannels, outChannels } = geometry;
  const window = rows.filterSize * columns.filterSize;
  assert(weights.length === window * inChannels * outChannels, "a filter of four axes");
  const exchanged = weights.slice() as Weights;
  for (let c = 0; c < outChannels; c++) {
    for (let element = 0; element < window; element++) {
      const from = (c * window + element) * inChannels;
      const row = weights.subarray(from, from + inChannels);
      exchanged.set(row, (element * outChannels + c) * inChannels);
    }
  }
  return exchanged;
}

/** Neighbouring input pixels whose windows meet the output in the same filter columns. */
interface FilterRun {
  readonly x: number;
  readonly pixels: number;
  /** Filter columns [first, first + count). */
  readonly first: number;
  readonly count: number;
  /** Output column of the first pixel's first filter column. */
  readonly column: number;
}

function filterRuns({ columns, inputWidth }: TransposeGeometry): FilterRun[] {
  const runs: FilterRun[] = [];
  for (let x = 0; x < inputWidth; x++) {
    const left = x * columns.stride - columns.padBefore;
    const [first, end] = insideRange(columns, left);
    const last = runs.at(-1);
    if (end <= first) continue;
    if (last?.first === first && last.count === end - first && last.x + last.pixels === x) {
      runs[runs.length - 1] = { ...last, pixels: last.pixels + 1 };
    } else {
      runs.push({ x, pixels: 1, first, count: end - first, column: left + first });
    }
  }
  return runs;
}
