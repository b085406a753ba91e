/** Kernels that compute each output element from one element of each of two broadcast operands. */
import type { DType } from "../../base/dtype.ts";
import type { Kernel, KernelNode } from "../kernel.ts";
import {
  inputAt,
  outputAt,
  requireOperands,
  requireSameType,
  requireType,
  unsupported,
} from "../require.ts";
import { broadcastShape, mapPairs, planBroadcast } from "./broadcast.ts";
import { type Elements, elementsOf } from "./elements.ts";

/** A function on two elements as they are stored: numbers, bigints for 64-bit integers, bytes for strings. */
export type Pair = (a: never, b: never) => unknown;

/** Functions by what the elements are. */
export type NumberPair = (a: number, b: number) => number;
export type BigintPair = (a: bigint, b: bigint) => bigint;

/**
 * A kernel from the function that an operator has on the type of its operands; undefined for a type it does not
 * serve. The function is asked for once at `check` (where it may throw for bad quantization) and again at `create`.
 * The output has the type of the operands where no other is given.
 */
export function pairKernel(
  pairFor: (node: KernelNode) => Pair | undefined,
  outputType?: DType,
): Kernel {
  const demand = (node: KernelNode): Pair => {
    const pair = pairFor(node);
    if (pair === undefined) throw unsupported(node, `on ${inputAt(node, 0).dtype}`);
    return pair;
  };
  return {
    check(node) {
      requireOperands(node, [2, 2]);
      requireSameType(node, inputAt(node, 0), inputAt(node, 1), "second input");
      requireType(node, outputAt(node, 0), [outputType ?? inputAt(node, 0).dtype], "output");
      demand(node);
    },
    shapes: (node) => [broadcastShape(node, [inputAt(node, 0).shape, inputAt(node, 1).shape])],
    create(node) {
      const pair = demand(node);
      const plan = planBroadcast(outputAt(node, 0).shape, [
        inputAt(node, 0).shape,
        inputAt(node, 1).shape,
      ]);
      return ([a, b], [out]) => {
        mapPairs(
          plan,
          elementsOf(a) as Elements<never>,
          elementsOf(b) as Elements<never>,
          elementsOf(out),
          pair,
        );
      };
    },
  };
}
