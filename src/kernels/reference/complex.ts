/**
 * Complex numbers, stored as pairs (real, imaginary): REAL, IMAG, COMPLEX_ABS, and the product that MUL has on them.
 */
import type { DType } from "../../base/dtype.ts";
import type { Kernel, KernelTable } from "../kernel.ts";
import { inputAt, outputAt, requireOperands, requireType } from "../require.ts";
import { broadcastShape, forEachRow, planBroadcast } from "./broadcast.ts";
import { numbersOf } from "./elements.ts";

/** MUL: `real` for real operands; (a + bi)(c + di) = (ac − bd) + (ad + bc)i for complex64 ones. */
export function complexProductKernel(real: Kernel): Kernel {
  return {
    check(node) {
      if (inputAt(node, 0).dtype !== "complex64") return real.check(node);
      requireOperands(node, [2, 2]);
      requireType(node, inputAt(node, 1), ["complex64"], "second input");
      requireType(node, outputAt(node, 0), ["complex64"], "output");
    },
    shapes: (node) => [broadcastShape(node, [inputAt(node, 0).shape, inputAt(node, 1).shape])],
    create(node, context) {
      if (inputAt(node, 0).dtype !== "complex64") return real.create(node, context);
      const shapes = [inputAt(node, 0).shape, inputAt(node, 1).shape];
      const plan = planBroadcast(outputAt(node, 0).shape, shapes);
      const [stepA, stepB] = plan.steps;
      return (inputs, outputs) => {
        const [a, b, out] = [numbersOf(inputs[0]), numbersOf(inputs[1]), numbersOf(outputs[0])];
        forEachRow(plan, (start, [startA, startB]) => {
          for (let i = 0; i < plan.rowLength; i++) {
            const [p, q] = [2 * (startA + i * stepA), 2 * (startB + i * stepB)];
            out[2 * (start + i)] = a[p] * b[q] - a[p + 1] * b[q + 1];
            out[2 * (start + i) + 1] = a[p] * b[q + 1] + a[p + 1] * b[q];
          }
        });
      };
    },
  };
}

/** A kernel that makes one real number of each complex one. */
function partKernel(part: (real: number, imaginary: number) => number): Kernel {
  return {
    check(node) {
      requireOperands(node, [1, 1]);
      requireType(node, inputAt(node, 0), ["complex64", "complex128"], "input");
      const real: DType = inputAt(node, 0).dtype === "complex64" ? "float32" : "float64";
      requireType(node, outputAt(node, 0), [real], "output");
    },
    shapes: (node) => [inputAt(node, 0).shape],
    create: () => (inputs, outputs) => {
      const [x, out] = [numbersOf(inputs[0]), numbersOf(outputs[0])];
      for (let i = 0; i < out.length; i++) out[i] = part(x[2 * i], x[2 * i + 1]);
    },
  };
}

export const COMPLEX: KernelTable = {
  REAL: partKernel((real) => real),
  IMAG: partKernel((_, imaginary) => imaginary),
  COMPLEX_ABS: partKernel(Math.hypot),
};
