/** Operations of `keras.ops` that sort, choose by order or by place, and encode classes. */
import { Formula } from "../formula.ts";
import { type LayerCall, type Translate, tensorsOf, unsupported } from "../layer.ts";
import { flag, float, int, type Symbolic, type } from "../node-writer.ts";
import { axisOf, onlyOperand, wholeAxis } from "./array-operations.ts";
import { argumentOf, asTensor, operand, option, plainValue } from "./operations.ts";
import { integers } from "./shape-operations.ts";

/** The `k` largest values along the last axis, in falling order, and their places. */
function largest({ writer, path }: LayerCall, x: Symbolic, k: number): [Symbolic, Symbolic] {
  const shape = x.shape.with(-1, k);
  const inputs = [x, writer.ints(`${path}/k`, k)];
  const results = [{ shape }, { shape, dtype: "int32" } as const];
  const attrs = { sorted: flag(true) };
  const [values, places] = writer.emitMany(`${path}/TopKV2`, "TopKV2", inputs, results, attrs);
  return [values!, places!];
}

export const topKOperation: Translate = (call) =>
  largest(call, onlyOperand(call), integers(call, "k", 1)[0]!);

/**
 * In rising order along an axis, which is turned to the end: the values or their places. The largest of -x come first
 * at equal values in their order, as TensorFlow sorts.
 */
const sorted =
  (wanted: "values" | "places"): Translate =>
  (call) => {
    const { config, writer, path } = call;
    const given = onlyOperand(call);
    // An axis that is null stands for all elements in a row; one that is missing, for the last.
    const isFlat = call.config.isNull("axis");
    const x = isFlat ? writer.reshape(`${path}/Reshape`, given, [-1]) : given;
    const axis = isFlat ? 0 : axisOf(call, x.shape.length, -1);
    const last = x.shape.length - 1;
    const turn = (y: Symbolic) => writer.exchange(`${path}/transpose`, y, axis, last);
    const turned = turn(x);
    const size = turned.shape.at(-1)!;
    if (size < 0) throw unsupported(config, "sorting along an open dimension");
    const [values, places] = largest(call, writer.unary(`${path}/Neg`, "Neg", turned), size);
    return turn(wanted === "places" ? places : writer.unary(`${path}/Neg_1`, "Neg", values));
  };

export const sortOperation: Translate = sorted("values");
export const argSortOperation: Translate = sorted("places");

/** Elements at places of their own along an axis; places below 0 count from the end. */
export const takeAlongAxisOperation: Translate = (call) => {
  const { config, writer, path } = call;
  const f = new Formula(call);
  const given = onlyOperand(call);
  const places = asTensor(call, argumentOf(call, "indices", 1), { ...given, dtype: "int32" });
  const isFlat = option(call, "axis") === undefined;
  const x = isFlat ? writer.reshape(`${path}/Reshape`, given, [-1]) : given;
  const axis = isFlat ? 0 : axisOf(call, x.shape.length, 0);
  const last = x.shape.length - 1;
  const fits =
    places.shape.length === x.shape.length &&
    x.shape.every((size, i) => i === axis || (size >= 0 && size === places.shape[i]));
  if (!fits || x.shape[axis]! < 0) throw unsupported(config, "take_along_axis of these shapes");
  const turn = (y: Symbolic) => writer.exchange(`${path}/transpose`, y, axis, last);
  const size = x.shape[axis]!;
  const indices = f.where(f.of("Less", places, 0), f.of("AddV2", places, size), places);
  const [values, chosen] = [turn(x), turn(indices)];
  const inputs = [values, chosen, writer.ints(`${path}/axis`, last)];
  const result = { shape: chosen.shape, dtype: x.dtype };
  return turn(
    writer.emit(`${path}/GatherV2`, "GatherV2", inputs, result, { batch_dims: int(last) }),
  );
};

/** A new axis with 1 at the class and 0 elsewhere. */
export function oneHot(
  { writer, path }: LayerCall,
  x: Symbolic,
  depth: number,
  axis: number,
  dtype: "float32" | "int32" = "float32",
): Symbolic {
  const place = axis < 0 ? axis + x.shape.length + 1 : axis;
  const level = (name: string, value: number) =>
    dtype === "int32"
      ? writer.ints(`${path}/${name}`, value)
      : writer.float(`${path}/${name}`, value);
  const inputs = [
    x,
    writer.ints(`${path}/depth`, depth),
    level("on_value", 1),
    level("off_value", 0),
  ];
  const attrs = {
    axis: int(place === x.shape.length ? -1 : place),
    T: type(dtype),
    TI: type(x.dtype),
  };
  const result = { shape: x.shape.toSpliced(place, 0, depth), dtype };
  return writer.emit(`${path}/OneHot`, "OneHot", inputs, result, attrs);
}

/** Classes as whole numbers. */
const classes = (call: LayerCall, x: Symbolic): Symbolic =>
  x.dtype === "int32" || x.dtype === "int64" ? x : new Formula(call).cast(x, "int32");

