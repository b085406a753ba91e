/**
 * MediaPipe's custom operators on images: MaxPoolingWithArgmax2D, MaxUnpooling2D, Convolution2DTransposeBias (float32,
 * [batch, height, width, channels]). Their options are TensorFlow Lite's C structures. A place within a pooling window
 * is kept as the float row·width + column + 0.1.
 */
import { FLOAT32_MAX } from "../../base/dtype.ts";
import { elementCount, formatShape, sameShape } from "../../base/shape.ts";
import type { Kernel, KernelNode, KernelTable } from "../kernel.ts";
import {
  badValue,
  inputAt,
  misshapen,
  outputAt,
  requireOperands,
  requireRank,
  requireType,
  unsupported,
} from "../require.ts";
import { float32, present } from "../views.ts";
import { clampInPlace } from "./activation.ts";
import { integerOptions } from "./custom-options.ts";

type Pair = readonly [y: number, x: number];

/** Padding of the C structures. */
const [SAME, VALID] = [1, 2];

interface Pooling {
  readonly same: boolean;
  readonly stride: Pair;
  readonly filter: Pair;
  readonly activation: number;
}

function poolingOf(node: KernelNode): Pooling {
  const [padding, strideX, strideY, width, height, activation] = integerOptions(node, 6);
  if (padding !== SAME && padding !== VALID) throw unsupported(node, `with padding ${padding}`);
  if ([strideX, strideY, width, height].some((size) => size < 1 || size > 4096)) {
    throw unsupported(node, `with strides ${strideX}, ${strideY} and window ${width}, ${height}`);
  }
  if (activation < 0 || activation > 3) throw unsupported(node, `with activation ${activation}`);
  return {
    same: padding === SAME,
    stride: [strideY, strideX],
    filter: [height, width],
    activation,
  };
}

const CLAMPS = [
  { min: -Infinity, max: Infinity },
  { min: 0, max: Infinity },
  { min: -1, max: 1 },
  { min: 0, max: 6 },
] as const;

function pooledSize({ same, stride, filter }: Pooling, size: number, axis: 0 | 1): number {
  const room = same ? size : size - filter[axis] + 1;
  return Math.max(0, Math.ceil(room / stride[axis]));
}

/** Rows or columns in front of the image that windows reach into. */
function reachBefore(
  { stride, filter }: Pooling,
  size: number,
  pooled: number,
  axis: 0 | 1,
): number {
  return Math.floor(Math.max(0, (pooled - 1) * stride[axis] + filter[axis] - size) / 2);
}

function requireFloats(node: KernelNode, inputs: number, outputs: number): void {
  requireOperands(node, [inputs, inputs], outputs);
  for (let i = 0; i < inputs; i++) requireType(node, inputAt(node, i), ["float32"], "operand");
  for (let i = 0; i < outputs; i++) requireType(node, outputAt(node, i), ["float32"], "output");
}

/** The largest element of each window, and its place in the window. */
const MAX_POOLING_WITH_ARGMAX: Kernel = {
  check(node) {
    requireFloats(node, 1, 2);
    poolingOf(node);
  },
  shapes(node) {
    const { shape } = inputAt(node, 0);
    requireRank(node, shape, [4, 4], "input");
    const pooling = poolingOf(node);
    const [batch, height, width, depth] = shape;
    const out = [batch, pooledSize(pooling, height, 0), pooledSize(pooling, width, 1), depth];
    return [out, out];
  },
  create(node) {
    const pooling = poolingOf(node);
    return ([input], outputs) => {
      const [x, values, places] = [float32(input), float32(outputs[0]), float32(outputs[1])];
      const [, height, width, depth] = present(input).shape;
      const [batch, rows, columns] = present(outputs[0]).shape;
      const top = reachBefore(pooling, height, rows, 0);
      const left = reachBefore(pooling, width, columns, 1);
      for (let i = 0; i < batch * rows * columns; i++) {
        const [b, row, column] = [
          Math.floor(i / (rows * columns)),
          Math.floor(i / columns) % rows,
          i % columns,
        ];
        const [originY, originX] = [
          row * pooling.stride[0] - top,
          column * pooling.stride[1] - left,
        ];
        for (let c = 0; c < depth; c++) {
          let best = -FLOAT32_MAX;
          let place = 0;
          for (let k = 0; k < pooling.filter[0] * pooling.filter[1]; k++) {
            const y = originY + Math.floor(k / pooling.filter[1]);
            const xx = originX + (k % pooling.filter[1]);
            if (y < 0 || y >= height || xx < 0 || xx >= width) continue;
            const value = x[((b * height + y) * width + xx) * depth + c];
            if (value > best) [best, place] = [value, k];
          }
          values[i * depth + c] = best;
          places[i * depth + c] = place + 0.1;
        }
      }
      clampInPlace(values, CLAMPS[pooling.activation]);
    };
  },
};

