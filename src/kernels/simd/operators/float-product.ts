/** Products with float results. */
import { assert } from "../../../base/errors.ts";
import type { ActivationFunctionType } from "../../../formats/tflite/schema.gen.ts";
import type { KernelNode, TensorView } from "../../kernel.ts";
import { clampRange } from "../../reference/activation.ts";
import { channelScales } from "../../reference/output-stage.ts";
import { hybridWeights } from "../../reference/weights.ts";
import type { FastRequest } from "../fast-kernel.ts";
import { byteActivations } from "../gemm/choose.ts";
import type { FloatGemm, ResidualArguments } from "../gemm/float-stage.ts";
import type { HybridDotGemm, HybridGemm } from "../gemm/hybrid-stage.ts";
import { columnSums } from "../gemm/pack.ts";
import { listsFor } from "../gemm/pair-lists.ts";
import { quantizingPass } from "./activation-pass.ts";
import type {
  ProductKind,
  ProductRequest,
  ResidualPlace,
  StageColumn,
  StageOf,
} from "./product-kind.ts";

/** The bias as floats; zeros where there is none. */
function floatBias(bias: TensorView | undefined, n: number): Float32Array {
  return bias?.data instanceof Float32Array ? bias.data : new Float32Array(n);
}

/** The stage's last arguments, from the place that the run has set. */
function residualArguments(
  node: KernelNode,
  residual: ActivationFunctionType | undefined,
  place: ResidualPlace,
): () => ResidualArguments | readonly [] {
  if (residual === undefined) return () => [];
  const { min, max } = clampRange(node, residual);
  return () => [place.distance, min, max];
}

/** Floats. */
export function floatKind(
  { node }: FastRequest,
  { n, activation, floatRange, residual }: ProductRequest,
  filter: TensorView,
  bias: TensorView | undefined,
): ProductKind {
  const { data } = filter;
  assert(data instanceof Float32Array, "float weights");
  const { min, max } = floatRange(node, activation);
  return {
    data: "f32",
    smallSums: false,
    weights: () => data,
    columns: [floatBias(bias, n)],
    pass: undefined,
    zeroPoint: 0,
    elementBytes: 4,
    bindStage: ([bias = 0], { residual: place }) => {
      const last = residualArguments(node, residual, place);
      return (_, column) => {
        const stage: StageOf<FloatGemm> = [bias + column * 4, min, max];
        return [...stage, ...last()];
      };
    },
  };
}

/** Rows from which on weights are packed as int16: with fewer, reading twice the bytes takes longer than widening them. */
const MIN_SHARING_ROWS = 32;

/** Float activations that are quantized on the fly, with weights of int8 or int4. */
export function hybridKind(
  { node, features }: FastRequest,
  { rows, n, k, activation, asymmetric, floatRange, residual }: ProductRequest,
  filter: TensorView,
  bias: TensorView | undefined,
): ProductKind {
  const { min, max } = floatRange(node, activation);
  const packed = filter.dtype === "int4" ? "qd4" : "qd8";
  const exact = byteActivations(packed, features);
  const isInexact = packed === "qd8" && exact === undefined;
  const lists = isInexact ? listsFor(hybridWeights(filter), { rows, n, k }, features) : undefined;
  const dot = lists === undefined ? exact : features.pairs;
  const isShared = isInexact && lists === undefined && rows >= MIN_SHARING_ROWS;
  const data = isShared ? "qd16" : packed;
  const columns: StageColumn[] = [channelScales(node, filter, n), floatBias(bias, n)];
  if (dot !== undefined) columns.push(columnSums(hybridWeights(filter), n, k));
  return {
    data,
    lists,
    smallSums: false,
    weights: () => hybridWeights(filter),
    columns,
    pass: quantizingPass(dot ?? "int16", asymmetric, features),
    zeroPoint: 0,
    elementBytes: 4,
    bindStage: ([scales = 0, bias = 0, sums = 0], rows) => {
      const distance = rows.zeroPoints - rows.scales;
      const last = residualArguments(node, residual, rows.residual);
      return (row, column) => {
        const common: StageOf<HybridGemm> = [
          scales + column * 4,
          rows.scales + row * rows.stride,
          rows.stride,
          bias + column * 4,
          min,
          max,
        ];
        if (dot === undefined) return [...common, ...last()];
        const stage: StageOf<HybridDotGemm> = [...common, sums + column * 4, distance];
        return [...stage, ...last()];
      };
    },
  };
}
