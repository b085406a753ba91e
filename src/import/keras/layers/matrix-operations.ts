/** Operations of `keras.ops` on vectors and matrices: products, triangles, diagonals and norms. */
import { elementCount } from "../../../base/shape.ts";
import { Formula } from "../formula.ts";
import { type LayerCall, type Translate, unsupported } from "../layer.ts";
import { flag, madeElements, madeVector, type Symbolic } from "../node-writer.ts";
import { onlyOperand, wholeAxis } from "./array-operations.ts";
import { argumentOf, asTensor, operand, option, plainValue } from "./operations.ts";
import { axesOf, integers } from "./shape-operations.ts";

const LETTERS = "abcdefghijklmnopqrstuvwxyz";

function operands(call: LayerCall): [Symbolic, Symbolic] {
  const a = asTensor(call, operand(call, 0, ["x1"]), undefined);
  return [a, asTensor(call, operand(call, 1, ["x2"]), a)];
}

/** Sums of products over pairs of axes; the axes that are left stand in their order, those of `a` first. */
function contract(
  { writer, path }: LayerCall,
  a: Symbolic,
  b: Symbolic,
  axesA: readonly number[],
  axesB: readonly number[],
): Symbolic {
  const isProduct =
    a.shape.length > 1 && b.shape.length === 2 && axesB.length === 1 && axesB[0] === 0;
  if (isProduct && axesA[0] === a.shape.length - 1) {
    const shape = [...a.shape.slice(0, -1), b.shape[1]!];
    const attrs = { adj_x: flag(false), adj_y: flag(false) };
    return writer.emit(`${path}/MatMul`, "BatchMatMulV2", [a, b], { shape }, attrs);
  }
  const letters = LETTERS.slice(0, a.shape.length).split("");
  let next = a.shape.length;
  const others = b.shape.map((_, i) => {
    const at = axesB.indexOf(i);
    return at < 0 ? LETTERS[next++]! : letters[axesA[at]!]!;
  });
  const left = letters.filter((_, i) => !axesA.includes(i));
  const right = others.filter((_, i) => !axesB.includes(i));
  const equation = `${letters.join("")},${others.join("")}->${[...left, ...right].join("")}`;
  return writer.einsum(`${path}/Einsum`, equation, [a, b]);
}

/** numpy.dot: over the last axis of the first and the one before the last of the second. */
export const dotOperation: Translate = (call) => {
  const [a, b] = operands(call);
  if (a.shape.length === 0 || b.shape.length === 0) return new Formula(call).of("Mul", a, b);
  const axis = b.shape.length === 1 ? 0 : b.shape.length - 2;
  return contract(call, a, b, [a.shape.length - 1], [axis]);
};

/** Over the last axis of both. */
export const innerOperation: Translate = (call) => {
  const [a, b] = operands(call);
  if (a.shape.length === 0 || b.shape.length === 0) return new Formula(call).of("Mul", a, b);
  return contract(call, a, b, [a.shape.length - 1], [b.shape.length - 1]);
};

export const vdotOperation: Translate = (call) => {
  const f = new Formula(call);
  const [a, b] = operands(call).map((x, i) => call.writer.reshape(`${call.path}/${i}`, x, [-1]));
  return f.reduce("Sum", f.of("Mul", a!, b!), [0], false);
};

export const outerOperation: Translate = (call) => {
  const { writer, path } = call;
  const [a, b] = operands(call);
  const column = writer.reshape(`${path}/Reshape`, a, [-1, 1]);
  return writer.binary(`${path}/Mul`, "Mul", column, writer.reshape(`${path}/Reshape_1`, b, [-1]));
};

export const tensordotOperation: Translate = (call) => {
  const [a, b] = operands(call);
  const axes = option(call, "axes") ?? 2;
  if (typeof axes === "number") {
    const first = Array.from({ length: axes }, (_, i) => a.shape.length - axes + i);
    return contract(call, a, b, first, [...first.keys()]);
  }
  const [first, second] = (Array.isArray(axes) ? axes : []).map((list, side) =>
    [list].flat().map((axis) => wholeAxis(call, axis, (side === 0 ? a : b).shape.length)),
  );
  if (first === undefined || first.length !== second?.length)
    throw call.config.wrong(`axes ${JSON.stringify(axes)}`, "a number or two lists");
  return contract(call, a, b, first, second);
};

