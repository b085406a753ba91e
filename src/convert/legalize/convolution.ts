/**
 * Convolutions, pools, matrix products and what else slides over images. Filters change from TensorFlow's HWIO to
 * TFLite's OHWI; two-dimensional convolutions get a bias operand, zeros where none was fused yet.
 */
import { makeOptions } from "../../formats/tflite/options.ts";
import { boolAttr, floatAttr, intAttr } from "../../graph/attrs.ts";
import type { TensorValue } from "../../graph/ir.ts";
import { flagAttr, intsOrNone } from "../attributes.ts";
import { layoutOf } from "../infer/window.ts";
import type { LegalizationRow, Lowering } from "./lowering.ts";
import { heightWidth, paddingOf } from "./options.ts";

/** Index of an operand that is left out. */
const NO_BIAS = -1;

const zeros = (count: number): TensorValue => ({
  dtype: "float32",
  shape: [count],
  data: new Float32Array(count),
});

function requireChannelsLast(lowering: Lowering): void {
  if (layoutOf(lowering.node).channel === 1) lowering.fail("data_format NCHW");
}

const conv2d: LegalizationRow = (lowering) => {
  requireChannelsLast(lowering);
  const { node } = lowering;
  const filter = lowering.type(1).shape;
  const outputs = filter?.[3] ?? -1;
  if (outputs < 0) lowering.fail("filter of unknown shape");
  const [strideH, strideW] = heightWidth(node, "strides");
  const [dilationH, dilationW] = heightWidth(node, "dilations");
  lowering.emit(
    "CONV_2D",
    [
      lowering.input(0),
      lowering.transposed(1, [3, 0, 1, 2]),
      lowering.constant(zeros(outputs), "bias"),
    ],
    makeOptions("Conv2DOptions", {
      padding: paddingOf(lowering),
      stride_h: strideH,
      stride_w: strideW,
      dilation_h_factor: dilationH,
      dilation_w_factor: dilationW,
    }),
  );
};

/** Filter [kh, kw, C, M] becomes [1, kh, kw, C·M]: output channel c·M + m in both. */
const depthwise: LegalizationRow = (lowering) => {
  requireChannelsLast(lowering);
  const { node } = lowering;
  const filter = lowering.value(1);
  const [kh = 0, kw = 0, channels = 0, multiplier = 0] = filter?.shape ?? [];
  if (filter === undefined) return lowering.fail("filter is not constant");
  const [strideH, strideW] = heightWidth(node, "strides");
  const [dilationH, dilationW] = heightWidth(node, "dilations");
  const outputs = channels * multiplier;
  lowering.emit(
    "DEPTHWISE_CONV_2D",
    [
      lowering.input(0),
      lowering.remade(1, { ...filter, shape: [1, kh, kw, outputs] }),
      lowering.constant(zeros(outputs), "bias"),
    ],
    makeOptions("DepthwiseConv2DOptions", {
      padding: paddingOf(lowering),
      stride_h: strideH,
      stride_w: strideW,
      depth_multiplier: multiplier,
      dilation_h_factor: dilationH,
      dilation_w_factor: dilationW,
    }),
  );
};

/** Filter [kh, kw, out, in] becomes OHWI. */
const transposeConv: LegalizationRow = (lowering) => {
  requireChannelsLast(lowering);
  const [strideH, strideW] = heightWidth(lowering.node, "strides");
  const dilations = heightWidth(lowering.node, "dilations");
  if (dilations.some((dilation) => dilation !== 1)) lowering.fail("dilated transposed convolution");
  lowering.emit(
    "TRANSPOSE_CONV",
    [lowering.int32Input(0), lowering.transposed(1, [2, 0, 1, 3]), lowering.input(2)],
    makeOptions("TransposeConvOptions", {
      padding: paddingOf(lowering),
      stride_h: strideH,
      stride_w: strideW,
    }),
  );
};

/** NDHWC; the filter stays DHWIO. */
const conv3d =
  (transposed: boolean): LegalizationRow =>
  (lowering) => {
    const { node } = lowering;
    const filter = lowering.type(1).shape;
    const outputs = filter?.[transposed ? 3 : 4] ?? -1;
    if (outputs < 0 || layoutOf(node, 3).channel === 1) lowering.fail("filter shape or layout");
    const [, strideD = 1, strideH = 1, strideW = 1] = intsOrNone(node, "strides");
    const [, dilationD = 1, dilationH = 1, dilationW = 1] = intsOrNone(node, "dilations");
    lowering.emit(
      transposed ? "CONV_3D_TRANSPOSE" : "CONV_3D",
      transposed
        ? [lowering.int32Input(0), lowering.input(1), lowering.input(2), NO_BIAS]
        : [lowering.input(0), lowering.input(1), NO_BIAS],
      makeOptions("Conv3DOptions", {
        padding: paddingOf(lowering),
        stride_d: strideD,
        stride_h: strideH,
        stride_w: strideW,
        dilation_d_factor: dilationD,
        dilation_h_factor: dilationH,
        dilation_w_factor: dilationW,
      }),
    );
  };

