/**
 * What convolutions and fully connected layers share once their input is a matrix: packed weights, bias and scales in
 * linear memory, the choice of a tile, and the calls.
 */
import { bytesOf } from "../../../base/dtype.ts";
import { assert } from "../../../base/errors.ts";
import { elementCount } from "../../../base/shape.ts";
import type { KernelNode, TensorView, ValueOf } from "../../kernel.ts";
import type { ClampRange } from "../../reference/activation.ts";
import { channelScales } from "../../reference/output-stage.ts";
import { hybridWeights } from "../../reference/weights.ts";
import type { EmittedFunction, FastPlace, Region } from "../fast-kernel.ts";
import { blockRows } from "../gemm/blocks.ts";
import { emitGemm, type GemmFunction } from "../gemm/emit-gemm.ts";
import { gemmSteps, packedByteLength, packFloat, packInt8 } from "../gemm/pack.ts";
import { type GemmData, type GemmVariant, gemmVariants } from "../gemm/variants.ts";

/** A weight matrix [n, k] and what surrounds it, as constants of the model. */
export interface ProductWeights {
  readonly data: GemmData;
  readonly n: number;
  readonly k: number;
  readonly filter: TensorView;
  readonly bias: TensorView | undefined;
}

/** Constant weights and bias of an operator; undefined where they are computed or of a type without emitted code. */
export function productWeights(
  node: KernelNode,
  known: ValueOf,
  n: number,
  k: number,
): ProductWeights | undefined {
  const filter = known(1);
  const bias = node.inputs[2] === undefined ? undefined : known(2);
  if (filter === undefined || (node.inputs[2] !== undefined && bias === undefined))
    return undefined;
  if (filter.quantization?.details !== undefined || elementCount(filter.shape) !== n * k)
    return undefined;
  switch (filter.dtype) {
    case "float32":
      return { data: "f32", n, k, filter, bias };
    case "int8":
    case "int4":
      return { data: "qd8", n, k, filter, bias };
    default:
      return undefined;
  }
}

/** Tile for `rows` rows of A: one-row tiles for vectors, else the tile that measured best at 128 bits. */
export function chooseGemm(data: GemmData, rows: number, relaxed: boolean): GemmVariant {
  const isa = relaxed && data === "f32" ? "relaxed" : "simd";
  const [mr, nr] = rows === 1 ? [1, 16] : data === "f32" && isa === "relaxed" ? [6, 8] : [4, 8];
  const variant = gemmVariants(data, isa).find((entry) => entry.mr === mr && entry.nr === nr);
  assert(variant !== undefined, `no ${mr}x${nr} tile for ${data}`);
  return variant;
}

export function gemmFunction(variant: GemmVariant): EmittedFunction {
  return { name: variant.name, emit: (module) => emitGemm(module, variant) };
}

/** Addresses of a product's constants. */
export interface ProductLayout {
  readonly weights: number;
  readonly scales: number;
  readonly bias: number;
}

/** Takes the constants' memory from `region`: to measure it, or to place it. */
export function layProduct(
  region: Region,
  variant: GemmVariant,
  n: number,
  k: number,
): ProductLayout {
  const columns = Math.ceil(n / variant.nr) * variant.nr;
  return {
    weights: region.take(packedByteLength(variant, n, k)),
    scales: region.take(columns * 4),
    bias: region.take(columns * 4),
  };
}

/** Packs weights, scales and bias into linear memory. */
export function storeProduct(
  memory: WebAssembly.Memory,
  node: KernelNode,
  variant: GemmVariant,
  { n, k, filter, bias }: ProductWeights,
  layout: ProductLayout,
): void {
  const { buffer } = memory;
  const packedBytes = packedByteLength(variant, n, k);
  if (variant.data === "qd8") {
    const packed = new Int8Array(buffer, layout.weights, packedBytes);
    packInt8(hybridWeights(filter), n, k, variant.nr, packed);
    new Float32Array(buffer, layout.scales, n).set(channelScales(node, filter, n));
  } else {
    assert(filter.data instanceof Float32Array, "float weights");
    const packed = new Float32Array(buffer, layout.weights, packedBytes / 4);
    packFloat(filter.data, n, k, variant.nr, packed);
  }
  if (bias === undefined) return;
  assert(bias.data instanceof Float32Array, "float bias");
  new Uint8Array(buffer, layout.bias, n * 4).set(bytesOf(bias.data));
}

/** Multiplies `rows` rows at `a` (stride `aStride`) and writes them to `out`, row after row. */
export type Multiply = (
  a: number,
  aStride: number,
  rows: number,
  out: number,
  rowScales: number,
  rowScaleStride: number,
) => void;

/** Binds the multiplication to its constants; works through A in blocks that fit the first-level cache. */
export function bindMultiply(
  place: FastPlace,
  variant: GemmVariant,
  { n, k }: ProductWeights,
  layout: ProductLayout,
  { min, max }: ClampRange,
): Multiply {
  const gemm = place.call<GemmFunction>(variant.name);
  const steps = gemmSteps(variant.data, k);
  const { weights, scales, bias } = layout;
  return (a, aStride, rows, out, rowScales, rowScaleStride) => {
    const block = blockRows(rows, aStride, variant.mr);
    for (let row = 0; row < rows; row += block) {
      gemm(
        a + row * aStride,
        aStride,
        weights,
        scales,
        rowScales + row * rowScaleStride,
        rowScaleStride,
        bias,
        out + row * n * 4,
        n * 4,
        Math.min(block, rows - row),
        n,
        steps,
        min,
        max,
      );
    }
  };
}
