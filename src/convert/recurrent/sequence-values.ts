/** What the recognizers of recurrent networks have in common: zero states, last steps, and the remark about states. */
import type { Diagnostic } from "../../base/errors.ts";
import type { ValueRef } from "../../graph/ir.ts";
import { attr } from "../attributes.ts";
import type { GraphBuilder } from "../graph-builder.ts";
import type { Matcher } from "../patterns/matcher.ts";

/** Zeros, or a Fill with zero. */
export function isZero(ref: ValueRef, match: Matcher): boolean {
  return match.isNumber(ref, 0, 0) || match.isNumber(match.inputs(ref, "Fill")?.[1], 0, 0);
}

/** The last step of a sequence, [batch, units]. */
export function lastStep(
  name: string,
  x: ValueRef,
  timeMajor: boolean,
  build: GraphBuilder,
): ValueRef {
  const begin = timeMajor ? [-1, 0, 0] : [0, -1, 0];
  const masks = timeMajor ? { open: 6, shrink: 1 } : { open: 5, shrink: 2 };
  return build.add(
    `${name}/last_step`,
    "StridedSlice",
    [x, build.ints(begin), build.ints([0, 0, 0]), build.ints([1, 1, 1])],
    {
      begin_mask: attr.int(masks.open),
      end_mask: attr.int(masks.open),
      ellipsis_mask: attr.int(0),
      new_axis_mask: attr.int(0),
      shrink_axis_mask: attr.int(masks.shrink),
    },
  );
}

/** Says that a network became operators of these kinds, which do not forget. */
export function stateRemark(node: string, kinds: readonly string[]): Diagnostic {
  return {
    id: "recurrent-state",
    text: `The recurrent layer became a fused ${kinds.join(", ")}, which keeps its state from run to run; reset the variables before a new sequence.`,
    location: node,
  };
}
