/** Operators about order along an axis: ARG_MAX, ARG_MIN, TOPK_V2, CUMSUM. */
import { elementCount } from "../../base/shape.ts";
import type { Kernel, KernelNode, KernelTable, TensorView } from "../kernel.ts";
import { optionsOf } from "../options.ts";
import {
  inputAt,
  misshapen,
  outputAt,
  requireOperands,
  requireRank,
  requireSameType,
  requireType,
  unsupported,
} from "../require.ts";
import { present } from "../views.ts";
import { resolveAxis, splitAt } from "./axes.ts";
import { type Elements, elementsOf, integersOf } from "./elements.ts";

type Comparable = number | bigint;

/** The axis that an operand names. */
export function axisFrom(node: KernelNode, view: TensorView | undefined): number {
  const values = integersOf(node, view);
  if (values.length !== 1) throw misshapen(node, `${values.length} axes`, "one");
  return resolveAxis(node, values[0], inputAt(node, 0).shape.length);
}

/** The place of the first element along an axis that no other one beats. */
function extremePlaceKernel(
  options: "ArgMaxOptions" | "ArgMinOptions",
  beats: (a: Comparable, b: Comparable) => boolean,
): Kernel {
  return {
    check(node) {
      requireOperands(node, [2, 2]);
      const types = ["float32", "int8", "uint8", "int32", "bool"] as const;
      requireType(node, inputAt(node, 0), types, "input");
      requireType(node, inputAt(node, 1), ["int32", "int64"], "axis");
      const { output_type } = optionsOf(node, options);
      requireType(node, outputAt(node, 0), [output_type === "INT64" ? "int64" : "int32"], "output");
    },
    shapes(node, known) {
      const view = known(1);
      if (view === undefined) return [undefined];
      return [inputAt(node, 0).shape.toSpliced(axisFrom(node, view), 1)];
    },
    create: (node) => (inputs, outputs) => {
      const { outer, size, inner } = splitAt(inputAt(node, 0).shape, axisFrom(node, inputs[1]));
      const x = elementsOf(inputs[0]) as Elements<Comparable>;
      const out = elementsOf(outputs[0]);
      const wide = present(outputs[0]).dtype === "int64";
      for (let o = 0; o < outer; o++) {
        for (let i = 0; i < inner; i++) {
          const start = o * size * inner + i;
          let best = 0;
          for (let k = 1; k < size; k++) {
            if (beats(x[start + k * inner], x[start + best * inner])) best = k;
          }
          out[o * inner + i] = wide ? BigInt(best) : best;
        }
      }
    },
  };
}

/** The k largest elements of each row, descending, and their places; of equal elements the first comes first. */
const TOPK_V2: Kernel = {
  check(node) {
    requireOperands(node, [2, 2], 2);
    const types = ["float32", "int8", "uint8", "int16", "int32", "int64"] as const;
    requireType(node, inputAt(node, 0), types, "input");
    requireType(node, inputAt(node, 1), ["int32", "int16"], "k");
    requireSameType(node, inputAt(node, 0), outputAt(node, 0), "output");
    requireType(node, outputAt(node, 1), ["int32", "int16"], "places");
  },
  shapes(node, known) {
    const view = known(1);
    if (view === undefined) return [undefined, undefined];
    const { shape } = inputAt(node, 0);
    requireRank(node, shape, [1, Infinity], "input");
    const values = integersOf(node, view);
    const size = shape[shape.length - 1];
    if (values.length !== 1 || values[0] < 0 || values[0] > size) {
      throw misshapen(node, `k ${values.join(", ")}`, `a number between 0 and ${size}`);
    }
    const out = shape.with(-1, values[0]);
    return [out, out];
  },
  create: (node) => (inputs, outputs) => {
    const { shape } = inputAt(node, 0);
    const size = shape[shape.length - 1];
    const [k] = integersOf(node, inputs[1]);
    const x = elementsOf(inputs[0]) as Elements<Comparable>;
    const [values, places] = [elementsOf(outputs[0]), elementsOf(outputs[1])];
    const rows = size === 0 ? 0 : elementCount(shape) / size;
    for (let row = 0; row < rows; row++) {
      const start = row * size;
      const order = Array.from({ length: size }, (_, i) => i);
      order.sort((a, b) => {
        const [p, q] = [x[start + a], x[start + b]];
        return p > q ? -1 : p < q ? 1 : a - b;
      });
      for (let i = 0; i < k; i++) {
        values[row * k + i] = x[start + order[i]];
        places[row * k + i] = order[i];
      }
    }
  },
};

const CUMSUM: Kernel = {
  check(node) {
    requireOperands(node, [2, 2]);
    requireType(node, inputAt(node, 0), ["float32", "int32", "int64"], "input");
    requireType(node, inputAt(node, 1), ["int32"], "axis");
    requireSameType(node, inputAt(node, 0), outputAt(node, 0), "output");
  },
  shapes(node) {
    const { shape } = inputAt(node, 0);
    if (shape.length === 0) throw unsupported(node, "on a scalar");
    return [shape];
  },
  create: (node) => (inputs, outputs) => {
    const { exclusive, reverse } = optionsOf(node, "CumsumOptions");
    const { outer, size, inner } = splitAt(inputAt(node, 0).shape, axisFrom(node, inputs[1]));
    const x = elementsOf(inputs[0]) as Elements<number>;
    const out = elementsOf(outputs[0]) as Elements<number>;
    const zero = (inputAt(node, 0).dtype === "int64" ? 0n : 0) as number;
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < inner; i++) {
        let sum = zero;
        for (let k = 0; k < size; k++) {
          const at = (o * size + (reverse ? size - 1 - k : k)) * inner + i;
          if (exclusive) {
            out[at] = sum;
            sum += x[at];
          } else {
            sum += x[at];
            out[at] = sum;
          }
        }
      }
    }
  },
};

export const ORDERING: KernelTable = {
  ARG_MAX: extremePlaceKernel("ArgMaxOptions", (a, b) => a > b),
  ARG_MIN: extremePlaceKernel("ArgMinOptions", (a, b) => a < b),
  TOPK_V2,
  CUMSUM,
};
