/**
 * Broadcasting by NumPy's rule, for any number of operands and any rank. A plan merges dimensions that all operands walk
 * alike, so that the innermost loop of a kernel is as long as it can be; along it an operand either advances by one
 * element or stands still.
 */
import { formatShape, type Shape } from "../../base/shape.ts";
import type { KernelNode } from "../kernel.ts";
import { misshapen } from "../require.ts";
import type { Elements } from "./elements.ts";

interface Dimension {
  size: number;
  /** Elements that each operand advances by. */
  readonly strides: number[];
}

/** How to walk an output and its broadcast operands. */
export interface BroadcastPlan {
  readonly rows: number;
  readonly rowLength: number;
  /** 0 or 1 per operand: what it advances by inside a row. */
  readonly steps: readonly number[];
  /** Dimensions outside the row, outermost first. */
  readonly outer: readonly Readonly<Dimension>[];
}

/** The shape that operands broadcast to. A missing leading dimension counts as 1; sizes must be equal or 1. */
export function broadcastShape(node: KernelNode, shapes: readonly Shape[]): Shape {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  const result = new Array<number>(rank).fill(1);
  for (const shape of shapes) {
    const offset = rank - shape.length;
    shape.forEach((size, axis) => {
      const before = result[offset + axis];
      if (before === 1) result[offset + axis] = size;
      else if (size !== 1 && size !== before) {
        const found = shapes.map(formatShape).join(" and ");
        throw misshapen(node, `operands of shapes ${found}`, "shapes that broadcast together");
      }
    });
  }
  return result;
}

/** Plans the walk of operands of the given shapes over an output of shape `out`, to which they broadcast. */
export function planBroadcast(out: Shape, operands: readonly Shape[]): BroadcastPlan {
  const strides = operands.map((shape) => stridesOver(out, shape));
  const merged: Dimension[] = [];
  for (let axis = 0; axis < out.length; axis++) {
    const size = out[axis];
    if (size === 1) continue;
    const own = strides.map((list) => list[axis]);
    const last = merged.at(-1);
    if (last?.strides.every((stride, k) => stride === own[k] * size)) {
      last.size *= size;
      last.strides.splice(0, own.length, ...own);
    } else merged.push({ size, strides: own });
  }
  const row = merged.pop() ?? { size: 1, strides: operands.map(() => 0) };
  let rows = 1;
  for (const { size } of merged) rows *= size;
  return { rows, rowLength: row.size, steps: row.strides, outer: merged };
}

/** Calls `visit` for each row with the index of its first output element and of each operand's. */
export function forEachRow(
  plan: BroadcastPlan,
  visit: (outStart: number, operandStarts: readonly number[]) => void,
): void {
  const { outer, rows, rowLength } = plan;
  const counter = new Array<number>(outer.length).fill(0);
  const starts = plan.steps.map(() => 0);
  for (let row = 0; row < rows; row++) {
    visit(row * rowLength, starts);
    for (let axis = outer.length - 1; axis >= 0; axis--) {
      const { size, strides } = outer[axis];
      const wrapped = ++counter[axis] === size;
      for (let k = 0; k < starts.length; k++) {
        starts[k] += wrapped ? strides[k] * (1 - size) : strides[k];
      }
      if (!wrapped) break;
      counter[axis] = 0;
    }
  }
}

/** out = f(a, b), element by element. */
export function mapPairs<A, B, R>(
  plan: BroadcastPlan,
  a: Elements<A>,
  b: Elements<B>,
  out: Elements<R>,
  f: (a: A, b: B) => R,
): void {
  const [stepA, stepB] = plan.steps;
  forEachRow(plan, (start, [startA, startB]) => {
    for (let i = 0; i < plan.rowLength; i++) {
      out[start + i] = f(a[startA + i * stepA], b[startB + i * stepB]);
    }
  });
}

function stridesOver(out: Shape, shape: Shape): number[] {
  const offset = out.length - shape.length;
  const strides = new Array<number>(out.length).fill(0);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1) strides[offset + axis] = stride;
    stride *= shape[axis];
  }
  return strides;
}
