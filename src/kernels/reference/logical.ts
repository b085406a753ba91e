/** Logic on bool (LOGICAL_AND, LOGICAL_OR, LOGICAL_NOT) and on the bits of integers (BITWISE_XOR, RIGHT_SHIFT). */
import type { DType } from "../../base/dtype.ts";
import type { KernelNode, KernelTable } from "../kernel.ts";
import { inputAt, outputAt, requireOperands, requireType } from "../require.ts";
import { uint8 } from "../views.ts";
import { type NumberPair, type Pair, pairKernel } from "./pairwise.ts";

const INTEGERS: readonly DType[] = ["int8", "uint8", "int16", "uint16", "int32", "uint32"];

function on(types: readonly DType[], pair: Pair): (node: KernelNode) => Pair | undefined {
  return (node) => (types.includes(inputAt(node, 0).dtype) ? pair : undefined);
}

/** Arithmetic for signed types; the count is held between 0 and the type's width less one. */
function shiftPair(node: KernelNode): Pair | undefined {
  const { dtype } = inputAt(node, 0);
  if (!INTEGERS.includes(dtype)) return undefined;
  const most = dtype.endsWith("8") ? 7 : dtype.endsWith("16") ? 15 : 31;
  const shift: NumberPair = dtype.startsWith("u") ? (a, n) => a >>> n : (a, n) => a >> n;
  return (a: number, n: number) => shift(a, n < 0 ? 0 : n > most ? most : n);
}

export const LOGICAL: KernelTable = {
  LOGICAL_AND: pairKernel(on(["bool"], (a: number, b: number) => a !== 0 && b !== 0)),
  LOGICAL_OR: pairKernel(on(["bool"], (a: number, b: number) => a !== 0 || b !== 0)),
  LOGICAL_NOT: {
    check(node) {
      requireOperands(node, [1, 1]);
      requireType(node, inputAt(node, 0), ["bool"], "input");
      requireType(node, outputAt(node, 0), ["bool"], "output");
    },
    shapes: (node) => [inputAt(node, 0).shape],
    create: () => (inputs, outputs) => {
      const [x, out] = [uint8(inputs[0]), uint8(outputs[0])];
      for (let i = 0; i < out.length; i++) out[i] = x[i] === 0 ? 1 : 0;
    },
  },
  BITWISE_XOR: pairKernel(on(INTEGERS, (a: number, b: number) => a ^ b)),
  RIGHT_SHIFT: pairKernel(shiftPair),
};
