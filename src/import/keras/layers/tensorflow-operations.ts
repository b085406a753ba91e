/** Operations that TensorFlow has and `keras.ops` has not, or has with other arguments. */
import { activate } from "../activations.ts";
import { describe } from "../config.ts";
import { Formula } from "../formula.ts";
import { type CallArgument, type LayerCall, type Translate, unsupported } from "../layer.ts";
import {
  type Attrs,
  flag,
  float,
  int,
  ints,
  outputCount,
  type Symbolic,
  text,
} from "../node-writer.ts";
import {
  axisOf,
  getItemOperation as getItem,
  joined,
  onlyOperand,
  wholeAxis,
} from "./array-operations.ts";
import { convolve, type Geometry } from "./convolution.ts";
import { l2Normalize } from "./normalization.ts";
import { argumentOf, asTensor, binaryOperation, operand, option } from "./operations.ts";
import { encodingType, oneHot } from "./order-operations.ts";
import { RESIZES } from "./resizing.ts";
import { axesOf, integers } from "./shape-operations.ts";
import { layoutName, windowed } from "./shapes.ts";
import { shapeVector, sizeVector, wholeNumbers } from "./sizes.ts";

const addAll: Translate = (call) =>
  joined(call).reduce((sum, x) => call.writer.binary(`${call.path}/AddV2`, "AddV2", sum, x));

const biasAdd: Translate = (call) => {
  const x = asTensor(call, operand(call, 0, ["x1"]), undefined);
  const bias = asTensor(call, operand(call, 1, ["x2"]), x);
  const attrs = { data_format: text(layoutOf(call)) };
  return call.writer.emit(`${call.path}/BiasAdd`, "BiasAdd", [x, bias], { shape: x.shape }, attrs);
};

function layoutOf(call: LayerCall): string {
  const layout = option(call, "data_format") ?? "NHWC";
  if (layout === "NHWC" || layout === "NCHW") return layout;
  throw unsupported(call.config, `data_format ${describe(layout)}`);
}

/** Products of matrices, either of them turned first. */
const matmul: Translate = (call) => {
  const { config, writer, path } = call;
  const a = asTensor(call, operand(call, 0, ["x1"]), undefined);
  const b = asTensor(call, operand(call, 1, ["x2"]), a);
  if (a.shape.length < 2 || b.shape.length < 2) throw unsupported(config, "matmul of vectors");
  const [turnA, turnB] = ["a", "b"].map((side) => {
    const given = option(call, `transpose_${side}`) ?? option(call, `adjoint_${side}`);
    return given === true;
  }) as [boolean, boolean];
  const rows = a.shape.at(turnA ? -1 : -2)!;
  const columns = b.shape.at(turnB ? -2 : -1)!;
  const outer = a.shape.length >= b.shape.length ? a : b;
  const shape = [...outer.shape.slice(0, -2), rows, columns];
  if (shape.length === 2) {
    const attrs = { transpose_a: flag(turnA), transpose_b: flag(turnB) };
    return writer.emit(`${path}/MatMul`, "MatMul", [a, b], { shape }, attrs);
  }
  const attrs = { adj_x: flag(turnA), adj_y: flag(turnB) };
  return writer.emit(`${path}/MatMul`, "BatchMatMulV2", [a, b], { shape }, attrs);
};

const matrixTranspose: Translate = (call) => {
  const x = onlyOperand(call);
  const rank = x.shape.length;
  return call.writer.exchange(`${call.path}/transpose`, x, rank - 2, rank - 1);
};

/** Elements at computed or constant places along an axis, each batch at its own. */
const gather: Translate = (call) => {
  const { config, writer, path } = call;
  const x = onlyOperand(call);
  const places = argumentOf(call, "indices", 1);
  const indices = asTensor(call, places, { ...x, dtype: "int32" });
  const batchDims = Number(option(call, "batch_dims") ?? 0);
  const axis = wholeAxis(call, option(call, "axis") ?? batchDims, x.shape.length);
  if (batchDims < 0 || batchDims > indices.shape.length)
    throw unsupported(config, `batch_dims ${batchDims}`);
  const shape = x.shape.toSpliced(axis, 1, ...indices.shape.slice(batchDims));
  const inputs = [x, indices, writer.ints(`${path}/axis`, axis)];
  const attrs = { batch_dims: int(batchDims) };
  return writer.emit(`${path}/GatherV2`, "GatherV2", inputs, { shape, dtype: x.dtype }, attrs);
};

