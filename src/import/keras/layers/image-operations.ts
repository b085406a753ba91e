/** Operations of `keras.ops.image`, and rearrangement by a pattern. */
import { type LayerCall, type Translate, unsupported } from "../layer.ts";
import type { Symbolic } from "../node-writer.ts";
import { firstAxis, padded, slice } from "./arrangement.ts";
import { contractLast } from "./core.ts";
import { argumentOf, asTensor, operand, option, plainValue } from "./operations.ts";
import { resizing } from "./resizing.ts";

const imagesOf = (call: LayerCall): Symbolic =>
  asTensor(call, operand(call, 0, ["images", "x"]), undefined);

/** Weights of red, green and blue in brightness (ITU-R BT.601, as TensorFlow rounds them). */
const LUMA = [0.2989, 0.587, 0.114];

export const grayscaleOperation: Translate = (call) => {
  const { config, writer, path } = call;
  const x = imagesOf(call);
  const axis = firstAxis(call) === 1 ? x.shape.length - 1 : x.shape.length - 3;
  if (x.shape[axis] === 1) return x;
  if (x.shape[axis] !== 3 || x.dtype !== "float32")
    throw unsupported(config, "rgb_to_grayscale of other than float images with three channels");
  if (axis === x.shape.length - 1) {
    const kernel = { dtype: "float32", shape: [3, 1], data: Float32Array.from(LUMA) } as const;
    return contractLast(call, x, writer.constant(`${path}/weights`, kernel));
  }
  const shape = x.shape.map((_, i) => (i === axis ? 3 : 1));
  const weights = writer.constant(`${path}/weights`, {
    dtype: "float32",
    shape,
    data: Float32Array.from(LUMA),
  });
  const weighted = writer.binary(`${path}/Mul`, "Mul", x, weights);
  return writer.reduce(`${path}/Sum`, "Sum", weighted, [axis], true);
};

/** To a height and width, as the layer Resizing does it. */
export const resizeOperation: Translate = (call) => {
  const { config } = call;
  if (config.flag("antialias", false)) throw unsupported(config, "resize with antialias");
  const [height, width] = config.sizes("size", 2) as [number, number];
  return resizing({ ...call, config: config.with({ height, width }), inputs: [imagesOf(call)] });
};

/** The dimension of the height, of one image or of several. */
const firstSide = (call: LayerCall, x: Symbolic): number =>
  x.shape.length === 4 ? firstAxis(call) : firstAxis(call) - 1;

/** Amounts at the begin and end of height and width: two of begin, end and target determine the third. */
function sidesOf(call: LayerCall, what: "padding" | "cropping", x: Symbolic): [number, number][] {
  const { config } = call;
  const first = firstSide(call, x);
  const sides = [
    ["top", "bottom", "target_height"],
    ["left", "right", "target_width"],
  ] as const;
  return sides.map(([begin, end, target], i) => {
    const size = x.shape[first + i]!;
    const given = [`${begin}_${what}`, `${end}_${what}`, target].map((name) =>
      config.has(name) ? config.count(name) : undefined,
    );
    const [before, after, wanted] = given;
    if (size < 0) throw unsupported(config, `${what} of an open dimension`);
    const total = wanted === undefined ? undefined : Math.abs(wanted - size);
    const left = before ?? (total ?? 0) - (after ?? 0);
    return [left, after ?? (total ?? left) - left];
  });
}

export const padImagesOperation: Translate = (call) => {
  const x = imagesOf(call);
  const first = firstSide(call, x);
  const amounts = x.shape.map((): [number, number] => [0, 0]);
  for (const [i, pair] of sidesOf(call, "padding", x).entries()) amounts[first + i] = pair;
  return padded(call.writer, `${call.path}/Pad`, x, amounts);
};

export const cropImagesOperation: Translate = (call) => {
  const x = imagesOf(call);
  const first = firstSide(call, x);
  const begin = x.shape.map(() => 0);
  const end = [...x.shape];
  for (const [i, [before, after]] of sidesOf(call, "cropping", x).entries()) {
    begin[first + i] = before;
    end[first + i] = x.shape[first + i]! - after;
  }
  return slice(call.writer, `${call.path}/strided_slice`, x, begin, end);
};

/** "b (h w) c -> b c h w": parts axes, orders them, joins them. */
export const rearrangeOperation: Translate = (call) => {
  const { config, writer, path } = call;
  const x = asTensor(call, operand(call, 0, ["tensor"]), undefined);
  const pattern = String(plainValue(argumentOf(call, "pattern", 1)) ?? "");
  const [from = [], to] = pattern.split("->").map(groupsOf);
  const names = from.flat();
  const fits =
    to !== undefined && from.length === x.shape.length && new Set(names).size === names.length;
  const isTurned =
    to?.flat().length === names.length && to.flat().every((name) => names.includes(name));
  if (!fits || !isTurned || !/^[\s\w()>-]*$/.test(pattern))
    throw unsupported(config, `the pattern "${pattern}"`);
  const sizes = new Map<string, number>();
  for (const [i, group] of from.entries()) {
    for (const [name, size] of groupSizes(call, group, x.shape[i]!)) sizes.set(name, size);
  }
  const parted = writer.reshape(
    `${path}/Reshape`,
    x,
    names.map((name) => sizes.get(name)!),
  );
  const turned = writer.transpose(
    `${path}/transpose`,
    parted,
    to.flat().map((name) => names.indexOf(name)),
  );
  const joined = to.map((group) =>
    group.reduce(
      (product, name) => (product < 0 || sizes.get(name)! < 0 ? -1 : product * sizes.get(name)!),
      1,
    ),
  );
  return writer.reshape(`${path}/Reshape_1`, turned, joined);
};

/** Names of axes; those in parentheses are one axis. */
const groupsOf = (side: string): string[][] =>
  [...side.matchAll(/\(([^)]*)\)|(\w+)/g)].map(([, group, name]) =>
    name === undefined ? (group ?? "").split(/\s+/).filter((part) => part !== "") : [name],
  );

/** Sizes of the axes that one axis parts into: those that the call gives, and one that is left. */
function groupSizes(call: LayerCall, group: readonly string[], size: number): [string, number][] {
  const given = group.map((name) => (group.length === 1 ? size : option(call, name)));
  const known = given.reduce<number>(
    (product, part) => product * (typeof part === "number" ? part : 1),
    1,
  );
  const open = given.filter((part) => typeof part !== "number").length;
  if (open > 1 || (open === 1 && size % known !== 0))
    throw unsupported(call.config, `rearrange of ${size} to "${group.join(" ")}"`);
  return group.map((name, i) => {
    const part = given[i];
    return [name, typeof part === "number" ? part : size < 0 ? -1 : size / known];
  });
}
