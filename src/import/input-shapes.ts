/**
 * Which shapes the conversion uses. A batch dimension (the first) that the model leaves open becomes 1, because most of
 * what makes a small model fast needs to know it; other open dimensions stay open unless the caller gives them.
 */
import type { Diagnostic } from "../base/errors.ts";
import { UsageError } from "../base/errors.ts";
import { formatShape, type Shape } from "../base/shape.ts";
import type { PartialShape } from "../graph/ir.ts";

/** A shape given by the caller. Without a name the order of the inputs counts. */
export interface InputShape {
  readonly name?: string;
  readonly shape: Shape;
}

export interface ShapeOptions {
  readonly inputShapes?: readonly InputShape[];
  /** Leaves the batch dimension open instead of making it 1. */
  readonly keepDynamicBatch?: boolean;
}

/** What is known of an input before its shape is decided. */
export interface ShapedInput {
  readonly key: string;
  readonly tensorName: string;
  readonly signatureShape: PartialShape;
}

/**
 * Decides the shape of each input, in order.
 *
 * @throws {UsageError} when a given shape fits no input or contradicts the model's.
 */
export function decideShapes(
  inputs: readonly ShapedInput[],
  options: ShapeOptions,
  diagnostics: Diagnostic[],
): PartialShape[] {
  const given = assignShapes(inputs, options.inputShapes ?? []);
  return inputs.map((input, i) => {
    const shape = given[i];
    if (shape !== undefined) return checked(input, shape);
    return decide(input, options.keepDynamicBatch === true, diagnostics);
  });
}

function decide(
  { key, signatureShape }: ShapedInput,
  keepBatch: boolean,
  diagnostics: Diagnostic[],
): PartialShape {
  if (signatureShape === undefined) {
    diagnostics.push({
      id: "unknown-rank",
      text: `The model does not say which shape input "${key}" has; give it with --input-shape.`,
      location: key,
    });
    return undefined;
  }
  let shape = signatureShape;
  if (shape[0] === -1 && !keepBatch) {
    shape = [1, ...shape.slice(1)];
    diagnostics.push({
      id: "batch-fixed",
      text: `The batch dimension of input "${key}" was open and is now 1: ${formatShape(shape)}.`,
      location: key,
    });
  }
  const open = shape.flatMap((size, axis) => (size < 0 && axis > 0 ? [axis] : []));
  if (open.length > 0) {
    diagnostics.push({
      id: "dimension-open",
      text: `Input "${key}" keeps open dimensions (axis ${open.join(", ")}): ${formatShape(shape)}.`,
      location: key,
      notes: ["Give them with --input-shape for a smaller and faster model."],
    });
  }
  return shape;
}

function assignShapes(
  inputs: readonly ShapedInput[],
  given: readonly InputShape[],
): (Shape | undefined)[] {
  const assigned = new Array<Shape | undefined>(inputs.length).fill(undefined);
  for (const { name, shape } of given) {
    const index =
      name === undefined
        ? assigned.indexOf(undefined)
        : inputs.findIndex((input) => isNamed(input, name));
    if (index < 0) {
      throw new UsageError({
        where: "input shapes",
        found: name === undefined ? "more shapes than inputs" : `a shape for "${name}"`,
        expected: inputs.map(({ key }) => `"${key}"`).join(" or "),
        option: "input-shape",
      });
    }
    assigned[index] = shape;
  }
  return assigned;
}

function isNamed({ key, tensorName }: ShapedInput, name: string): boolean {
  return name === key || name === tensorName || name === tensorName.replace(/:0$/, "");
}

/** The batch may be changed even where the model fixes it; every other dimension must agree. */
function checked({ key, signatureShape }: ShapedInput, shape: Shape): Shape {
  const fits =
    signatureShape === undefined ||
    (shape.length === signatureShape.length &&
      shape.every(
        (size, axis) => axis === 0 || signatureShape[axis] === -1 || signatureShape[axis] === size,
      ));
  if (fits && shape.every((size) => Number.isInteger(size) && size >= -1 && size !== 0))
    return shape;
  throw new UsageError({
    where: `input "${key}"`,
    found: `shape ${formatShape(shape)}`,
    expected: signatureShape === undefined ? "positive sizes" : formatShape(signatureShape),
    option: "input-shape",
  });
}
