/**
 * EQUAL, NOT_EQUAL, GREATER, GREATER_EQUAL, LESS and LESS_EQUAL on float32 and int32, and on
 * bytes by table, over linear memory.
 */
import { inputAt } from "../../require.ts";
import { type Comparison, compareName, emitCompare } from "../elementwise/emit-compare.ts";
import type { FastKernel, FastKernelTable } from "../fast-kernel.ts";
import { fastBytePair } from "./pair-lookup.ts";
import { planPairs } from "./pair-plan.ts";

const BYTES = { operand: 4, result: 1 };

function fastComparison(comparison: Comparison): FastKernel {
  return (request) => {
    const { dtype } = inputAt(request.node, 0);
    if (dtype !== "float32" && dtype !== "int32") return fastBytePair(request);
    const data = dtype === "float32" ? "f32" : "i32";
    return planPairs(request, BYTES, (repeated) => {
      const variant = { data, comparison, repeated } as const;
      return {
        name: compareName(variant),
        emit: (module) => emitCompare(module, variant),
        rest: [],
      };
    });
  };
}

export const COMPARISON_KERNELS: FastKernelTable = {
  EQUAL: fastComparison("eq"),
  NOT_EQUAL: fastComparison("ne"),
  GREATER: fastComparison("gt"),
  GREATER_EQUAL: fastComparison("ge"),
  LESS: fastComparison("lt"),
  LESS_EQUAL: fastComparison("le"),
};
