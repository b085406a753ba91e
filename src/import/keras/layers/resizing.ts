/** Layers that change the size of images: resize, crop to the middle, repeat pixels. */
import { TFJS_VERSION } from "../config.ts";
import { inputOf, type LayerCall, type Translate, unsupported } from "../layer.ts";
import { flag, madeVector, type NodeWriter, type Symbolic } from "../node-writer.ts";
import { firstAxis, padded, slice } from "./arrangement.ts";
import { channelTurn } from "./shapes.ts";

/** Height and width. */
type Size = readonly [number, number];

const SPACE = [0, 1] as const;

/** Resizes; first, where asked, cuts or pads the images to the target's proportions. */
export const resizing: Translate = (call) => {
  const { config, writer, path } = call;
  const target: Size = [config.count("height"), config.count("width")];
  const interpolation = config.text("interpolation", "bilinear");
  return channelsLast(call, inputOf(call), (image) => {
    let fitted = image;
    if (config.flag("crop_to_aspect_ratio", false)) {
      fitted = cutTo(call, image, proportional(call, image, target, Math.fround));
    } else if (config.flag("pad_to_aspect_ratio", false)) fitted = padTo(call, image, target);
    return resize(writer, path, fitted, target, interpolation, call);
  });
};

/** The middle of images. Of smaller ones the largest part with the target's proportions, enlarged. */
export const centerCrop: Translate = (call) => {
  const { config, writer, path } = call;
  const x = inputOf(call);
  const target: Size = [config.count("height"), config.count("width")];
  const size = sizeOf(call, x, firstAxis(call));
  if (SPACE.every((i) => size[i] >= target[i])) return cutTo(call, x, target, firstAxis(call));
  return channelsLast(call, x, (image) => {
    const cut = cutTo(
      call,
      image,
      proportional(call, image, target, (value) => value),
    );
    return resize(writer, path, cut, target, "bilinear", call);
  });
};

export const upSampling2d: Translate = (call) => {
  const { config, writer, path } = call;
  const factors = config.sizes("size", 2, 2);
  const interpolation = config.text("interpolation", "nearest");
  return channelsLast(call, inputOf(call), (image) => {
    const size = sizeOf(call, image);
    const target: Size = [size[0] * factors[0]!, size[1] * factors[1]!];
    return resize(writer, path, image, target, interpolation, call);
  });
};

/** Each step `size` times. */
export const upSampling1d: Translate = (call) => {
  const { config, writer, path } = call;
  const x = inputOf(call);
  const size = config.count("size", 2);
  const steps = x.shape[1] ?? -1;
  if (steps < 0)
    throw unsupported(config, "UpSampling1D of an open dimension", "Give the input's shape");
  const places = madeVector(steps * size, config.where, (i) => Math.floor(i / size));
  return writer.gather(`${path}/GatherV2`, x, 1, places);
};

/**
 * Repeats voxels: rows and columns with the depth folded into the batch, then the depth with rows and columns as one
 * dimension.
 */
export const upSampling3d: Translate = (call) => {
  const { config, writer, path } = call;
  const [deep, high, wide] = config.sizes("size", 3, 2) as [number, number, number];
  return channelsLast(call, inputOf(call), (volume) => {
    const [batch, depth, height, width, channels] = volume.shape as Volume;
    if (volume.shape.slice(1).some((size) => size < 0)) {
      throw unsupported(config, "UpSampling3D of an open dimension", "Give the input's shape");
    }
    const rows: Size = [height * high, width * wide];
    const area = rows[0] * rows[1];
    const slices = batch < 0 ? -1 : batch * depth;
    const flat = writer.reshape(`${path}/Reshape`, volume, [slices, height, width, channels]);
    const enlarged = resize(writer, path, flat, rows, "nearest", call);
    const deepened = resize(
      writer,
      path,
      writer.reshape(`${path}/Reshape_1`, enlarged, [batch, depth, area, channels]),
      [depth * deep, area],
      "nearest",
      call,
    );
    return writer.reshape(`${path}/Reshape_2`, deepened, [batch, depth * deep, ...rows, channels]);
  });
};