const l2Normalized: Translate = (call) => {
  const x = onlyOperand(call);
  const epsilon = Number(option(call, "epsilon") ?? 1e-12);
  // The formula of TensorFlow, which is that of Keras 2.
  return l2Normalize({ ...call, kerasVersion: 2 }, call.path, x, axesOf(call, x), epsilon);
};

const bandPart: Translate = (call) => {
  const { writer, path } = call;
  const x = onlyOperand(call);
  const [lower, upper] = ["num_lower", "num_upper"].map((name, i) =>
    writer.ints(`${path}/${name}`, integers(call, name, i + 1)[0]!),
  );
  return writer.emit(`${path}/MatrixBandPart`, "MatrixBandPart", [x, lower!, upper!], {
    shape: x.shape,
  });
};

/** tf.image.resize: pixels have their centres at one half, but for its first version. */
const resize: Translate = (call) => {
  const { config } = call;
  const method = String(option(call, "method") ?? "bilinear").toLowerCase();
  for (const name of ["antialias", "preserve_aspect_ratio"]) {
    if (option(call, name) === true) throw unsupported(config, `resize with ${name}`);
  }
  const isFirst = config.text("function", "").startsWith("compat.v1.");
  const op = RESIZES.get(method);
  if (op === undefined) throw unsupported(config, `resize by ${method}`);
  return resized(call, op, option(call, "align_corners") === true, !isFirst);
};

const resizeNode =
  (op: string): Translate =>
  (call) =>
    resized(
      call,
      op,
      option(call, "align_corners") === true,
      option(call, "half_pixel_centers") === true,
    );

function resized(
  call: LayerCall,
  op: string,
  alignCorners: boolean,
  halfPixels: boolean,
): Symbolic {
  const { config, writer, path } = call;
  const x = onlyOperand(call);
  const target = argumentOf(call, "size", 1);
  const size = wholeNumbers(target) ?? [-1, -1];
  if (target === undefined || size.length !== 2 || x.shape.length !== 4)
    throw unsupported(config, "resize of another rank");
  const isKnown = size.every((pixels) => pixels >= 0);
  const vector = isKnown ? writer.ints(`${path}/size`, size) : sizeVector(call, target, "size");
  const shape = [x.shape[0]!, ...size, x.shape[3]!];
  const dtype = op === "ResizeBilinear" ? "float32" : x.dtype;
  const attrs = { align_corners: flag(alignCorners), half_pixel_centers: flag(halfPixels) };
  return writer.emit(`${path}/${op}`, op, [x, vector], { shape, dtype }, attrs);
}

/** Spatial sizes of windows, strides or dilations: one number, one for each side, or one for each dimension. */
function sides(call: LayerCall, name: string, fallback?: number): [number, number] {
  const value = option(call, name) ?? fallback;
  const list = [value].flat();
  const isWhole = list.every((item): item is number => Number.isInteger(item));
  if (!isWhole || ![1, 2, 4].includes(list.length))
    throw call.config.wrong(`${name} ${describe(value)}`, "one, two or four whole numbers");
  if (list.length === 4) {
    const first = layoutOf(call) === "NCHW" ? 2 : 1;
    return [list[first]!, list[first + 1]!];
  }
  return [list[0]!, list.at(-1)!];
}

function paddingOf(call: LayerCall): string {
  const padding = option(call, "padding");
  if (padding === "SAME" || padding === "VALID") return padding.toLowerCase();
  throw unsupported(call.config, `padding ${describe(padding)}`);
}

