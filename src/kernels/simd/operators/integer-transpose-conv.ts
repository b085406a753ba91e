/**
 * TRANSPOSE_CONV with int8 weights over linear memory, hybrid and full integer: as for floats, products of one row of the
 * input at a time are added to their places, but as int32 sums, which are scaled or requantized when they are complete.
 */
import { elementCount } from "../../../base/shape.ts";
import type { TensorView } from "../../kernel.ts";
import { optionsOf } from "../../options.ts";
import { channelScales, finiteRange } from "../../reference/output-stage.ts";
import { type TransposeGeometry, transposeGeometry } from "../../reference/transpose-conv.ts";
import { inputAt, outputAt } from "../../require.ts";
import {
  addressOf,
  type EmittedFunction,
  type FastKernel,
  type FastPlace,
  type FastRequest,
  Region,
} from "../fast-kernel.ts";
import {
  emitScaleRows,
  SCALE_ROWS_NAME,
  type ScaleRowsFunction,
} from "../finish/emit-scale-rows.ts";
import {
  layStack,
  type PlacedStack,
  paddedUnits,
  runStack,
  stackFunction,
  stackOf,
  storeStack,
} from "../gemm/stacked-matrix.ts";
import { type AddRowsFunction, addRowsName, emitAddRows } from "../moves/emit-add-rows.ts";
import { COPY_ROWS_NAME, type CopyRowsFunction, emitCopyRows } from "../moves/emit-moves.ts";
import {
  type ActivationPass,
  PASS_SCRATCH_BYTES,
  quantizingPass,
  wideningPass,
} from "./activation-pass.ts";
import { integerFinish, layFinish, storeFinish } from "./integer-finish.ts";
import { bindAddLine, byFilterElement } from "./transpose-conv.ts";

const OPERANDS = { filter: 1, input: 2, bias: 3 };

/** What becomes of the sums of an image: `scale` is that of its activations. */
type FinishImage = (sums: number, out: number, scale: number) => void;

/** The part that hybrid and integer forms do differently. */
interface Form {
  readonly pass: ActivationPass;
  /** Bytes of an element of input and output. */
  readonly itemBytes: 1 | 4;
  /** What the sums of each channel start from. */
  readonly start: Int32Array;
  readonly functions: readonly EmittedFunction[];
  lay(persistent: Region): (place: FastPlace) => FinishImage;
}

export const fastIntegerTransposeConv: FastKernel = (request) => {
  const { node, known, features } = request;
  const geometry = transposeGeometry(node, outputAt(node, 0).shape);
  const filter = known(OPERANDS.filter);
  const bias = node.inputs[OPERANDS.bias] === undefined ? undefined : known(OPERANDS.bias);
  const hasBias = node.inputs[OPERANDS.bias] !== undefined;
  if (filter?.dtype !== "int8" || filter.quantization?.details !== undefined) return undefined;
  if (!(filter.data instanceof Int8Array) || hasBias !== (bias !== undefined)) return undefined;
  if (known(OPERANDS.input) !== undefined) return undefined;
  const { inputWidth, inputHeight, inChannels, outChannels, rows, columns } = geometry;
  if (elementCount(outputAt(node, 0).shape) * inputWidth * inputHeight * inChannels === 0) {
    return undefined;
  }
  const form = formOf(request, geometry, filter, bias);
  if (form === undefined) return undefined;
  const weights = filter.data;
  const units = rows.filterSize * columns.filterSize * outChannels;
  const values = () => byFilterElement(weights, geometry);
  const matrix = { units, depth: inChannels, values, scales: undefined };
  const stack = stackOf("qi8", matrix, inputWidth, features);
  const lay = (persistent: Region, scratch: Region): Places => ({
    weights: layStack(persistent, stack),
    zeros: persistent.take(paddedUnits(stack) * 4),
    start: persistent.take(outChannels * 4),
    finish: form.lay(persistent),
    pass: scratch.take(PASS_SCRATCH_BYTES),
    rows: scratch.take(inputHeight * inputWidth * inChannels * 2),
    products: scratch.take(inputWidth * units * 4),
    sums: scratch.take(rows.inputSize * columns.inputSize * outChannels * 4),
  });
  const [persistent, scratch] = [new Region(), new Region()];
  lay(persistent, scratch);
  return {
    variant: `transposed ${stack.variant.name}`,
    functions: [
      stackFunction(stack),
      { name: addRowsName("i32"), emit: (module) => emitAddRows(module, "i32") },
      { name: COPY_ROWS_NAME, emit: emitCopyRows },
      ...form.pass.functions,
      ...form.functions,
    ],
    persistentBytes: persistent.byteLength,
    scratchBytes: scratch.byteLength,
    bind(place) {
      const at = lay(new Region(place.persistent), new Region(place.scratch));
      storeStack(place, at.weights);
      new Int32Array(place.memory.buffer, at.start, outChannels).set(form.start);
      const run = bindImage(place, geometry, form, at);
      const inBytes = inputHeight * inputWidth * inChannels * form.itemBytes;
      const outBytes = rows.inputSize * columns.inputSize * outChannels * form.itemBytes;
      return (inputs, [out]) => {
        for (let b = 0; b < geometry.batch; b++) {
          run(addressOf(inputs[OPERANDS.input]) + b * inBytes, addressOf(out) + b * outBytes);
        }
      };
    },
  };
};

