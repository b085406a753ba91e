/** Choosing elements by condition: SELECT, SELECT_V2, WHERE, UNIQUE. */
import { formatShape, type Shape, sameShape } from "../../base/shape.ts";
import type { Kernel, KernelNode, KernelTable } from "../kernel.ts";
import { optionsOf } from "../options.ts";
import {
  inputAt,
  misshapen,
  outputAt,
  requireOperands,
  requireRank,
  requireSameType,
  requireType,
  requireWholeBytes,
  unsupported,
} from "../require.ts";
import { present, uint8 } from "../views.ts";
import { broadcastShape, forEachRow, planBroadcast } from "./broadcast.ts";
import { copyUnits, type Elements, elementsOf, unitsPerElement } from "./elements.ts";

function checkSelect(node: KernelNode): void {
  requireOperands(node, [3, 3]);
  requireType(node, inputAt(node, 0), ["bool"], "condition");
  requireSameType(node, inputAt(node, 1), inputAt(node, 2), "third input");
  requireSameType(node, inputAt(node, 1), outputAt(node, 0), "output");
  requireWholeBytes(node, outputAt(node, 0));
}

/** condition ? x : y with all three of shapes that broadcast to the output's. */
function createSelect(node: KernelNode, shapes: readonly Shape[]) {
  const plan = planBroadcast(outputAt(node, 0).shape, shapes);
  const [stepC, stepX, stepY] = plan.steps;
  const units = unitsPerElement(outputAt(node, 0).dtype);
  return (...[inputs, outputs]: Parameters<ReturnType<Kernel["create"]>>) => {
    const [condition, x, y] = [uint8(inputs[0]), elementsOf(inputs[1]), elementsOf(inputs[2])];
    const out = elementsOf(outputs[0]);
    forEachRow(plan, (start, [startC, startX, startY]) => {
      for (let i = 0; i < plan.rowLength; i++) {
        const chosen = condition[startC + i * stepC] !== 0;
        const [from, at] = chosen ? [x, startX + i * stepX] : [y, startY + i * stepY];
        copyUnits(from, at * units, out, (start + i) * units, units);
      }
    });
  };
}

/** SELECT's condition is of the operands' shape, a scalar, or a list over their first axis. */
function selectConditionShape(node: KernelNode): Shape {
  const [condition, x, y] = [0, 1, 2].map((i) => inputAt(node, i).shape);
  const perRow = condition.length === 1 && x.length > 0 && condition[0] === x[0];
  if (sameShape(x, y) && (condition.length === 0 || sameShape(condition, x) || perRow)) {
    return sameShape(condition, x) || !perRow ? condition : [x[0], ...x.slice(1).map(() => 1)];
  }
  const found = `shapes ${[condition, x, y].map(formatShape).join(", ")}`;
  throw misshapen(node, found, "equal ones, or a condition that is a scalar or a list of rows");
}

const SELECT: Kernel = {
  check: checkSelect,
  shapes(node) {
    selectConditionShape(node);
    return [inputAt(node, 1).shape];
  },
  create(node) {
    const { shape } = inputAt(node, 1);
    return createSelect(node, [selectConditionShape(node), shape, shape]);
  },
};

const SELECT_V2: Kernel = {
  check: checkSelect,
  shapes: (node) => [
    broadcastShape(
      node,
      [0, 1, 2].map((i) => inputAt(node, i).shape),
    ),
  ],
  create: (node) =>
    createSelect(
      node,
      [0, 1, 2].map((i) => inputAt(node, i).shape),
    ),
};

const COUNTED = ["bool", "float32", "int64", "int32", "uint32", "int8", "uint8"] as const;

/** Coordinates of the elements that are not 0, int64[count, rank], in the order of the input. */
const WHERE: Kernel = {
  check(node) {
    requireOperands(node, [1, 1]);
    requireType(node, inputAt(node, 0), COUNTED, "condition");
    requireType(node, outputAt(node, 0), ["int64"], "output");
  },
  shapes: () => [undefined],
  create: () => (inputs, outputs) => {
    const condition = present(inputs[0]);
    const { shape } = condition;
    const elements = elementsOf(condition);
    const found: number[] = [];
    for (let i = 0; i < elements.length; i++) if (Number(elements[i]) !== 0) found.push(i);
    const out = present(outputs[0]).resize([found.length, shape.length]) as BigInt64Array;
    found.forEach((position, row) => {
      let rest = position;
      for (let axis = shape.length - 1; axis >= 0; axis--) {
        out[row * shape.length + axis] = BigInt(rest % shape[axis]);
        rest = Math.floor(rest / shape[axis]);
      }
    });
  },
};

const DISTINCT = ["float32", "int64", "int32", "int16", "int8", "uint8", "string"] as const;

/** What two equal elements have in common. */
function keyOf(element: unknown): unknown {
  return element instanceof Uint8Array ? element.join() : element;
}

/** The distinct elements in order of first appearance, and for each element the place of its like among them. */
const UNIQUE: Kernel = {
  check(node) {
    requireOperands(node, [1, 1], 2);
    requireType(node, inputAt(node, 0), DISTINCT, "input");
    requireSameType(node, inputAt(node, 0), outputAt(node, 0), "output");
    const { idx_out_type } = optionsOf(node, "UniqueOptions");
    if (idx_out_type !== "INT32" && idx_out_type !== "INT64") {
      throw unsupported(node, `with indices ${idx_out_type}`);
    }
    const indexType = idx_out_type === "INT64" ? "int64" : "int32";
    requireType(node, outputAt(node, 1), [indexType], "indices");
  },
  shapes(node) {
    const { shape } = inputAt(node, 0);
    requireRank(node, shape, [1, 1], "input");
    return [undefined, shape];
  },
  create: () => (inputs, outputs) => {
    const input = elementsOf(inputs[0]);
    const indices = elementsOf(outputs[1]);
    const wide = present(outputs[1]).dtype === "int64";
    const places = new Map<unknown, number>();
    const distinct: unknown[] = [];
    for (let i = 0; i < input.length; i++) {
      const key = keyOf(input[i]);
      const place = places.get(key) ?? distinct.length;
      if (place === distinct.length) {
        places.set(key, place);
        distinct.push(input[i]);
      }
      indices[i] = wide ? BigInt(place) : place;
    }
    const out = present(outputs[0]).resize([distinct.length]) as Elements;
    copyUnits(distinct, 0, out, 0, distinct.length);
  },
};

export const SELECTION: KernelTable = { SELECT, SELECT_V2, WHERE, UNIQUE };