const pooled =
  (op: "AvgPool" | "MaxPool"): Translate =>
  (call) => {
    const { writer, path } = call;
    const x = onlyOperand(call);
    const channelsFirst = layoutOf(call) === "NCHW";
    const spread = ([height, width]: readonly [number, number]): number[] =>
      channelsFirst ? [1, 1, height, width] : [1, height, width, 1];
    const same = paddingOf(call) === "same";
    const [kernel, strides] = [spread(sides(call, "ksize")), spread(sides(call, "strides"))];
    const shape = x.shape.map((size, i) =>
      windowed(size, { kernel: kernel[i]!, stride: strides[i]!, dilation: 1, same }),
    );
    const attrs: Attrs = {
      ksize: ints(kernel),
      strides: ints(strides),
      padding: text(same ? "SAME" : "VALID"),
      data_format: text(layoutName(2, channelsFirst)),
    };
    return writer.emit(`${path}/${op}`, op, [x], { shape }, attrs);
  };

/** A convolution of images whose kernel is a constant or a tensor. */
const convolution: Translate = (call) => {
  const { config, writer, path } = call;
  const x = onlyOperand(call);
  const kernel = asTensor(call, argumentOf(call, "kernel", 1), x);
  if (x.shape.length !== 4 || kernel.shape.length !== 4) throw unsupported(config, "another rank");
  const geometry: Geometry = {
    kernel: kernel.shape.slice(0, 2),
    strides: sides(call, "strides", 1),
    dilations: sides(call, "dilations", 1),
    padding: paddingOf(call),
    channelsFirst: layoutOf(call) === "NCHW",
  };
  return convolve(writer, path, x, kernel, geometry);
};

const localResponseNormalization: Translate = (call) => {
  const x = onlyOperand(call);
  const number = (name: string, fallback: number) => float(Number(option(call, name) ?? fallback));
  return call.writer.unary(`${call.path}/LRN`, "LRN", x, {
    depth_radius: int(Number(option(call, "depth_radius") ?? 5)),
    bias: number("bias", 1),
    alpha: number("alpha", 1),
    beta: number("beta", 0.5),
  });
};

/** Other levels than 1 and 0 scale and shift. */
const oneHotLevels: Translate = (call) => {
  const { config } = call;
  const f = new Formula(call);
  const x = onlyOperand(call);
  const [depth] = wholeNumbers(argumentOf(call, "depth", 1)) ?? [];
  if (depth === undefined || depth < 0) throw unsupported(config, "one_hot of a computed depth");
  const [on, off] = [Number(option(call, "on_value") ?? 1), Number(option(call, "off_value") ?? 0)];
  const hot = oneHot(call, x, depth, Number(option(call, "axis") ?? -1), encodingType(call));
  const scaled = on - off === 1 ? hot : f.of("Mul", hot, on - off);
  return off === 0 ? scaled : f.of("AddV2", scaled, off);
};

/** tf.pad: modes in capitals, a width for each end of each dimension. */
const pad: Translate = (call) => {
  const { config, writer, path } = call;
  const x = onlyOperand(call);
  const widths = integers(call, "pad_width", 1);
  if (widths.length !== 2 * x.shape.length) throw unsupported(config, "pad of computed widths");
  const data = Int32Array.from(widths);
  const paddings = writer.constant(`${path}/paddings`, {
    dtype: "int32",
    shape: [x.shape.length, 2],
    data,
  });
  const shape = x.shape.map((size, i) =>
    size < 0 ? -1 : size + widths[2 * i]! + widths[2 * i + 1]!,
  );
  const mode = String(option(call, "mode") ?? "CONSTANT").toUpperCase();
  if (mode !== "CONSTANT") {
    return writer.emit(
      `${path}/MirrorPad`,
      "MirrorPad",
      [x, paddings],
      { shape },
      { mode: text(mode) },
    );
  }
  const filling: CallArgument = { kind: "value", value: option(call, "constant_values") ?? 0 };
  const inputs = [x, paddings, asTensor(call, filling, x)];
  return writer.emit(`${path}/PadV2`, "PadV2", inputs, { shape });
};

/** keras.backend.relu, with the options of the layer. */
const relu: Translate = (call) => {
  const given = [...call.kwargs].flatMap(([key, { ...argument }]) =>
    argument.kind === "value" ? [[key, argument.value] as const] : [],
  );
  const options = call.config.with(Object.fromEntries(given));
  return activate("relu", { ...call, x: onlyOperand(call), options });
};

