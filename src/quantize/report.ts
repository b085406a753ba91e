/** What was done to each constant and why others were left alone: plain data, for a table or as JSON. */

import type { DType } from "../base/dtype.ts";
import type { Diagnostic } from "../base/errors.ts";
import { fromFloat16 } from "../base/float16.ts";
import type { Model } from "../model/ir.ts";
import { sqnrDecibels } from "./error-tally.ts";
import type { KeepCode } from "./keep-reason.ts";
import type { ConstantPlan, SubgraphPlan } from "./plan.ts";
import type { QuantizedWeight } from "./quantize-weight.ts";
import type { WeightStore } from "./store.ts";
import type { WeightFormat } from "./weight-format.ts";

/** A constant in its new form; one that is stored in two forms has two entries. */
export interface QuantizedTensorEntry {
  readonly subgraph: number;
  readonly tensor: number;
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly granularity: "tensor" | "channel" | "block" | "none";
  /** Axis of the channels, where there is one scale for each. */
  readonly axis?: number;
  /** Elements of a row that share a scale, where they are cut into blocks. */
  readonly blockSize?: number;
  readonly scaleMin?: number;
  readonly scaleMax?: number;
  /** Operators that read it directly, and those that read it through DEQUANTIZE. */
  readonly readBy: readonly string[];
  readonly dequantizedFor: readonly string[];
  /** Signal-to-quantization-noise ratio in decibels; null when nothing was lost. */
  readonly sqnrDb: number | null;
  readonly largestError: number;
  /** Share of values outside the representable range, 0 … 1. */
  readonly clippedShare: number;
  /** NaN and infinities that were replaced. */
  readonly nonFinite: number;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
}

/** A constant that some operator still reads as floats, with one reason for each such use. */
export interface KeptTensorEntry {
  readonly subgraph: number;
  readonly tensor: number;
  readonly name: string;
  readonly shape: readonly number[];
  readonly bytes: number;
  readonly reasons: readonly {
    readonly code: KeepCode;
    readonly text: string;
    /** The reader; absent where the reason concerns the tensor as such. */
    readonly operator?: string;
  }[];
}

/** The outcome as a whole. */
export interface QuantizationReport {
  readonly mode: string;
  readonly quantized: readonly QuantizedTensorEntry[];
  readonly kept: readonly KeptTensorEntry[];
  /** Constants that were integers or half floats before. */
  readonly alreadyQuantized: number;
  readonly totals: {
    readonly constantBytesBefore: number;
    readonly constantBytesAfter: number;
    readonly quantizedBytesBefore: number;
    readonly quantizedBytesAfter: number;
  };
  /** Pairs of convolutions that were equalized, operators whose bias was corrected. */
  readonly repairs: { readonly equalizedPairs: number; readonly correctedBiases: number };
  readonly diagnostics: readonly Diagnostic[];
}

/** What a quantization went through. */
export interface QuantizationRun {
  readonly mode: string;
  readonly before: Model;
  /** The float model that the plans are about: `before`, or what repairs made of it. */
  readonly planned: Model;
  readonly after: Model;
  readonly plans: readonly SubgraphPlan[];
  readonly store: WeightStore;
  readonly repairs: QuantizationReport["repairs"];
  readonly diagnostics: readonly Diagnostic[];
}

/** Lists what the plans did. */
export function reportOf(run: QuantizationRun): QuantizationReport {
  const { mode, before, planned, after, plans, store, repairs, diagnostics } = run;
  const constants = plans.flatMap(({ constants }) => constants);
  const quantized = constants.flatMap((plan) => quantizedEntries(planned, plan, store));
  return {
    mode,
    quantized,
    kept: constants.filter(({ kept }) => kept.length > 0).map((plan) => keptEntry(planned, plan)),
    alreadyQuantized: countQuantized(before),
    totals: {
      constantBytesBefore: constantBytes(before),
      constantBytesAfter: constantBytes(after),
      quantizedBytesBefore: sum(quantized.map(({ bytesBefore }) => bytesBefore)),
      quantizedBytesAfter: sum(quantized.map(({ bytesAfter }) => bytesAfter)),
    },
    repairs,
    diagnostics,
  };
}

