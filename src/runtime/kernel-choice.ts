/** Which kernel serves an operator. */
import { UnsupportedError } from "../base/errors.ts";
import type { KernelTable } from "../kernels/kernel.ts";
import { referenceCustomKernel, referenceKernel } from "../kernels/reference/table.ts";
import type { KernelFinder } from "./load.ts";

/** "reference": definitions in plain TypeScript; "simd": emitted WebAssembly; "auto": the fastest there is. */
export type KernelChoice = "auto" | "reference" | "simd";

/**
 * Makes the function that finds kernels by operator name.
 *
 * @throws {UnsupportedError} for "simd", of which this version has none.
 */
export function kernelFinder(
  choice: KernelChoice,
  customOperators: KernelTable = {},
): KernelFinder {
  if (choice === "simd") {
    throw new UnsupportedError({
      where: "Interpreter.create",
      found: 'kernels "simd"',
      expected: '"auto" or "reference" in this version',
      features: ["SIMD kernels"],
    });
  }
  return (op, isCustom) => {
    if (!isCustom) return referenceKernel(op);
    return Object.hasOwn(customOperators, op) ? customOperators[op] : referenceCustomKernel(op);
  };
}
