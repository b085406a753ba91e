/**
 * Operators that are computed when a plan is made, because nothing they read changes from run to run: DEQUANTIZE of
 * constants, arithmetic on shapes. Results are kept from plan to plan as long as the operands are the same.
 */
import { type Shape, sameShape } from "../base/shape.ts";
import type { KernelNode, TensorInfo, TensorView } from "../kernels/kernel.ts";
import { allocateData } from "./tensor-data.ts";
import { TensorSlot } from "./tensor-slot.ts";

interface Computation {
  readonly inputs: readonly (TensorView | undefined)[];
  readonly inputShapes: readonly (Shape | undefined)[];
  readonly results: readonly TensorSlot[];
}

export class ComputedOnce {
  readonly #computations = new Map<number, Computation>();
  #count = 0;

  /** How often an operator was computed. */
  get computations(): number {
    return this.#count;
  }

  /** Bytes of all results that are kept. */
  get byteLength(): number {
    let total = 0;
    for (const { results } of this.#computations.values()) {
      for (const { data } of results) if (!Array.isArray(data)) total += data.byteLength;
    }
    return total;
  }

  /** The results of an operator, from before or from `compute`. `shapes` are those its kernel told. */
  results(
    operator: number,
    node: KernelNode,
    inputs: readonly (TensorView | undefined)[],
    shapes: readonly (Shape | undefined)[],
    compute: (inputs: readonly (TensorView | undefined)[], outputs: readonly TensorSlot[]) => void,
  ): readonly TensorSlot[] {
    const inputShapes = node.inputs.map((input) => input?.shape);
    const before = this.#computations.get(operator);
    if (before !== undefined && sameOperands(before, inputs, inputShapes)) return before.results;
    const results = node.outputs.map((info, at) => {
      const shape = shapes[at];
      const tensor = { ...info, shape: shape ?? [0], isConstant: true };
      const data = allocateData(node.where, info.dtype, tensor.shape);
      return new TensorSlot(tensor, data, shape === undefined);
    });
    compute(
      inputs.map((view, at) => view ?? shapeOnly(node.inputs[at])),
      results,
    );
    this.#count += 1;
    this.#computations.set(operator, { inputs, inputShapes, results });
    return results;
  }
}

/** Stands for an input of an operator that reads shapes only. */
function shapeOnly(info: TensorInfo | undefined): TensorView | undefined {
  return info === undefined ? undefined : { ...info, data: new Uint8Array(0) };
}

function sameOperands(
  before: Computation,
  inputs: readonly (TensorView | undefined)[],
  shapes: readonly (Shape | undefined)[],
): boolean {
  return (
    inputs.every((input, at) => input?.data === before.inputs[at]?.data) &&
    sameShapes(before.inputShapes, shapes)
  );
}

/** Whether two lists of shapes, some perhaps unknown, are the same. */
export function sameShapes(
  a: readonly (Shape | undefined)[],
  b: readonly (Shape | undefined)[],
): boolean {
  return (
    a.length === b.length &&
    a.every((shape, at) => {
      const other = b[at];
      return (
        shape === other || (shape !== undefined && other !== undefined && sameShape(shape, other))
      );
    })
  );
}