/** @throws {UnsupportedError} for other types than float32 and int32. */
export function encodingType(call: LayerCall): "float32" | "int32" {
  const dtype = option(call, "dtype") ?? "float32";
  if (dtype === "float32" || dtype === "int32") return dtype;
  throw unsupported(call.config, `encoding as ${String(dtype)}`);
}

export const oneHotOperation: Translate = (call) => {
  const x = classes(call, onlyOperand(call));
  const axis = wholeAxis(call, option(call, "axis") ?? -1, x.shape.length + 1);
  return oneHot(call, x, integers(call, "num_classes", 1)[0]!, axis, encodingType(call));
};

/** 1 for each class that a sample has; of several samples, axis 1 holds the classes of each, as Keras has it. */
export const multiHotOperation: Translate = (call) => {
  const x = classes(call, onlyOperand(call));
  const axis = wholeAxis(call, option(call, "axis") ?? -1, x.shape.length + 1);
  const [depth] = integers(call, "num_classes", 1) as [number];
  return anyOf(call, oneHot(call, x, depth, axis, encodingType(call)));
};

const anyOf = (call: LayerCall, encoded: Symbolic): Symbolic =>
  new Formula(call).reduce("Max", encoded, [encoded.shape.length > 2 ? 1 : 0], false);

/** How many boundaries are at or below each value. */
function bucketOf(
  { writer, path }: LayerCall,
  x: Symbolic,
  boundaries: readonly number[],
): Symbolic {
  const list = { kind: "list", value: boundaries.map((value) => float(value)) } as const;
  const result = { shape: x.shape, dtype: "int32" } as const;
  return writer.emit(`${path}/Bucketize`, "Bucketize", [x], result, { boundaries: list });
}

export const digitizeOperation: Translate = (call) => {
  const bins = plainValue(argumentOf(call, "bins", 1));
  if (!isNumbers(bins)) throw unsupported(call.config, "digitize with computed bins");
  return bucketOf(call, onlyOperand(call), bins);
};

const isNumbers = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((item) => typeof item === "number");

/** Numbers to the classes between boundaries, as they are or encoded. */
export const discretization: Translate = (call) => {
  const boundaries = call.config.get("bin_boundaries");
  if (!isNumbers(boundaries)) {
    throw unsupported(
      call.config,
      "Discretization without boundaries",
      "Call layer.adapt(data) and save again",
    );
  }
  const x = new Formula(call).cast(onlyOperand(call), "float32");
  const found = bucketOf(call, x, boundaries);
  const mode = call.config.text("output_mode", "int");
  return mode === "int" ? found : encoded(call, found, mode, boundaries.length + 1);
};

export const categoryEncoding: Translate = (call) => {
  const mode = call.config.text("output_mode", "multi_hot");
  const depth = call.config.count("num_tokens");
  return encoded(call, classes(call, onlyOperand(call)), mode, depth);
};

function encoded(call: LayerCall, x: Symbolic, mode: string, depth: number): Symbolic {
  const { config, writer, path } = call;
  const rank = x.shape.length;
  if (mode === "one_hot") {
    const narrow = rank > 1 && x.shape.at(-1) === 1;
    const flat = narrow ? writer.reshape(`${path}/Reshape`, x, x.shape.slice(0, -1)) : x;
    return oneHot(call, flat, depth, flat.shape.length);
  }
  const hot = oneHot(call, x, depth, rank);
  if (mode === "multi_hot" || mode === "binary") return anyOf(call, hot);
  if (mode !== "count") throw unsupported(config, `output_mode ${mode}`);
  const [weight] = tensorsOf(call.kwargs.get("count_weights"));
  const counted = weight
    ? writer.binary(
        `${path}/mul`,
        "Mul",
        hot,
        writer.reshape(`${path}/weights`, weight, [...weight.shape, 1]),
      )
    : hot;
  return new Formula(call).reduce("Sum", counted, [rank > 1 ? 1 : 0], false);
}

/** The first of several choices whose condition holds, else the default. */
export const selectOperation: Translate = (call) => {
  const f = new Formula(call);
  const conditions = tensorsOf(operand(call, 0, ["condlist"]));
  const choices = argumentOf(call, "choicelist", 1);
  const items = choices?.kind === "list" ? choices.items : [];
  const known = items.flatMap(tensorsOf)[0];
  if (known === undefined || items.length !== conditions.length)
    throw call.config.wrong(
      `${items.length} choices for ${conditions.length} conditions`,
      "as many",
    );
  const fallback = asTensor(
    call,
    argumentOf(call, "default", 2) ?? { kind: "value", value: 0 },
    known,
  );
  return conditions.reduceRight<Symbolic>((otherwise, condition, i) => {
    const chosen = asTensor(call, items[i], known);
    return chosen.shape.length >= otherwise.shape.length
      ? f.where(condition, chosen, otherwise)
      : f.where(f.of("LogicalNot", condition), otherwise, chosen);
  }, fallback);
};
