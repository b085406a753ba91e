/** Arithmetic on two operands with broadcasting. */
import { sameShape } from "../../base/shape.ts";
import type { KernelTable } from "../kernel.ts";
import { optionsOf } from "../options.ts";
import { inputAt, misshapen, requireOperands, requireSameType, requireType } from "../require.ts";
import { float32 } from "../views.ts";
import { clampInPlace, clampRange } from "./activation.ts";

export const ARITHMETIC: KernelTable = {
  ADD: {
    check(node) {
      requireOperands(node, [2, 2]);
      requireType(node, inputAt(node, 0), ["float32"], "input");
      requireSameType(node, inputAt(node, 0), inputAt(node, 1), "second input");
      const { fused_activation_function } = optionsOf(node, "AddOptions");
      clampRange(node, fused_activation_function);
    },
    shapes(node) {
      const [a, b] = [inputAt(node, 0).shape, inputAt(node, 1).shape];
      if (!sameShape(a, b)) throw misshapen(node, "inputs of different shapes", "equal shapes");
      return [a];
    },
    create(node) {
      const { fused_activation_function } = optionsOf(node, "AddOptions");
      const range = clampRange(node, fused_activation_function);
      return ([a, b], [out]) => {
        const [x, y, sum] = [float32(a), float32(b), float32(out)];
        for (let i = 0; i < sum.length; i++) sum[i] = x[i] + y[i];
        clampInPlace(sum, range);
      };
    },
  },
};
