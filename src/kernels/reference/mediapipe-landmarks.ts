/**
 * MediaPipe's custom operators around landmarks (version 2, float32): Landmarks2TransformMatrix finds the rotated
 * rectangle around some landmarks, TransformTensorBilinear cuts such a rectangle out of an image, TransformLandmarks maps
 * points through the matrix. Matrices are [1, 4, 4], of which the first two rows and columns 0, 1 and 3 count.
 */
import { formatShape } from "../../base/shape.ts";
import type { Kernel, KernelNode, KernelTable } from "../kernel.ts";
import {
  inputAt,
  misshapen,
  outputAt,
  requireOperands,
  requireRank,
  requireType,
  unsupported,
} from "../require.ts";
import { float32, present } from "../views.ts";
import { OptionMap } from "./custom-options.ts";

function requireFloats(node: KernelNode, inputs: number): void {
  requireOperands(node, [inputs, inputs]);
  for (let i = 0; i < inputs; i++) requireType(node, inputAt(node, i), ["float32"], "operand");
  requireType(node, outputAt(node, 0), ["float32"], "output");
}

function requireMatrix(node: KernelNode): void {
  const { shape } = inputAt(node, 1);
  if (shape.reduce((product, size) => product * size, 1) === 16) return;
  throw misshapen(node, `matrix of shape ${formatShape(shape)}`, "16 elements");
}

interface CropOptions {
  /** Landmarks that the rectangle must hold. */
  readonly subset: readonly number[];
  /** Landmarks whose connecting line tells the rotation, and the angle that it should have. */
  readonly left: number;
  readonly right: number;
  readonly targetAngle: number;
  readonly width: number;
  readonly height: number;
  readonly scaleX: number;
  readonly scaleY: number;
}

function cropOptions(node: KernelNode): CropOptions {
  const map = new OptionMap(node);
  const options = {
    subset: map.numbers("subset_idxs"),
    left: map.number("left_rotation_idx"),
    right: map.number("right_rotation_idx"),
    targetAngle: map.number("target_rotation_radians"),
    width: map.number("output_width"),
    height: map.number("output_height"),
    scaleX: map.number("scale_x"),
    scaleY: map.number("scale_y"),
  };
  const { subset, left, right, width, height, scaleX, scaleY } = options;
  const indices = [...subset, left, right];
  const sizes = [width, height, scaleX, scaleY];
  if (
    indices.some((index) => !(index >= 0)) ||
    sizes.some((size) => !(size > 0)) ||
    !subset.length
  ) {
    throw unsupported(node, "with a negative index or size, or no landmarks");
  }
  return options;
}

/** Shift to the rectangle's center, rotation, scale to its size, shift of the output's center: T·R·S·T'. */
function cropMatrix(points: Float32Array, options: CropOptions): number[] {
  const at = (index: number) => [points[3 * index], points[3 * index + 1]] as const;
  const [leftX, leftY] = at(options.left);
  const [rightX, rightY] = at(options.right);
  const angle = options.targetAngle - Math.atan2(rightY - leftY, rightX - leftX);
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const turned = options.subset.map((index) => {
    const [x, y] = at(index);
    return [cos * x - sin * y, sin * x + cos * y];
  });
  const [xs, ys] = [0, 1].map((axis) => turned.map((point) => point[axis]));
  const [minX, maxX, minY, maxY] = [
    Math.min(...xs),
    Math.max(...xs),
    Math.min(...ys),
    Math.max(...ys),
  ];
  const [middleX, middleY] = [(minX + maxX) / 2, (minY + maxY) / 2];
  const centerX = cos * middleX + sin * middleY;
  const centerY = -sin * middleX + cos * middleY;
  const scaleX = (options.scaleX * (maxX - minX)) / options.width;
  const scaleY = (options.scaleY * (maxY - minY)) / options.height;
  const [shiftX, shiftY] = [-options.width / 2, -options.height / 2];
  const [a, b, c, d] = [cos * scaleX, sin * scaleY, -sin * scaleX, cos * scaleY];
  const lastX = a * shiftX + b * shiftY + centerX;
  const lastY = c * shiftX + d * shiftY + centerY;
  return [a, b, 0, lastX, c, d, 0, lastY, 0, 0, 1, 0, 0, 0, 0, 1];
}

