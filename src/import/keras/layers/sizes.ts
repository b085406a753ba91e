/** Sizes that a model computes (`tf.shape(x)[1] * 2`): whole numbers that are known, as far as shapes are. */
import { describe, type Json } from "../config.ts";
import type { CallArgument, LayerCall } from "../layer.ts";
import { int, type NodeWriter, type Symbolic, type } from "../node-writer.ts";

/** An int32 number or vector: a constant where all of its elements are known. */
function sizes(
  writer: NodeWriter,
  name: string,
  elements: readonly number[],
  isNumber: boolean,
  compute: () => Symbolic,
): Symbolic {
  const isKnown = elements.every((element) => element >= 0);
  const x = isKnown ? writer.ints(name, isNumber ? elements[0]! : elements) : compute();
  return { ...x, elements };
}

/** The shape of a tensor, int32. */
export function shapeVector({ writer, path }: LayerCall, x: Symbolic): Symbolic {
  const result = { shape: [x.shape.length], dtype: "int32" } as const;
  return sizes(writer, `${path}/Shape`, x.shape, false, () =>
    writer.emit(`${path}/Shape`, "Shape", [x], result, { out_type: type("int32") }),
  );
}

/** Elements of a vector of sizes at known places: what an index or a slice takes. */
export function takenSizes(
  { writer, path }: LayerCall,
  elements: readonly number[],
  isNumber: boolean,
  compute: () => Symbolic,
): Symbolic {
  return sizes(writer, `${path}/sizes`, elements, isNumber, compute);
}

const ARITHMETIC: ReadonlyMap<string, (a: number, b: number) => number> = new Map([
  ["AddV2", (a, b) => a + b],
  ["Sub", (a, b) => a - b],
  ["Mul", (a, b) => a * b],
  ["FloorDiv", (a, b) => Math.floor(a / b)],
  ["FloorMod", (a, b) => a - b * Math.floor(a / b)],
  ["Maximum", Math.max],
  ["Minimum", Math.min],
]);

/** The result of an operation on two sizes, or vectors of them, where all are known. */
export function sizesOf(op: string, a: Symbolic, b: Symbolic): number[] | undefined {
  const apply = ARITHMETIC.get(op);
  const [left, right] = [a.elements, b.elements];
  if (apply === undefined || left === undefined || right === undefined) return undefined;
  const count = Math.max(left.length, right.length);
  if ([...left, ...right].some((size) => size < 0) || a.shape.length + b.shape.length > 2)
    return undefined;
  if ([left, right].some(({ length }) => length !== count && length !== 1)) return undefined;
  const sizes = Array.from({ length: count }, (_, i) =>
    apply(left[left.length === 1 ? 0 : i]!, right[right.length === 1 ? 0 : i]!),
  );
  return sizes.every((size) => Number.isInteger(size) && size >= 0) ? sizes : undefined;
}

/**
 * Whole numbers that an argument stands for: numbers, tensors of sizes, or a list of both. -1 where a size is not known,
 * undefined where not even their count is.
 */
export function wholeNumbers(argument: CallArgument | undefined): number[] | undefined {
  if (argument === undefined) return undefined;
  if (argument.kind === "list") {
    const items = argument.items.map(wholeNumbers);
    return items.every((item) => item !== undefined) ? items.flat() : undefined;
  }
  if (argument.kind === "tensor") {
    const { elements, shape, dtype } = argument.tensor;
    if (elements !== undefined) return [...elements];
    return shape.length === 0 && dtype !== "float32" ? [-1] : undefined;
  }
  const list = [argument.value].flat(3) as Json[];
  return list.every(Number.isInteger) ? (list as number[]) : undefined;
}

/** The same as a vector, int32, where some of the numbers are computed. */
export function sizeVector(
  { config, writer, path }: LayerCall,
  argument: CallArgument,
  name: string,
): Symbolic {
  const whole = (x: Symbolic, rank: number): Symbolic => {
    if (x.shape.length === rank && (x.dtype === "int32" || x.dtype === "int64")) return x;
    throw config.wrong(`${name} of ${x.dtype} with ${x.shape.length} dimensions`, "whole numbers");
  };
  if (argument.kind === "tensor") return whole(argument.tensor, 1);
  const items = argument.kind === "list" ? argument.items : [argument];
  const parts = items.map((item) => {
    if (item.kind === "tensor") return whole(item.tensor, 0);
    const value = item.kind === "value" ? item.value : undefined;
    if (typeof value !== "number")
      throw config.wrong(`${name} ${describe(value)}`, "whole numbers");
    return writer.ints(`${path}/${name}`, value);
  });
  const result = { shape: [parts.length], dtype: "int32" } as const;
  return writer.emit(`${path}/${name}`, "Pack", parts, result, { axis: int(0) });
}