const pool =
  (op: "AVERAGE_POOL_2D" | "MAX_POOL_2D" | "L2_POOL_2D"): LegalizationRow =>
  (lowering) => {
    requireChannelsLast(lowering);
    const { node } = lowering;
    const [batch = 1, , , depth = 1] = intsOrNone(node, "ksize");
    if (batch !== 1 || depth !== 1) lowering.fail("pooling over batch or channels");
    const [strideH, strideW] = heightWidth(node, "strides");
    const [filterH, filterW] = heightWidth(node, "ksize");
    lowering.emit(
      op,
      [lowering.input(0)],
      makeOptions("Pool2DOptions", {
        padding: paddingOf(lowering),
        stride_h: strideH,
        stride_w: strideW,
        filter_height: filterH,
        filter_width: filterW,
      }),
    );
  };

/** FULLY_CONNECTED with weights [out, in] and the bias operand left out; BATCH_MATMUL for computed weights. */
const matMul: LegalizationRow = (lowering) => {
  const { node } = lowering;
  if (lowering.value(1) === undefined) {
    const adjoint = { adj_x: boolAttr(node, "transpose_a"), adj_y: boolAttr(node, "transpose_b") };
    lowering.emit("BATCH_MATMUL", lowering.inputs(), makeOptions("BatchMatMulOptions", adjoint));
    return;
  }
  const x = boolAttr(node, "transpose_a") ? lowering.transposed(0, [1, 0]) : lowering.input(0);
  const weights = boolAttr(node, "transpose_b")
    ? lowering.input(1)
    : lowering.transposed(1, [1, 0]);
  lowering.emit("FULLY_CONNECTED", [x, weights, NO_BIAS], makeOptions("FullyConnectedOptions"));
};

const batchMatMul: LegalizationRow = (lowering) => {
  const { node } = lowering;
  const [adjX, adjY] = [boolAttr(node, "adj_x"), boolAttr(node, "adj_y")];
  const weights = lowering.value(1);
  if (weights?.shape.length === 2 && !adjX && weights.dtype === "float32") {
    const operand = adjY ? lowering.input(1) : lowering.transposed(1, [1, 0]);
    const keep = makeOptions("FullyConnectedOptions", { keep_num_dims: true });
    lowering.emit("FULLY_CONNECTED", [lowering.input(0), operand, NO_BIAS], keep);
    return;
  }
  lowering.emit(
    "BATCH_MATMUL",
    [lowering.input(0), lowering.input(1)],
    makeOptions("BatchMatMulOptions", { adj_x: adjX, adj_y: adjY }),
  );
};

const resizeBilinear: LegalizationRow = (lowering) => {
  lowering.emit(
    "RESIZE_BILINEAR",
    [lowering.input(0), lowering.int32Input(1)],
    makeOptions("ResizeBilinearOptions", resizeFlags(lowering)),
  );
};

const resizeNearest: LegalizationRow = (lowering) => {
  lowering.emit(
    "RESIZE_NEAREST_NEIGHBOR",
    [lowering.input(0), lowering.int32Input(1)],
    makeOptions("ResizeNearestNeighborOptions", resizeFlags(lowering)),
  );
};

function resizeFlags({ node }: Lowering): { align_corners: boolean; half_pixel_centers: boolean } {
  return {
    align_corners: flagAttr(node, "align_corners"),
    half_pixel_centers: flagAttr(node, "half_pixel_centers"),
  };
}

const regroup =
  (
    op: "SPACE_TO_DEPTH" | "DEPTH_TO_SPACE",
    options: "SpaceToDepthOptions" | "DepthToSpaceOptions",
  ): LegalizationRow =>
  (lowering) => {
    requireChannelsLast(lowering);
    const block = intAttr(lowering.node, "block_size");
    lowering.emit(op, [lowering.input(0)], makeOptions(options, { block_size: block }));
  };

const lrn: LegalizationRow = (lowering) => {
  const { node } = lowering;
  lowering.emit(
    "LOCAL_RESPONSE_NORMALIZATION",
    [lowering.input(0)],
    makeOptions("LocalResponseNormalizationOptions", {
      radius: intAttr(node, "depth_radius"),
      bias: floatAttr(node, "bias"),
      alpha: floatAttr(node, "alpha"),
      beta: floatAttr(node, "beta"),
    }),
  );
};

export const CONVOLUTION_ROWS: ReadonlyMap<string, LegalizationRow> = new Map([
  ["Conv2D", conv2d],
  ["DepthwiseConv2dNative", depthwise],
  ["Conv2DBackpropInput", transposeConv],
  ["Conv3D", conv3d(false)],
  ["Conv3DBackpropInputV2", conv3d(true)],
  ["AvgPool", pool("AVERAGE_POOL_2D")],
  ["MaxPool", pool("MAX_POOL_2D")],
  ["L2Pool", pool("L2_POOL_2D")],
  ["MatMul", matMul],
  ["BatchMatMul", batchMatMul],
  ["BatchMatMulV2", batchMatMul],
  ["BatchMatMulV3", batchMatMul],
  ["ResizeBilinear", resizeBilinear],
  ["ResizeNearestNeighbor", resizeNearest],
  ["SpaceToDepth", regroup("SPACE_TO_DEPTH", "SpaceToDepthOptions")],
  ["DepthToSpace", regroup("DEPTH_TO_SPACE", "DepthToSpaceOptions")],
  ["LRN", lrn],
]);