/** Where row and column of the last two axes fit, as a constant of 1 and 0. */
function places(
  { config, writer, path }: LayerCall,
  x: Symbolic,
  belongs: (row: number, column: number) => boolean,
): Symbolic {
  const [rows = -1, columns = -1] = x.shape.slice(-2);
  if (rows < 0 || columns < 0) throw unsupported(config, "a triangle of an open dimension");
  const length = madeElements([rows, columns], config.where);
  const data = Uint8Array.from({ length }, (_, i) =>
    Number(belongs(Math.floor(i / columns), i % columns)),
  );
  return writer.constant(`${path}/mask`, { dtype: "bool", shape: [rows, columns], data });
}

/** The lower or upper triangle of matrices, with `k` diagonals more; 0 elsewhere. */
export const triangle =
  (belongs: (row: number, column: number, k: number) => boolean): Translate =>
  (call) => {
    const x = onlyOperand(call);
    const k = Number(option(call, "k") ?? 0);
    const mask = places(call, x, (row, column) => belongs(row, column, k));
    return new Formula(call).where(mask, x, 0);
  };

/** The axes of matrices last. */
function matricesLast(call: LayerCall, x: Symbolic): Symbolic {
  const rank = x.shape.length;
  const [a, b] = ["axis1", "axis2"].map((name, i) =>
    wholeAxis(call, option(call, name) ?? i, rank),
  ) as [number, number];
  if (a === rank - 2 && b === rank - 1) return x;
  const others = x.shape.map((_, i) => i).filter((axis) => axis !== a && axis !== b);
  return call.writer.transpose(`${call.path}/transpose`, x, [...others, a, b]);
}

/** Sum of a diagonal. */
export const traceOperation: Translate = (call) => {
  const f = new Formula(call);
  const x = matricesLast(call, onlyOperand(call));
  const offset = Number(option(call, "offset") ?? 0);
  const mask = places(call, x, (row, column) => column - row === offset);
  const rank = x.shape.length;
  return f.reduce("Sum", f.where(mask, x, 0), [rank - 2, rank - 1], false);
};

/** Elements of a diagonal: of the matrix as a row, every `columns + 1`th. */
export const diagonalOperation: Translate = (call) => {
  const { config, writer, path } = call;
  const x = matricesLast(call, onlyOperand(call));
  const [rows = -1, columns = -1] = x.shape.slice(-2);
  if (rows < 0 || columns < 0) throw unsupported(config, "the diagonal of an open dimension");
  const offset = Number(option(call, "offset") ?? 0);
  const count = Math.max(0, Math.min(rows + Math.min(offset, 0), columns - Math.max(offset, 0)));
  const first = offset >= 0 ? offset : -offset * columns;
  const indices = madeVector(count, config.where, (i) => first + i * (columns + 1));
  const outer = x.shape.slice(0, -2);
  const flat = writer.reshape(`${path}/Reshape`, x, [...outer, rows * columns]);
  return writer.gather(`${path}/GatherV2`, flat, outer.length, indices);
};

/** Products of all elements of one with all of the other, block by block. */
export const kronOperation: Translate = (call) => {
  const { config, writer, path } = call;
  const [a, b] = operands(call);
  const rank = a.shape.length;
  if (rank !== b.shape.length || elementCount(a.shape) < 0 || elementCount(b.shape) < 0)
    throw unsupported(config, "kron of other ranks or open shapes");
  const wide = writer.reshape(
    `${path}/Reshape`,
    a,
    a.shape.flatMap((size) => [size, 1]),
  );
  const deep = writer.reshape(
    `${path}/Reshape_1`,
    b,
    b.shape.flatMap((size) => [1, size]),
  );
  const product = writer.binary(`${path}/Mul`, "Mul", wide, deep);
  return writer.reshape(
    `${path}/Reshape_2`,
    product,
    a.shape.map((size, i) => size * b.shape[i]!),
  );
};

/** Vector products of three components along the last axis. */
export const crossOperation: Translate = (call) => {
  const { config, writer, path } = call;
  const f = new Formula(call);
  const [a, b] = operands(call);
  const rank = a.shape.length;
  const isLast = ["axis", "axisa", "axisb", "axisc"].every((name) => {
    const axis = option(call, name) ?? -1;
    return axis === -1 || axis === rank - 1;
  });
  if (!isLast || `${a.shape}` !== `${b.shape}` || a.shape.at(-1) !== 3)
    throw unsupported(config, "cross of other than three components along the last axis");
  const turned = (x: Symbolic, by: number): Symbolic =>
    writer.gather(`${path}/GatherV2`, x, rank - 1, [by, (1 + by) % 3, (2 + by) % 3]);
  const forward = f.of("Mul", turned(a, 1), turned(b, 2));
  return f.of("Sub", forward, f.of("Mul", turned(a, 2), turned(b, 1)));
};