/** Constants that are stored as integers with a scale, or as half floats. */
function countQuantized({ subgraphs, buffers }: Model): number {
  return sum(
    subgraphs.map(
      ({ tensors }) =>
        tensors.filter(
          ({ dtype, quantization, buffer }) =>
            (buffers[buffer]?.byteLength ?? 0) > 0 &&
            (dtype === "float16" || (dtype !== "float32" && isScaled(quantization))),
        ).length,
    ),
  );
}

function isScaled(quantization: Model["subgraphs"][0]["tensors"][0]["quantization"]): boolean {
  return (
    quantization !== undefined &&
    (quantization.scale.length > 0 || quantization.details !== undefined)
  );
}

function quantizedEntries(
  model: Model,
  { constant, forms }: ConstantPlan,
  store: WeightStore,
): QuantizedTensorEntry[] {
  const { subgraph, index, tensor, elements } = constant;
  const nameReader = readerNames(model, subgraph);
  return forms.flatMap(({ format, direct, dequantized }): QuantizedTensorEntry[] => {
    const stored = store.find(constant, format);
    if (stored === undefined) return [];
    const { tally } = stored;
    const sqnr = sqnrDecibels(tally);
    return [
      {
        subgraph,
        tensor: index,
        name: tensor.name,
        shape: tensor.shape,
        dtype: format.dtype,
        ...scaleFacts(format, stored),
        readBy: direct.map(nameReader),
        dequantizedFor: dequantized.map(nameReader),
        sqnrDb: Number.isFinite(sqnr) ? sqnr : null,
        largestError: tally.largestError,
        clippedShare: tally.clipped / elements,
        nonFinite: stored.nan + stored.infinite,
        bytesBefore: 4 * elements,
        bytesAfter: storedBytes(stored),
      },
    ];
  });
}

/** Data and scales. */
function storedBytes({ bytes, onDemand, scale, blocks }: QuantizedWeight): number {
  return (onDemand ?? bytes).byteLength + scale.byteLength + (blocks?.scales.byteLength ?? 0);
}

function scaleFacts(
  format: WeightFormat,
  { scale, quantizedDimension, blocks }: QuantizedWeight,
): Pick<QuantizedTensorEntry, "granularity" | "axis" | "blockSize" | "scaleMin" | "scaleMax"> {
  if (format.dtype === "float16") return { granularity: "none" };
  const scales = blocks === undefined ? scale : Float32Array.from(blocks.scales, fromFloat16);
  const range = {
    scaleMin: scales.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY),
    scaleMax: scales.reduce((most, value) => Math.max(most, value), 0),
  };
  if (blocks !== undefined) return { granularity: "block", blockSize: blocks.size, ...range };
  const kind = format.dtype === "uint8" ? "tensor" : format.granularity.kind;
  return kind === "channel"
    ? { granularity: kind, axis: quantizedDimension, ...range }
    : { granularity: kind, ...range };
}

function keptEntry(model: Model, { constant, kept }: ConstantPlan): KeptTensorEntry {
  const { subgraph, index, tensor, elements } = constant;
  const nameReader = readerNames(model, subgraph);
  return {
    subgraph,
    tensor: index,
    name: tensor.name,
    shape: tensor.shape,
    bytes: 4 * elements,
    reasons: kept.map(({ use, reason }) =>
      use === undefined ? { ...reason } : { ...reason, operator: nameReader(use) },
    ),
  };
}

/** Prints uses as `CONV_2D (operator 3)`. */
function readerNames(model: Model, subgraph: number): (use: { operator: number }) => string {
  const { operators } = model.subgraphs[subgraph]!;
  return ({ operator }) => {
    const node = operators[operator]!;
    return `${node.customCode ?? node.op} (operator ${operator})`;
  };
}

function constantBytes({ subgraphs, buffers }: Model): number {
  const used = new Set(subgraphs.flatMap(({ tensors }) => tensors.map(({ buffer }) => buffer)));
  return sum([...used].map((index) => buffers[index]?.byteLength ?? 0));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
