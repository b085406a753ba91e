/**
 * CONV_2D in groups over linear memory: the windows of one group at a time are gathered and multiplied with its weights,
 * and written between the channels of the others. Float, hybrid, and bytes, whose sums are requantized when those of all
 * groups are there, because they round halves away from zero. Convolutions of int16 activations are done so even where
 * they have one group.
 */
import { assert } from "../../../base/errors.ts";
import { elementCount } from "../../../base/shape.ts";
import type { TensorView } from "../../kernel.ts";
import { optionsOf } from "../../options.ts";
import { type ConvGeometry, convGeometry } from "../../reference/conv.ts";
import { channelScales, finiteRange } from "../../reference/output-stage.ts";
import { centeredWeights, hybridWeights } from "../../reference/weights.ts";
import { inputAt } from "../../require.ts";
import type { ByteType } from "../activations/emit-quantize.ts";
import {
  addressOf,
  type FastKernel,
  type FastPlace,
  type FastRequest,
  Region,
} from "../fast-kernel.ts";
import { emitGather, GATHER_NAME } from "../gather/emit-gather.ts";
import {
  layStack,
  type PlacedStack,
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
import { bindGather, rowTableBytes } from "./gather-windows.ts";
import { integerFinish, type SumFinish, sumFinish } from "./integer-finish.ts";
import { productTypes } from "./product-types.ts";
import { wideProduct } from "./wide-product.ts";

/** Bytes of a strip of gathered windows, which should stay in the first-level cache. */
const STRIP_BYTES = 16 * 1024;

/** Float, hybrid or integer, and what that takes. */
interface Form {
  readonly data: "f32" | "qd8" | "qi8" | "qi16";
  readonly pass: ActivationPass | undefined;
  readonly weights: Float32Array | Int8Array | Int16Array;
  readonly scales: Float32Array | undefined;
  readonly bias: Float32Array | Int32Array;
  readonly finish: SumFinish | undefined;
  /** Bytes of an element of input and output. */
  readonly itemBytes: 1 | 2 | 4;
}

export const fastGroupedConv: FastKernel = (request) => {
  const geometry = convGeometry(request.node);
  const form = formOf(request, geometry);
  if (form === undefined) return undefined;
  const plan = planGroups(request, geometry, form);
  const [persistent, scratch] = [new Region(), new Region()];
  layGroups(persistent, scratch, plan);
  return {
    variant: `grouped ${plan.stacks[0]?.variant.name}`,
    functions: [
      ...plan.stacks.map(stackFunction),
      { name: GATHER_NAME, emit: emitGather },
      ...(form.pass?.functions ?? []),
      ...(form.finish?.functions ?? []),
    ],
    persistentBytes: persistent.byteLength,
    scratchBytes: scratch.byteLength,
    bind(place) {
      const at = layGroups(new Region(place.persistent), new Region(place.scratch), plan);
      const convolve = bindGroups(place, plan, at);
      const count = imageElements(geometry);
      const results = geometry.rows.outputSize * geometry.columns.outputSize * geometry.outChannels;
      const { itemBytes } = form;
      const pass = form.pass?.bind(place, at.pass);
      const scale = new Float32Array(place.memory.buffer, at.scale, 1);
      return ([input], [output]) => {
        for (let b = 0; b < geometry.batch; b++) {
          const image = addressOf(input) + b * count * itemBytes;
          if (pass !== undefined) scale[0] = pass(image, count, at.prepared).scale;
          const source = pass === undefined ? image : at.prepared;
          convolve(source, addressOf(output) + b * results * itemBytes);
        }
      };
    },
  };
};

function imageElements({ rows, columns, channels }: ConvGeometry): number {
  return rows.inputSize * columns.inputSize * channels;
}

/** The form of a node; undefined for types and constants that are left to the reference. */
function formOf(request: FastRequest, geometry: ConvGeometry): Form | undefined {
  const { node, known } = request;
  const filter = known(1);
  const bias = node.inputs[2] === undefined ? undefined : known(2);
  if (filter === undefined || (node.inputs[2] !== undefined && bias === undefined))
    return undefined;
  if (filter.quantization?.details !== undefined || elementCount(filter.shape) === 0)
    return undefined;
  if (imageElements(geometry) === 0 || known(0) !== undefined) return undefined;
  const { outChannels } = geometry;
  const floatBias = bias?.data instanceof Float32Array ? bias.data : new Float32Array(outChannels);
  const none = { scales: undefined, finish: undefined, itemBytes: 4 } as const;
  const types = productTypes(inputAt(node, 0).dtype, filter.dtype);
  switch (types) {
    case "float":
      assert(filter.data instanceof Float32Array, "float weights");
      return { ...none, data: "f32", pass: undefined, weights: filter.data, bias: floatBias };
    case "hybrid":
      return {
        ...{ ...none, data: "qd8", pass: quantizingPass("int16", true), bias: floatBias },
        weights: hybridWeights(filter),
        scales: channelScales(node, filter, outChannels),
      };
    case "int16":
      return wideForm(request, geometry, filter, bias);
    case "int8":
    case "uint8":
      return integerForm(request, geometry, filter, bias, types);
    case undefined:
      return undefined;
  }
}

function integerForm(
  { node }: FastRequest,
  { outChannels }: ConvGeometry,
  filter: TensorView,
  bias: TensorView | undefined,
  from: ByteType,
): Form | undefined {
  const { fused_activation_function } = optionsOf(node, "Conv2DOptions");
  const finish = integerFinish(node, fused_activation_function, outChannels, "ties-away");
  if (finish === undefined) return undefined;
  if (bias !== undefined && !(bias.data instanceof Int32Array)) return undefined;
  const weights = centeredWeights(filter);
  return {
    data: weights instanceof Int8Array ? "qi8" : "qi16",
    pass: wideningPass("int16", from, inputAt(node, 0).quantization?.zeroPoint[0] ?? 0),
    weights,
    scales: undefined,
    bias: bias?.data instanceof Int32Array ? bias.data : new Int32Array(outChannels),
    finish: sumFinish(finish),
    itemBytes: 1,
  };
}

/** int16 activations, which are multiplied as they are. */
function wideForm(
  { node }: FastRequest,
  { outChannels }: ConvGeometry,
  filter: TensorView,
  bias: TensorView | undefined,
): Form | undefined {
  const { fused_activation_function } = optionsOf(node, "Conv2DOptions");
  const law = bias?.dtype === "int32" ? "ties-away" : "wide";
  const product = wideProduct(
    node,
    fused_activation_function,
    { channels: outChannels, law },
    filter,
    bias,
  );
  if (product === undefined) return undefined;
  const { weights, sumBias, finish } = product;
  const none = { pass: undefined, scales: undefined };
  return { ...none, data: "qi8", weights, bias: sumBias, finish, itemBytes: 2 };
}

interface GroupPlan {
  readonly geometry: ConvGeometry;
  readonly form: Form;
  /** The matrix of each group. */
  readonly stacks: readonly StackedMatrix[];
  readonly limits: readonly [low: number, high: number];
  readonly stripRows: number;
}

function planGroups(
  { node, features }: FastRequest,
  geometry: ConvGeometry,
  form: Form,
): GroupPlan {
  const { rows, columns, groups, groupChannels, outChannels } = geometry;
  const units = outChannels / groups;
  const depth = rows.filterSize * columns.filterSize * groupChannels;
  const pixels = rows.outputSize * columns.outputSize;
  const stripRows = Math.max(1, Math.min(pixels, Math.floor(STRIP_BYTES / (depth * 4))));
  const { min, max } = finiteRange(
    node,
    optionsOf(node, "Conv2DOptions").fused_activation_function,
  );
  const stacks = Array.from({ length: groups }, (_, group) => {
    const values = () => form.weights.subarray(group * units * depth, (group + 1) * units * depth);
    const scales = form.scales?.subarray(group * units, (group + 1) * units);
    return stackOf(form.data, { units, depth, values, scales }, stripRows, features);
  });
  return { geometry, form, stacks, limits: [min, max], stripRows };
}

/** Addresses in bytes. */
interface GroupPlaces {
  readonly stacks: readonly PlacedStack[];
  readonly bias: number;
  readonly finish: ReturnType<SumFinish["lay"]> | undefined;
  readonly pass: number;
  readonly scale: number;
  readonly prepared: number;
  readonly rowTable: number;
  readonly strip: number;
  /** Sums of all groups for a strip of pixels, where they are requantized. */
  readonly sums: number;
}

function layGroups(persistent: Region, scratch: Region, plan: GroupPlan): GroupPlaces {
  const { geometry, form, stacks, stripRows } = plan;
  const [stack] = stacks as [StackedMatrix];
  return {
    stacks: stacks.map((own) => layStack(persistent, own)),
    bias: persistent.take((geometry.outChannels + paddedUnits(stack)) * 4),
    finish: form.finish?.lay(persistent),
    pass: scratch.take(PASS_SCRATCH_BYTES),
    scale: scratch.take(4),
    prepared: scratch.take(form.pass === undefined ? 0 : imageElements(geometry) * 2),
    rowTable: scratch.take(rowTableBytes(geometry, stripRows)),
    strip: scratch.take(stripRows * vectorStride(stack)),
    sums: scratch.take(form.finish === undefined ? 0 : stripRows * geometry.outChannels * 4),
  };
}

/** Makes the function that convolves one prepared image. */
function bindGroups(
  place: FastPlace,
  plan: GroupPlan,
  at: GroupPlaces,
): (image: number, out: number) => void {
  const { geometry, form, stacks, limits, stripRows } = plan;
  const { rows, columns, groupChannels, outChannels, groups } = geometry;
  const { buffer } = place.memory;
  for (const own of at.stacks) storeStack(place, own);
  const Bias = form.bias instanceof Int32Array ? Int32Array : Float32Array;
  new Bias(buffer, at.bias, outChannels).set(form.bias);
  const requantize = at.finish?.(place);
  const [stack] = stacks as [StackedMatrix];
  const elementBytes = form.pass?.storedBytes ?? form.itemBytes;
  const gather = bindGather(place, { geometry, elementBytes, rowBytes: vectorStride(stack) }, at);
  const pixels = rows.outputSize * columns.outputSize;
  const outStride = outChannels * 4;
  return (image, out) => {
    for (let pixel = 0; pixel < pixels; pixel += stripRows) {
      const count = Math.min(stripRows, pixels - pixel);
      const target = requantize === undefined ? out + pixel * outStride : at.sums;
      for (const [group, weights] of at.stacks.entries()) {
        gather(image + group * groupChannels * elementBytes, pixel, count, 0);
        const first = (group * outChannels) / groups;
        const scales = { scales: at.scale, scaleStride: 0 } as const;
        const ends = { out: target + first * 4, outStride, bias: at.bias + first * 4 };
        const vectors = { a: at.strip, rows: count, ...scales, ...ends };
        runStack(place, weights, vectors, limits);
      }
      requantize?.(at.sums, count, outChannels, out + pixel * outChannels * form.itemBytes);
    }
  };
}