const LANDMARKS_TO_MATRIX: Kernel = {
  check(node) {
    requireFloats(node, 1);
    if (node.version > 2) throw unsupported(node, `version ${node.version}`);
    cropOptions(node);
  },
  shapes(node) {
    const { shape } = inputAt(node, 0);
    const { subset, left, right } = cropOptions(node);
    const count = shape.reduce((product, size) => product * size, 1) / 3;
    if (Math.max(left, right, ...subset) >= count) {
      throw misshapen(node, `${count} landmarks`, `more than ${Math.max(left, right, ...subset)}`);
    }
    return [[1, 4, 4]];
  },
  create(node) {
    const options = cropOptions(node);
    return (inputs, outputs) => {
      float32(outputs[0]).set(cropMatrix(float32(inputs[0]), options));
    };
  },
};

function dimensionsOf(node: KernelNode): number {
  const dimensions = new OptionMap(node).number("dimensions");
  if (dimensions === 2 || dimensions === 3) return dimensions;
  throw unsupported(node, `with ${dimensions} dimensions`);
}

/** (x, y) through the matrix; a third coordinate stays. */
const TRANSFORM_LANDMARKS: Kernel = {
  check(node) {
    requireFloats(node, 2);
    if (node.version !== 2) throw unsupported(node, `version ${node.version}`);
    dimensionsOf(node);
  },
  shapes(node) {
    const { shape } = inputAt(node, 0);
    requireRank(node, shape, [3, 3], "landmarks");
    requireMatrix(node);
    const dimensions = dimensionsOf(node);
    if (shape[2] !== dimensions) {
      throw misshapen(
        node,
        `landmarks of shape ${formatShape(shape)}`,
        `${dimensions} coordinates`,
      );
    }
    return [shape];
  },
  create(node) {
    const dimensions = dimensionsOf(node);
    return (inputs, outputs) => {
      const [points, matrix, out] = [float32(inputs[0]), float32(inputs[1]), float32(outputs[0])];
      for (let i = 0; i < out.length; i += dimensions) {
        const [x, y] = [points[i], points[i + 1]];
        out[i] = matrix[0] * x + matrix[1] * y + matrix[3];
        out[i + 1] = matrix[4] * x + matrix[5] * y + matrix[7];
        if (dimensions === 3) out[i + 2] = points[i + 2];
      }
    };
  },
};

function outputSize(node: KernelNode): [number, number] {
  const [height, width, ...rest] = new OptionMap(node).numbers("output_size");
  if (rest.length === 0 && height >= 1 && width >= 1 && height * width <= 2 ** 26)
    return [height, width];
  throw unsupported(node, `with output size ${height}, ${width}`);
}

/** The image at the matrix's image of each output pixel, mixed of four neighbours; 0 outside. */
const TRANSFORM_TENSOR: Kernel = {
  check(node) {
    requireFloats(node, 2);
    if (node.version !== 2) throw unsupported(node, `version ${node.version}`);
    outputSize(node);
  },
  shapes(node) {
    const { shape } = inputAt(node, 0);
    requireRank(node, shape, [4, 4], "image");
    requireMatrix(node);
    if (shape[0] !== 1) throw misshapen(node, `a batch of ${shape[0]}`, "one image");
    return [[1, ...outputSize(node), shape[3]]];
  },
  create: () => (inputs, outputs) => {
    const [image, m, out] = [float32(inputs[0]), float32(inputs[1]), float32(outputs[0])];
    const [, height, width, depth] = present(inputs[0]).shape;
    const [, rows, columns] = present(outputs[0]).shape;
    const pixel = (y: number, x: number, c: number) =>
      y < height && x < width ? image[(y * width + x) * depth + c] : 0;
    for (let i = 0; i < rows * columns; i++) {
      // The matrix speaks of pixel centers: half a pixel is added before and taken off after.
      const [u, v] = [(i % columns) + 0.5, Math.floor(i / columns) + 0.5];
      const x = m[0] * u + m[1] * v + m[3] - 0.5;
      const y = m[4] * u + m[5] * v + m[7] - 0.5;
      const inside = x >= 0 && x <= width - 1 && y >= 0 && y <= height - 1;
      const [x0, y0] = [Math.floor(x), Math.floor(y)];
      for (let c = 0; c < depth; c++) {
        if (!inside) {
          out[i * depth + c] = 0;
          continue;
        }
        const upper = pixel(y0, x0, c) * (1 - x + x0) + pixel(y0, x0 + 1, c) * (x - x0);
        const lower = pixel(y0 + 1, x0, c) * (1 - x + x0) + pixel(y0 + 1, x0 + 1, c) * (x - x0);
        out[i * depth + c] = lower * (y - y0) + upper * (1 - y + y0);
      }
    }
  },
};

export const MEDIAPIPE_LANDMARKS: KernelTable = {
  Landmarks2TransformMatrix: LANDMARKS_TO_MATRIX,
  TransformLandmarks: TRANSFORM_LANDMARKS,
  TransformTensorBilinear: TRANSFORM_TENSOR,
};
