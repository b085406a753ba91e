/**
 * TRANSPOSE_CONV with quantized weights over linear memory, hybrid and full integer: as for floats, products of one row of
 * the input at a time are added to their places, but as int32 sums, which are scaled or requantized when they are complete.
 */
import { elementCount } from "../../../base/shape.ts";
import type { TensorView } from "../../kernel.ts";
import { optionsOf } from "../../options.ts";
import { channelScales, finiteRange } from "../../reference/output-stage.ts";
import {
  type TransposeGeometry,
  transposeGeometry,
  transposeLaw,
} from "../../reference/transpose-conv.ts";
import { centeredWeights, hybridWeights } from "../../reference/weights.ts";
import { inputAt, outputAt } from "../../require.ts";
import type { ByteType } from "../activations/emit-quantize.ts";
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
import { integerFinish, type SumFinish, sumFinish } from "./integer-finish.ts";
import { productTypes } from "./product-types.ts";
import { bindAddLine, byFilterElement } from "./transpose-conv.ts";
import { wideProduct } from "./wide-product.ts";

const OPERANDS = { filter: 1, input: 2, bias: 3 };

/** What becomes of the sums of an image: `scale` is that of its activations. */
type FinishImage = (sums: number, out: number, scale: number) => void;

/** The part that hybrid and integer forms do differently. */
interface Form {
  readonly weights: Int8Array | Int16Array;
  /** Absent for int16 activations, which are multiplied as they are. */
  readonly pass: ActivationPass | undefined;
  /** Bytes of an element of input and output. */
  readonly itemBytes: 1 | 2 | 4;
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
  if (filter === undefined || filter.quantization?.details !== undefined) return undefined;
  if (known(OPERANDS.input) !== undefined || hasBias !== (bias !== undefined)) return undefined;
  const { inputWidth, inputHeight, inChannels, outChannels, rows, columns } = geometry;
  if (elementCount(outputAt(node, 0).shape) * inputWidth * inputHeight * inChannels === 0) {
    return undefined;
  }
  const form = formOf(request, geometry, filter, bias);
  if (form === undefined) return undefined;
  const { weights } = form;
  const units = rows.filterSize * columns.filterSize * outChannels;
  const values = () => byFilterElement(weights, geometry);
  const matrix = { units, depth: inChannels, values, scales: undefined };
  const data = weights instanceof Int8Array ? "qi8" : "qi16";
  const stack = stackOf(data, matrix, inputWidth, features);
  const lay = (persistent: Region, scratch: Region): Places => ({
    weights: layStack(persistent, stack),
    zeros: persistent.take(paddedUnits(stack) * 4),
    start: persistent.take(outChannels * 4),
    finish: form.lay(persistent),
    pass: scratch.take(PASS_SCRATCH_BYTES),
    rows: scratch.take(form.pass === undefined ? 0 : inputHeight * inputWidth * inChannels * 2),
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
      ...(form.pass?.functions ?? []),
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
  const pass = form.pass?.bind(place, at.pass);
  const copy = place.call<CopyRowsFunction>(COPY_ROWS_NAME);
  const addLine = bindAddLine(geometry, place.call<AddRowsFunction>(addRowsName("i32")));
  const finish = at.finish(place);
  const aStride = inChannels * 2;
  const pixels = rows.inputSize * columns.inputSize;
  return (source, out) => {
    const scale = pass?.(source, inputHeight * inputWidth * inChannels, at.rows).scale ?? 1;
    const image = pass === undefined ? source : at.rows;
    copy(at.start, 0, at.sums, outChannels * 4, pixels, outChannels * 4);
    for (let line = 0; line < inputHeight; line++) {
      const a = image + line * inputWidth * aStride;
      const product = { a, aStride, rows: inputWidth, out: at.products, bias: at.zeros };
      runStack(place, at.weights, product);
      addLine(line, at.products, at.sums);
    }
    finish(at.sums, out, scale);
  };
}

/** The form of a node; undefined for types and factors that are left to the reference. */
function formOf(
  request: FastRequest,
  geometry: TransposeGeometry,
  filter: TensorView,
  bias: TensorView | undefined,
): Form | undefined {
  const types = productTypes(inputAt(request.node, OPERANDS.input).dtype, filter.dtype);
  switch (types) {
    case "hybrid":
      return hybridForm(request, geometry, filter, bias);
    case "int8":
    case "uint8":
      return integerForm(request, geometry, filter, bias, types);
    case "int16":
      return wideForm(request, geometry, filter, bias);
    default:
      return undefined;
  }
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
    weights: hybridWeights(filter),
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
  geometry: TransposeGeometry,
  filter: TensorView,
  bias: TensorView | undefined,
  from: ByteType,
): Form | undefined {
  const { outChannels } = geometry;
  const { fused_activation_function } = optionsOf(node, "TransposeConvOptions");
  const input = inputAt(node, OPERANDS.input);
  const law = from === "uint8" ? "ties-up" : "ties-up-by-8";
  const finish = integerFinish(node, fused_activation_function, outChannels, law, input);
  if (finish === undefined || (bias !== undefined && !(bias.data instanceof Int32Array))) {
    return undefined;
  }
  return {
    weights: centeredWeights(filter),
    pass: wideningPass("int16", from, input.quantization?.zeroPoint[0] ?? 0),
    itemBytes: 1,
    start: bias?.data instanceof Int32Array ? bias.data : new Int32Array(outChannels),
    ...finishImage(geometry, sumFinish(finish)),
  };
}

/** int16 activations. */
function wideForm(
  { node }: FastRequest,
  geometry: TransposeGeometry,
  filter: TensorView,
  bias: TensorView | undefined,
): Form | undefined {
  const { fused_activation_function } = optionsOf(node, "TransposeConvOptions");
  const law = transposeLaw(node);
  const input = inputAt(node, OPERANDS.input);
  const settings = { channels: geometry.outChannels, law, input };
  const product = wideProduct(node, fused_activation_function, settings, filter, bias);
  if (product === undefined) return undefined;
  const { weights, sumBias: start, finish } = product;
  return { weights, pass: undefined, itemBytes: 2, start, ...finishImage(geometry, finish) };
}

/** Requantizes the sums of an image, which are not scaled by anything that is known only while running. */
function finishImage(
  { rows, columns, outChannels }: TransposeGeometry,
  { functions, lay }: SumFinish,
): Pick<Form, "functions" | "lay"> {
  const pixels = rows.inputSize * columns.inputSize;
  return {
    functions,
    lay: (persistent) => {
      const bind = lay(persistent);
      return (place) => {
        const requantize = bind(place);
        return (sums, out) => requantize(sums, pixels, outChannels, out);
      };
    },
  };
}