/** Addresses in bytes. */
interface Places {
  readonly weights: PlacedStack;
  readonly zeros: number;
  readonly start: number;
  readonly finish: (place: FastPlace) => FinishImage;
  readonly pass: number;
  readonly rows: number;
  readonly products: number;
  readonly sums: number;
}

/** Makes the function that computes one image. */
function bindImage(
  place: FastPlace,
  geometry: TransposeGeometry,
  form: Form,
  at: Places,
): (source: number, out: number) => void {
  const { rows, columns, inputHeight, inputWidth, inChannels, outChannels } = geometry;
  const pass = form.pass.bind(place, at.pass);
  const copy = place.call<CopyRowsFunction>(COPY_ROWS_NAME);
  const addLine = bindAddLine(geometry, place.call<AddRowsFunction>(addRowsName("i32")));
  const finish = at.finish(place);
  const aStride = inChannels * 2;
  const pixels = rows.inputSize * columns.inputSize;
  return (source, out) => {
    const { scale } = pass(source, inputHeight * inputWidth * inChannels, at.rows);
    copy(at.start, 0, at.sums, outChannels * 4, pixels, outChannels * 4);
    for (let line = 0; line < inputHeight; line++) {
      const a = at.rows + line * inputWidth * aStride;
      const product = { a, aStride, rows: inputWidth, out: at.products, bias: at.zeros };
      runStack(place, at.weights, product);
      addLine(line, at.products, at.sums);
    }
    finish(at.sums, out, scale);
  };
}

function formOf(
  request: FastRequest,
  geometry: TransposeGeometry,
  filter: TensorView,
  bias: TensorView | undefined,
): Form | undefined {
  const input = inputAt(request.node, OPERANDS.input).dtype;
  if (input === "float32") return hybridForm(request, geometry, filter, bias);
  return input === "int8" ? integerForm(request, geometry, bias) : undefined;
}

function hybridForm(
  { node }: FastRequest,
  { outChannels, rows, columns }: TransposeGeometry,
  filter: TensorView,
  bias: TensorView | undefined,
): Form {
  const { fused_activation_function } = optionsOf(node, "TransposeConvOptions");
  const { min, max } = finiteRange(node, fused_activation_function);
  const weightScales = channelScales(node, filter, outChannels);
  const pixels = rows.inputSize * columns.inputSize;
  return {
    pass: quantizingPass("int16", true),
    itemBytes: 4,
    start: new Int32Array(outChannels),
    functions: [{ name: SCALE_ROWS_NAME, emit: emitScaleRows }],
    lay: (persistent) => {
      const [scales, biases] = [0, 1].map(() => persistent.take(outChannels * 4)) as [
        number,
        number,
      ];
      return (place) => {
        new Float32Array(place.memory.buffer, scales, outChannels).set(weightScales);
        if (bias?.data instanceof Float32Array) {
          new Float32Array(place.memory.buffer, biases, outChannels).set(bias.data);
        }
        const run = place.call<ScaleRowsFunction>(SCALE_ROWS_NAME);
        return (sums, out, scale) =>
          run(sums, pixels, outChannels, out, scales, biases, scale, min, max);
      };
    },
  };
}

function integerForm(
  { node }: FastRequest,
  { outChannels, rows, columns }: TransposeGeometry,
  bias: TensorView | undefined,
): Form | undefined {
  const { fused_activation_function } = optionsOf(node, "TransposeConvOptions");
  const input = inputAt(node, OPERANDS.input);
  const finish = integerFinish(node, fused_activation_function, outChannels, "ties-up-by-8", input);
  if (finish === undefined || (bias !== undefined && !(bias.data instanceof Int32Array))) {
    return undefined;
  }
  const pixels = rows.inputSize * columns.inputSize;
  return {
    pass: wideningPass("int16", "int8", input.quantization?.zeroPoint[0] ?? 0),
    itemBytes: 1,
    start: bias?.data instanceof Int32Array ? bias.data : new Int32Array(outChannels),
    functions: finish.functions,
    lay: (persistent) => {
      const at = layFinish(persistent, finish);
      return (place) => {
        const requantize = storeFinish(place, finish, at);
        return (sums, out) => requantize(sums, pixels, outChannels, out);
      };
    },
  };
}
