/**
 * Moving blocks of space into the batch or the channels and back: SPACE_TO_BATCH_ND, BATCH_TO_SPACE_ND, SPACE_TO_DEPTH,
 * DEPTH_TO_SPACE. Each is a transposition of the blocked shape, with paddings or crops at the spatial border.
 */
import { elementCount, formatShape, type Shape } from "../../base/shape.ts";
import type { Kernel, KernelNode, KernelTable, TensorView, ValueOf } from "../kernel.ts";
import { optionsOf } from "../options.ts";
import {
  inputAt,
  misshapen,
  outputAt,
  perTensorQuantization,
  requireOperands,
  requireRank,
  requireSameType,
  requireType,
  requireWholeBytes,
} from "../require.ts";
import { present } from "../views.ts";
import { rowMajorStrides } from "./axes.ts";
import {
  copyUnits,
  elementsOf,
  fillUnits,
  integersOf,
  isQuantized,
  unitsPerElement,
  zeroOf,
} from "./elements.ts";
import { type StridedWalk, type WalkOf, walking } from "./strided-walk.ts";

/** Block sizes of the spatial axes (1, 2, …), and what is added to or taken from each of them. */
interface Blocks {
  readonly sizes: readonly number[];
  readonly borders: readonly (readonly [before: number, after: number])[];
}

function blocksOf(node: KernelNode, rank: number, known: ValueOf): Blocks | undefined {
  const [sizeView, borderView] = [known(1), known(2)];
  if (sizeView === undefined || borderView === undefined) return undefined;
  const [sizes, flat] = [integersOf(node, sizeView), integersOf(node, borderView)];
  const fits = sizes.length > 0 && sizes.length < rank && flat.length === 2 * sizes.length;
  if (!fits || sizes.some((size) => size < 1) || flat.some((border) => border < 0)) {
    const found = `blocks ${formatShape(sizes)} with borders ${formatShape(flat)}`;
    throw misshapen(node, found, `at most ${rank - 1} sizes of 1 or more, two borders for each`);
  }
  const borders = sizes.map((_, k): readonly [number, number] => [flat[2 * k], flat[2 * k + 1]]);
  return { sizes, borders };
}

function checkBlocks(node: KernelNode): void {
  requireOperands(node, [3, 3]);
  requireSameType(node, inputAt(node, 0), outputAt(node, 0), "output");
  requireWholeBytes(node, outputAt(node, 0));
  requireType(node, inputAt(node, 1), ["int32"], "block shape");
  requireType(node, inputAt(node, 2), ["int32"], "borders");
}

/**
 * Calls `visit` for each pair of a pixel in the batched tensor and its place in the spatial one, whose border still has
 * to be subtracted: (b', position in blocks) ↔ (b, position · size + offset).
 */
function forEachPixel(
  batched: Shape,
  spatialBatch: number,
  { sizes }: Blocks,
  visit: (batchedPixel: number, batch: number, position: readonly number[]) => void,
): void {
  const spatial = sizes.map((_, k) => batched[k + 1]);
  const pixels = elementCount(spatial);
  const position = new Array<number>(sizes.length).fill(0);
  for (let b = 0; b < batched[0]; b++) {
    let block = Math.floor(b / spatialBatch);
    const offsets = sizes.map(() => 0);
    for (let k = sizes.length - 1; k >= 0; k--) {
      offsets[k] = block % sizes[k];
      block = Math.floor(block / sizes[k]);
    }
    for (let pixel = 0; pixel < pixels; pixel++) {
      let rest = pixel;
      for (let k = sizes.length - 1; k >= 0; k--) {
        position[k] = (rest % spatial[k]) * sizes[k] + offsets[k];
        rest = Math.floor(rest / spatial[k]);
      }
      visit(b * pixels + pixel, b % spatialBatch, position);
    }
  }
}

/** Index of the pixel at `position` less the border, or −1 where that is outside. */
function pixelIndex(
  shape: Shape,
  batch: number,
  position: readonly number[],
  borders: Blocks["borders"],
): number {
  let index = batch;
  for (let k = 0; k < position.length; k++) {
    const coordinate = position[k] - borders[k][0];
    if (coordinate < 0 || coordinate >= shape[k + 1]) return -1;
    index = index * shape[k + 1] + coordinate;
  }
  return index;
}

/** Storage units of one pixel: everything behind the spatial axes. */
function pixelLength(view: TensorView, { sizes }: Blocks): number {
  return elementCount(view.shape.slice(sizes.length + 1)) * unitsPerElement(view.dtype);
}