type Volume = [batch: number, depth: number, height: number, width: number, channels: number];

/** What `apply` makes of images or volumes, channels last; turned there and back where the layer has them first. */
export function channelsLast(
  call: LayerCall,
  x: Symbolic,
  apply: (image: Symbolic) => Symbolic,
): Symbolic {
  const { writer, path } = call;
  const rank = x.shape.length;
  if (firstAxis(call) === 1 || rank < 3) return apply(x);
  const { toLast, toFirst } = channelTurn(rank);
  const turned = writer.transpose(`${path}/transpose`, x, toLast);
  return writer.transpose(`${path}/transpose_1`, apply(turned), toFirst);
}

/** Height, the dimension `first`, and width. */
function sizeOf({ config }: LayerCall, image: Symbolic, first = 1): Size {
  const [height, width] = image.shape.slice(first, first + 2) as [number, number];
  if (image.shape.length === 4 && height >= 0 && width >= 0) return [height, width];
  throw unsupported(config, "resizing an open shape", "Give the input's shape");
}

/** How far an image would reach along `i` if it had the target's proportions, as Keras rounds it. */
function reach(size: Size, target: Size, i: 0 | 1, round: (value: number) => number): number {
  const other = i === 0 ? 1 : 0;
  return Math.trunc(round(round(size[other] * target[i]) / target[other]));
}

/** The largest size with the target's proportions inside an image. */
function proportional(
  call: LayerCall,
  image: Symbolic,
  target: Size,
  round: (value: number) => number,
): Size {
  const size = sizeOf(call, image);
  const along = (i: 0 | 1) => Math.max(Math.min(size[i], reach(size, target, i, round)), 1);
  return [along(0), along(1)];
}

function cutTo(call: LayerCall, image: Symbolic, target: Size, first = 1): Symbolic {
  const size = sizeOf(call, image, first);
  const begin = [0, 0, 0, 0];
  const end = [...image.shape];
  for (const i of SPACE) {
    begin[first + i] = Math.floor((size[i] - target[i]) / 2);
    end[first + i] = begin[first + i]! + target[i];
  }
  return slice(call.writer, `${call.path}/strided_slice`, image, begin, end);
}

/** As much on both sides as the target's proportions leave room for. */
function padTo(call: LayerCall, image: Symbolic, target: Size): Symbolic {
  const { config, writer, path } = call;
  const size = sizeOf(call, image);
  const side = (i: 0 | 1): [number, number] => {
    const amount = Math.trunc(Math.max(0, reach(size, target, i, Math.fround) - size[i]) / 2);
    return [amount, amount];
  };
  const amounts: [number, number][] = [[0, 0], side(0), side(1), [0, 0]];
  if (amounts.flat().every((amount) => amount === 0)) return image;
  return padded(writer, `${path}/Pad`, image, amounts, config.number("fill_value", 0));
}

/** Operations by the name of their interpolation. */
export const RESIZES: ReadonlyMap<string, string> = new Map([
  ["nearest", "ResizeNearestNeighbor"],
  ["bilinear", "ResizeBilinear"],
]);

function resize(
  writer: NodeWriter,
  path: string,
  x: Symbolic,
  target: Size,
  interpolation: string,
  { config, kerasVersion }: LayerCall,
): Symbolic {
  const op = RESIZES.get(interpolation);
  if (op === undefined) throw unsupported(config, `interpolation ${interpolation}`);
  const size = writer.ints(`${path}/size`, target);
  const shape = [x.shape[0]!, ...target, x.shape[3]!];
  // TF.js puts the centres of pixels at whole numbers; to repeat pixels it is the same.
  const halfPixels = interpolation === "nearest" || kerasVersion !== TFJS_VERSION;
  const attrs = { half_pixel_centers: flag(halfPixels) };
  return writer.emit(`${path}/${op}`, op, [x, size], { shape }, attrs);
}