/** Norms of vectors: of order 1, 2, any other number, or infinity; and Frobenius' of matrices. */
export const normOperation: Translate = (call) => {
  const { config } = call;
  const f = new Formula(call);
  const x = f.cast(onlyOperand(call), "float32");
  const axes = axesOf(call, x);
  const keep = option(call, "keepdims") === true;
  const order = orderOf(option(call, "ord") ?? 2);
  if (order === "fro" || (order === 2 && (axes.length === 1 || option(call, "ord") === undefined)))
    return f.of("Sqrt", f.reduce("Sum", f.of("Square", x), axes, keep));
  if (axes.length !== 1 || typeof order !== "number")
    throw unsupported(config, `a norm of order ${String(order)} over ${axes.length} axes`);
  const sizes = f.of("Abs", x);
  if (order === Infinity) return f.reduce("Max", sizes, axes, keep);
  if (order === -Infinity) return f.reduce("Min", sizes, axes, keep);
  if (order === 0) return f.reduce("Sum", f.cast(f.of("NotEqual", x, 0), "float32"), axes, keep);
  if (order === 1) return f.reduce("Sum", sizes, axes, keep);
  return f.of("Pow", f.reduce("Sum", f.of("Pow", sizes, order), axes, keep), 1 / order);
};

/** JSON has no infinity: Python writes the name, readers of other files a string. */
function orderOf(order: unknown): number | string {
  if (typeof order === "number") return order;
  const text = String(order);
  return /^-?(?:inf|infinity)$/i.test(text) ? (text.startsWith("-") ? -Infinity : Infinity) : text;
}

/** x / max(‖x‖, epsilon) along an axis. */
export const normalizeOperation: Translate = (call) => {
  const f = new Formula(call);
  const x = onlyOperand(call);
  const axes = axesOf(call, x);
  const order = Number(option(call, "order") ?? 2);
  const epsilon = Number(option(call, "epsilon") ?? 1e-7);
  if (order === 2) {
    const sum = f.reduce("Sum", f.of("Square", x), axes, true);
    return f.of("Mul", x, f.of("Minimum", f.of("Rsqrt", sum), 1 / epsilon));
  }
  const powers = order === 1 ? f.of("Abs", x) : f.of("Pow", f.of("Abs", x), order);
  const sum = f.reduce("Sum", powers, axes, true);
  const norm = order === 1 ? sum : f.of("Pow", sum, 1 / order);
  return f.of("RealDiv", x, f.of("Maximum", norm, epsilon));
};

/** Mean and variance over axes. */
export const momentsOperation: Translate = (call) => {
  const f = new Formula(call);
  const x = onlyOperand(call);
  const axes = integers(call, "axes", 1).map((axis) => wholeAxis(call, axis, x.shape.length));
  const keep = option(call, "keepdims") === true;
  const mean = f.reduce("Mean", x, axes, true);
  const variance = f.reduce("Mean", f.of("SquaredDifference", x, mean), axes, keep);
  return [keep ? mean : f.reduce("Mean", x, axes, false), variance];
};

/** The mean, each element with its weight. */
export const averageOperation: Translate = (call) => {
  const f = new Formula(call);
  const x = onlyOperand(call);
  const axes = axesOf(call, x);
  const given = argumentOf(call, "weights", 1);
  if (given === undefined || plainValue(given) === null) return f.reduce("Mean", x, axes, false);
  let weights = asTensor(call, given, x);
  if (weights.shape.length !== x.shape.length && weights.shape.length === 1 && axes.length === 1) {
    const shape = x.shape.map((_, axis) => (axis === axes[0] ? weights.shape[0]! : 1));
    weights = call.writer.reshape(`${call.path}/weights`, weights, shape);
  }
  if (weights.shape.length !== x.shape.length)
    throw unsupported(call.config, "an average with weights of another rank");
  const total = f.reduce("Sum", weights, axes, false);
  return f.of("RealDiv", f.reduce("Sum", f.of("Mul", x, weights), axes, false), total);
};