const SPACE_TO_BATCH_ND: Kernel = {
  check: checkBlocks,
  shapes(node, known) {
    const { shape } = inputAt(node, 0);
    const blocks = blocksOf(node, shape.length, known);
    if (blocks === undefined) return [undefined];
    const { sizes, borders } = blocks;
    const out = [...shape];
    out[0] *= elementCount(sizes);
    sizes.forEach((size, k) => {
      const padded = borders[k][0] + shape[k + 1] + borders[k][1];
      if (padded % size !== 0)
        throw misshapen(node, `padded size ${padded}`, `a multiple of ${size}`);
      out[k + 1] = padded / size;
    });
    return [out];
  },
  create: (node) => (inputs, outputs) => {
    const [input, out] = [present(inputs[0]), present(outputs[0])];
    const blocks = blocksOf(node, input.shape.length, (i) => inputs[i]);
    if (blocks === undefined) return;
    const length = pixelLength(input, blocks);
    const [from, to] = [elementsOf(input), elementsOf(out)];
    const output = outputAt(node, 0);
    const zero =
      isQuantized(output) && typeof zeroOf(out.dtype) === "number"
        ? perTensorQuantization(node, output, "output").zeroPoint
        : zeroOf(out.dtype);
    forEachPixel(out.shape, input.shape[0], blocks, (pixel, batch, position) => {
      const source = pixelIndex(input.shape, batch, position, blocks.borders);
      if (source < 0) fillUnits(to, pixel * length, length, zero);
      else copyUnits(from, source * length, to, pixel * length, length);
    });
  },
};

const BATCH_TO_SPACE_ND: Kernel = {
  check: checkBlocks,
  shapes(node, known) {
    const { shape } = inputAt(node, 0);
    const blocks = blocksOf(node, shape.length, known);
    if (blocks === undefined) return [undefined];
    const { sizes, borders } = blocks;
    const total = elementCount(sizes);
    if (shape[0] % total !== 0) {
      throw misshapen(node, `batch of ${shape[0]}`, `a multiple of ${total}`);
    }
    const out = [...shape];
    out[0] /= total;
    sizes.forEach((size, k) => {
      out[k + 1] = shape[k + 1] * size - borders[k][0] - borders[k][1];
      if (out[k + 1] < 0) throw misshapen(node, `crops ${borders[k].join(", ")}`, "smaller ones");
    });
    return [out];
  },
  create: (node) => (inputs, outputs) => {
    const [input, out] = [present(inputs[0]), present(outputs[0])];
    const blocks = blocksOf(node, input.shape.length, (i) => inputs[i]);
    if (blocks === undefined) return;
    const length = pixelLength(input, blocks);
    const [from, to] = [elementsOf(input), elementsOf(out)];
    forEachPixel(input.shape, out.shape[0], blocks, (pixel, batch, position) => {
      const target = pixelIndex(out.shape, batch, position, blocks.borders);
      if (target >= 0) copyUnits(from, pixel * length, to, target * length, length);
    });
  },
};

/** Rejects block sizes that cannot be and shapes that are no images. */
function requireImage(node: KernelNode, size: number): Shape {
  const { shape } = inputAt(node, 0);
  requireRank(node, shape, [4, 4], "input");
  if (size < 1) throw misshapen(node, `block size ${size}`, "1 or more");
  return shape;
}

function checkDepth(node: KernelNode): void {
  requireOperands(node, [1, 1]);
  requireSameType(node, inputAt(node, 0), outputAt(node, 0), "output");
}

/** The walk over six axes with the third and the fourth exchanged. */
function exchanged(blocked: Shape): StridedWalk {
  const strides = rowMajorStrides(blocked);
  const order = [0, 1, 3, 2, 4, 5];
  return {
    strides: order.map((axis) => strides[axis]),
    shape: order.map((axis) => blocked[axis]),
  };
}

const spaceToDepthWalk: WalkOf = (node) => {
  const size = optionsOf(node, "SpaceToDepthOptions").block_size;
  const [batch, height, width, depth] = inputAt(node, 0).shape;
  return exchanged([batch, height / size, size, width / size, size, depth]);
};

const depthToSpaceWalk: WalkOf = (node) => {
  const size = optionsOf(node, "DepthToSpaceOptions").block_size;
  const [batch, height, width, whole] = inputAt(node, 0).shape;
  return exchanged([batch, height, width, size, size, whole / (size * size)]);
};

/** [b, h·s, w·s, c] → [b, h, w, s·s·c]. */
const SPACE_TO_DEPTH: Kernel = {
  check: checkDepth,
  shapes(node) {
    const size = optionsOf(node, "SpaceToDepthOptions").block_size;
    const [batch, height, width, depth] = requireImage(node, size);
    if (height % size !== 0 || width % size !== 0) {
      throw misshapen(node, `image of ${height} by ${width}`, `multiples of ${size}`);
    }
    return [[batch, height / size, width / size, depth * size * size]];
  },
  create: walking(spaceToDepthWalk),
};

/** [b, h, w, s·s·c] → [b, h·s, w·s, c]. */
const DEPTH_TO_SPACE: Kernel = {
  check: checkDepth,
  shapes(node) {
    const size = optionsOf(node, "DepthToSpaceOptions").block_size;
    const [batch, height, width, depth] = requireImage(node, size);
    if (depth % (size * size) !== 0) {
      throw misshapen(node, `depth ${depth}`, `a multiple of ${size * size}`);
    }
    return [[batch, height * size, width * size, depth / (size * size)]];
  },
  create: walking(depthToSpaceWalk),
};

export const BLOCK_LAYOUT: KernelTable = {
  SPACE_TO_BATCH_ND,
  BATCH_TO_SPACE_ND,
  SPACE_TO_DEPTH,
  DEPTH_TO_SPACE,
};

/** What the operators that are walks pick. */
export const BLOCK_WALKS: Readonly<Record<string, WalkOf>> = {
  SPACE_TO_DEPTH: spaceToDepthWalk,
  DEPTH_TO_SPACE: depthToSpaceWalk,
};
