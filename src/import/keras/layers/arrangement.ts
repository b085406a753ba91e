/** Layers that move data about: reshape, permute, pad, crop, repeat. */
import { elementCount } from "../../../base/shape.ts";
import { inputOf, type LayerCall, type Translate, unsupported } from "../layer.ts";
import { int, type NodeWriter, type Symbolic } from "../node-writer.ts";
import { channelTurn } from "./shapes.ts";

export const flatten: Translate = (call) => {
  const { config, writer, path } = call;
  let x = inputOf(call);
  const rank = x.shape.length;
  if (config.text("data_format", "channels_last") === "channels_first" && rank > 2) {
    x = writer.transpose(`${path}/transpose`, x, channelTurn(rank).toLast);
  }
  const inner = x.shape.slice(1);
  if (inner.some((size) => size < 0))
    throw unsupported(config, "Flatten of an open shape", "Give the input's shape");
  return writer.reshape(`${path}/Reshape`, x, [-1, elementCount(inner)]);
};

export const reshape: Translate = (call) => {
  const { config, writer, path } = call;
  const x = inputOf(call);
  // TF.js writes the size that is left open as null.
  const target = config.list("target_shape").map((size) => Number(size ?? -1));
  if (!target.every(Number.isInteger)) throw config.wrong("target_shape", "whole numbers");
  const batch = x.shape[0]!;
  const known = x.shape.slice(1).every((size) => size >= 0);
  const rest = target.reduce((product, size) => (size < 0 ? product : product * size), 1);
  const resolved = target.map((size) =>
    size < 0 && known ? elementCount(x.shape.slice(1)) / rest : size,
  );
  if (batch < 0 && resolved.includes(-1)) {
    throw unsupported(config, "Reshape with two open dimensions", "Give the input's shape");
  }
  return writer.reshape(`${path}/Reshape`, x, [batch, ...resolved]);
};

/** dims count from 1 and leave the batch out. */
export const permute: Translate = (call) => {
  const dims = call.config.list("dims") as readonly number[];
  return call.writer.transpose(`${call.path}/transpose`, inputOf(call), [0, ...dims]);
};

export const repeatVector: Translate = (call) => {
  const { config, writer, path } = call;
  const x = inputOf(call);
  const n = config.count("n");
  const [batch, features] = x.shape as [number, number];
  const dim = writer.ints(`${path}/ExpandDims/dim`, 1);
  const wide = writer.emit(`${path}/ExpandDims`, "ExpandDims", [x, dim], {
    shape: [batch, 1, features],
  });
  const multiples = writer.ints(`${path}/multiples`, [1, n, 1]);
  return writer.emit(`${path}/Tile`, "Tile", [wide, multiples], { shape: [batch, n, features] });
};

/** n, (h, w) or ((top, bottom), (left, right)) as pairs, one a dimension. */
function pairs({ config }: LayerCall, name: string, rank: number): [number, number][] {
  const value = config.get(name);
  const list =
    Array.isArray(value) && (rank > 1 || value.length === 1) ? value : new Array(rank).fill(value);
  const result = list.map((item): [number, number] =>
    Array.isArray(item) ? [Number(item[0]), Number(item[1])] : [Number(item), Number(item)],
  );
  if (result.length === rank && result.flat().every((n) => Number.isInteger(n) && n >= 0))
    return result;
  throw config.wrong(`${name} ${JSON.stringify(value)}`, "whole numbers");
}

/** First spatial axis. */
export function firstAxis({ config }: LayerCall): number {
  return config.text("data_format", "channels_last") === "channels_first" ? 2 : 1;
}

export const zeroPadding =
  (rank: number): Translate =>
  (call) => {
    const { writer, path } = call;
    const x = inputOf(call);
    const first = firstAxis(call);
    const all = x.shape.map((): [number, number] => [0, 0]);
    for (const [i, pair] of pairs(call, "padding", rank).entries()) all[first + i] = pair;
    return padded(writer, `${path}/Pad`, x, all);
  };

/** Zeros, or `fill`, before and after each dimension. */
export function padded(
  writer: NodeWriter,
  name: string,
  x: Symbolic,
  amounts: readonly (readonly [number, number])[],
  fill = 0,
): Symbolic {
  const paddings = writer.constant(`${name}/paddings`, {
    dtype: "int32",
    shape: [amounts.length, 2],
    data: Int32Array.from(amounts.flat()),
  });
  const shape = x.shape.map((size, i) => (size < 0 ? -1 : size + amounts[i]![0] + amounts[i]![1]));
  if (fill === 0) return writer.emit(name, "Pad", [x, paddings], { shape });
  return writer.emit(name, "PadV2", [x, paddings, writer.float(`${name}/fill`, fill)], { shape });
}

export const cropping =
  (rank: number): Translate =>
  (call) => {
    const { config } = call;
    const x = inputOf(call);
    const first = firstAxis(call);
    const begin = x.shape.map(() => 0);
    const end = [...x.shape];
    for (const [i, [before, after]] of pairs(call, "cropping", rank).entries()) {
      if (x.shape[first + i]! < 0) throw unsupported(config, "Cropping of an open dimension");
      begin[first + i] = before;
      end[first + i] = x.shape[first + i]! - after;
    }
    return slice(call.writer, `${call.path}/strided_slice`, x, begin, end);
  };

/** Cuts from begin to end; dimensions that are taken whole are masked, so that they may be open. */
export function slice(
  writer: NodeWriter,
  name: string,
  x: Symbolic,
  begin: readonly number[],
  end: readonly number[],
): Symbolic {
  const whole = x.shape.map((size, i) => begin[i] === 0 && end[i] === size);
  const mask = whole.reduce((bits, isWhole, i) => bits | (isWhole ? 1 << i : 0), 0);
  const inputs = [
    x,
    writer.ints(
      `${name}/stack`,
      begin.map((value, i) => (whole[i] ? 0 : value)),
    ),
    writer.ints(
      `${name}/stack_1`,
      end.map((value, i) => (whole[i] ? 0 : value)),
    ),
    writer.ints(
      `${name}/stack_2`,
      x.shape.map(() => 1),
    ),
  ];
  const shape = x.shape.map((size, i) => (whole[i] ? size : end[i]! - begin[i]!));
  return writer.emit(
    name,
    "StridedSlice",
    inputs,
    { shape },
    { begin_mask: int(mask), end_mask: int(mask) },
  );
}