/** Zeros, with each element put back to its place in a window of an image larger by the window's size. */
const MAX_UNPOOLING: Kernel = {
  check(node) {
    requireFloats(node, 2, 1);
    poolingOf(node);
  },
  shapes(node) {
    const { shape } = inputAt(node, 0);
    requireRank(node, shape, [4, 4], "input");
    if (!sameShape(shape, inputAt(node, 1).shape)) {
      throw misshapen(
        node,
        `places of shape ${formatShape(inputAt(node, 1).shape)}`,
        formatShape(shape),
      );
    }
    const { filter } = poolingOf(node);
    return [[shape[0], shape[1] * filter[0], shape[2] * filter[1], shape[3]]];
  },
  create(node) {
    const pooling = poolingOf(node);
    return ([input, placesView], [output]) => {
      const [x, places, out] = [float32(input), float32(placesView), float32(output)];
      const [, rows, columns, depth] = present(input).shape;
      const [, height, width] = present(output).shape;
      const top = reachBefore(pooling, height, rows, 0);
      const left = reachBefore(pooling, width, columns, 1);
      out.fill(0);
      for (let i = 0; i < x.length; i++) {
        const pixel = Math.floor(i / depth);
        const place = Math.trunc(places[i]);
        const y =
          (Math.floor(pixel / columns) % rows) * pooling.stride[0] -
          top +
          Math.floor(place / pooling.filter[1]);
        const xx = (pixel % columns) * pooling.stride[1] - left + (place % pooling.filter[1]);
        if (!(y >= 0 && y < height && xx >= 0 && xx < width)) {
          throw badValue(node, `place ${places[i]} in a window`, "one inside the image");
        }
        const b = Math.floor(pixel / (rows * columns));
        out[((b * height + y) * width + xx) * depth + (i % depth)] = x[i];
      }
    };
  },
};

interface Transposition {
  readonly stride: Pair;
  readonly same: boolean;
}

function transpositionOf(node: KernelNode): Transposition {
  const [padding, strideX, strideY] = integerOptions(node, 3);
  if (padding !== SAME && padding !== VALID) throw unsupported(node, `with padding ${padding}`);
  if (strideX < 1 || strideY < 1) throw unsupported(node, `with strides ${strideX}, ${strideY}`);
  return { stride: [strideY, strideX], same: padding === SAME };
}

/** What SAME cuts off an axis in all. */
function cutOff(
  { stride, same }: Transposition,
  size: number,
  filter: number,
  axis: 0 | 1,
): number {
  return same ? Math.max(0, filter - ((size - 1) % stride[axis]) - 1) : 0;
}

/** A transposed convolution: input, filter [out, height, width, in], bias [out]. */
const CONVOLUTION_TRANSPOSE_BIAS: Kernel = {
  check(node) {
    requireFloats(node, 3, 1);
    transpositionOf(node);
  },
  shapes(node) {
    const [input, filter, bias] = [0, 1, 2].map((i) => inputAt(node, i).shape);
    requireRank(node, input, [4, 4], "input");
    requireRank(node, filter, [4, 4], "filter");
    if (input[3] !== filter[3] || !sameShape(bias, [filter[0]]) || elementCount(input) === 0) {
      const found = `shapes ${[input, filter, bias].map(formatShape).join(", ")}`;
      throw misshapen(node, found, "a filter for the input's channels and a bias for each result");
    }
    const options = transpositionOf(node);
    const sizes = ([0, 1] as const).map(
      (axis) =>
        options.stride[axis] * (input[axis + 1] - 1) +
        filter[axis + 1] -
        cutOff(options, input[axis + 1], filter[axis + 1], axis),
    );
    return [[input[0], ...sizes, filter[0]]];
  },
  create(node) {
    const options = transpositionOf(node);
    return (inputs, [output]) => {
      const [x, w, bias, out] = [...inputs.slice(0, 3), output].map(float32);
      const [, rows, columns, channels] = present(inputs[0]).shape;
      const [, filterY, filterX] = present(inputs[1]).shape;
      const [, height, width, kernels] = present(output).shape;
      const top = Math.floor(cutOff(options, rows, filterY, 0) / 2);
      const left = Math.floor(cutOff(options, columns, filterX, 1) / 2);
      for (let i = 0; i < out.length; i++) out[i] = bias[i % kernels];
      for (let pixel = 0; pixel * channels < x.length; pixel++) {
        const b = Math.floor(pixel / (rows * columns));
        const originY = (Math.floor(pixel / columns) % rows) * options.stride[0] - top;
        const originX = (pixel % columns) * options.stride[1] - left;
        for (let tap = 0; tap < filterY * filterX; tap++) {
          const [y, xx] = [originY + Math.floor(tap / filterX), originX + (tap % filterX)];
          if (y < 0 || y >= height || xx < 0 || xx >= width) continue;
          const target = ((b * height + y) * width + xx) * kernels;
          for (let k = 0; k < kernels; k++) {
            const at = (k * filterY * filterX + tap) * channels;
            let sum = 0;
            for (let c = 0; c < channels; c++) sum += x[pixel * channels + c] * w[at + c];
            out[target + k] += sum;
          }
        }
      }
    };
  },
};

export const MEDIAPIPE_POOLING: KernelTable = {
  MaxPoolingWithArgmax2D: MAX_POOLING_WITH_ARGMAX,
  MaxUnpooling2D: MAX_UNPOOLING,
  Convolution2DTransposeBias: CONVOLUTION_TRANSPOSE_BIAS,
};