/** Cuts `size` elements from `begin` on; -1 takes all that are left. */
const slice: Translate = (call) => {
  const { config, writer, path } = call;
  const x = onlyOperand(call);
  const begin = wholeNumbers(argumentOf(call, "begin", 1));
  const size = wholeNumbers(argumentOf(call, "size", 2));
  if (begin === undefined || size?.length !== x.shape.length)
    throw unsupported(config, "slice at computed places");
  const shape = x.shape.map((all, i) =>
    size[i]! >= 0 ? size[i]! : all < 0 ? -1 : all - begin[i]!,
  );
  const inputs = [x, writer.ints(`${path}/begin`, begin), writer.ints(`${path}/size`, size)];
  return writer.emit(`${path}/Slice`, "Slice", inputs, { shape });
};

/** Equal parts, or parts of given sizes. */
const split: Translate = (call) => {
  const { config, writer, path } = call;
  const x = onlyOperand(call);
  const axis = axisOf(call, x.shape.length, 0);
  const parts = option(call, "num_or_size_splits");
  const whole = x.shape[axis]!;
  if (typeof parts === "number") {
    if (whole < 0 || whole % outputCount(parts, config.where) !== 0)
      throw config.wrong(`${parts} parts of ${whole}`, "equal parts");
    return writer.split(`${path}/split`, x, axis, parts);
  }
  const given = integers(call, "num_or_size_splits", 1);
  const rest = whole - given.reduce((sum, size) => sum + Math.max(size, 0), 0);
  const sizes = given.map((size) => (size < 0 ? rest : size));
  return writer.splitSizes(`${path}/split`, x, axis, sizes);
};

/** x[begin:end:strides] with TensorFlow's masks. */
const stridedSlice: Translate = (call) => {
  const { config } = call;
  const places = ["begin", "end", "strides"].map((name, i) =>
    wholeNumbers(argumentOf(call, name, i + 1)),
  );
  const [begin, end] = places;
  if (begin === undefined || end === undefined)
    throw unsupported(config, "slice at computed places");
  const strides = places[2] ?? begin.map(() => 1);
  const isSet = (name: string, i: number) =>
    ((Number(option(call, `${name}_mask`) ?? 0) >> i) & 1) === 1;
  const key = begin.map((from, i) => {
    if (isSet("ellipsis", i)) return { class_name: "__ellipsis__", config: {} };
    if (isSet("new_axis", i)) return null;
    if (isSet("shrink_axis", i)) return from;
    const range = {
      start: isSet("begin", i) ? null : from,
      stop: isSet("end", i) ? null : end[i]!,
      step: strides[i]!,
    };
    return { class_name: "__slice__", config: range };
  });
  const kwargs = new Map<string, CallArgument>([["key", { kind: "value", value: key }]]);
  return getItem({ ...call, args: [{ kind: "tensor", tensor: onlyOperand(call) }], kwargs });
};

export const TENSORFLOW_OPERATIONS: ReadonlyMap<string, Translate> = new Map(
  Object.entries<Translate>({
    add_n: addAll,
    average_pool: pooled("AvgPool"),
    band_part: bandPart,
    bias_add: biasAdd,
    conv2d: convolution,
    gather,
    identities: ({ inputs }) => inputs,
    l2_normalize: l2Normalized,
    local_response_normalization: localResponseNormalization,
    matmul,
    matrix_transpose: matrixTranspose,
    max_pool: pooled("MaxPool"),
    multiply_no_nan: binaryOperation("MulNoNan"),
    one_hot: oneHotLevels,
    pad,
    relu,
    resize,
    resize_bilinear: resizeNode("ResizeBilinear"),
    resize_nearest: resizeNode("ResizeNearestNeighbor"),
    shape: (call) => shapeVector(call, onlyOperand(call)),
    slice,
    split,
    squared_difference: binaryOperation("SquaredDifference"),
    strided_slice: stridedSlice,
  }),
);
