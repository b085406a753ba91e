/**
 * The meaning of StridedSlice's masks, in one place for shape inference, constant folding and lowering.
 * Source of the rules: TensorFlow core/util/strided_slice_op.cc.
 */
import { ShapeError } from "../base/errors.ts";
import type { Shape } from "../base/shape.ts";

export interface SliceMasks {
  readonly begin: number;
  readonly end: number;
  readonly ellipsis: number;
  readonly newAxis: number;
  readonly shrink: number;
}

/** One dimension of the input: the elements begin, begin + stride, …, `size` of them (-1 when unknown). */
export interface SliceRange {
  readonly begin: number;
  readonly stride: number;
  readonly size: number;
}

/** What a StridedSlice takes: a range for every input dimension, and how the output's dimensions come from them. */
export interface SlicePlan {
  readonly ranges: readonly SliceRange[];
  /** Per output dimension the input dimension it comes from, or -1 for a new one of size 1. */
  readonly outputAxes: readonly number[];
}

type Element = number | undefined;

/**
 * Resolves the masks. `begin`, `end` and `strides` may have unknown elements; sizes that depend on them come out as -1,
 * and so does `begin` of such a range.
 */
export function planStridedSlice(
  shape: Shape,
  begin: readonly Element[],
  end: readonly Element[],
  strides: readonly Element[],
  masks: SliceMasks,
  where: string,
): SlicePlan {
  const specs = begin.length;
  const newAxes = bits(masks.newAxis & ~masks.ellipsis, specs);
  const hasEllipsis = bits(masks.ellipsis, specs) > 0;
  const spread = shape.length - (specs - newAxes - (hasEllipsis ? 1 : 0));
  if (spread < 0) {
    throw new ShapeError({
      where,
      found: `${specs} slice ranges`,
      expected: `at most ${shape.length}, the rank of the input`,
    });
  }
  const ranges: SliceRange[] = [];
  const outputAxes: number[] = [];
  const keepWhole = (count: number) => {
    for (let i = 0; i < count; i++) {
      outputAxes.push(ranges.length);
      ranges.push({ begin: 0, stride: 1, size: shape[ranges.length] ?? -1 });
    }
  };
  for (let i = 0; i < specs; i++) {
    const bit = 1 << i;
    if (masks.ellipsis & bit) {
      keepWhole(spread);
    } else if (masks.newAxis & bit) {
      outputAxes.push(-1);
    } else {
      const shrinks = (masks.shrink & bit) !== 0;
      if (!shrinks) outputAxes.push(ranges.length);
      ranges.push(
        rangeOf(
          shape[ranges.length] ?? -1,
          masks.begin & bit ? "open" : begin[i],
          masks.end & bit ? "open" : end[i],
          strides[i],
          shrinks,
        ),
      );
    }
  }
  keepWhole(shape.length - ranges.length);
  return { ranges, outputAxes };
}

/** Output shape of a plan. */
export function sliceShape(plan: SlicePlan): Shape {
  return plan.outputAxes.map((axis) => (axis < 0 ? 1 : (plan.ranges[axis]?.size ?? -1)));
}

function rangeOf(
  size: number,
  begin: Element | "open",
  end: Element | "open",
  stride: Element,
  shrinks: boolean,
): SliceRange {
  if (shrinks) {
    const known = begin === "open" ? 0 : begin;
    const first =
      known === undefined || (known < 0 && size < 0) ? -1 : known < 0 ? known + size : known;
    return { begin: first, stride: 1, size: 1 };
  }
  if (stride === undefined || stride === 0) return { begin: -1, stride: 1, size: -1 };
  const low = stride > 0 ? 0 : -1;
  const high = stride > 0 ? size : size - 1;
  const clamp = (value: Element | "open", open: number): number | undefined => {
    if (value === "open") return open;
    if (value === undefined) return undefined;
    return Math.min(Math.max(value < 0 ? value + size : value, low), high);
  };
  if (size < 0) return { begin: begin === "open" || begin === 0 ? 0 : -1, stride, size: -1 };
  const from = clamp(begin, stride > 0 ? 0 : size - 1);
  const to = clamp(end, stride > 0 ? size : -1);
  if (from === undefined || to === undefined) return { begin: -1, stride, size: -1 };
  return { begin: from, stride, size: Math.max(0, Math.ceil((to - from) / stride)) };
}

function bits(mask: number, count: number): number {
  let found = 0;
  for (let i = 0; i < count; i++) if (mask & (1 << i)) found++;
  return found;
}
