/** MIRROR_PAD: the input surrounded by its own reflection. */
import type { Shape } from "../../base/shape.ts";
import type { Kernel, KernelNode, KernelTable } from "../kernel.ts";
import { optionsOf } from "../options.ts";
import { inputAt, misshapen } from "../require.ts";
import { present } from "../views.ts";
import { rowMajorStrides } from "./axes.ts";
import { elementsOf, storeElements, writableElementsOf } from "./elements.ts";
import { checkPadding, type Padding, paddedShape, paddingsOf } from "./padding.ts";

/** Requires the reflection to reach no further than the input does: REFLECT leaves out the border element. */
function requireReach(node: KernelNode, shape: Shape, paddings: readonly Padding[]): void {
  const border = optionsOf(node, "MirrorPadOptions").mode === "REFLECT" ? 1 : 0;
  paddings.forEach(([before, after], axis) => {
    const most = Math.max(0, shape[axis] - border);
    if (Math.max(before, after) <= most) return;
    const found = `padding ${before}, ${after} of axis ${axis} with size ${shape[axis]}`;
    throw misshapen(node, found, `at most ${most}`);
  });
}

/** The input coordinate that each output coordinate of an axis mirrors. */
function mirrored(size: number, [before, after]: Padding, border: number): number[] {
  return Array.from({ length: before + size + after }, (_, i) => {
    const position = i - before;
    if (position < 0) return -position - 1 + border;
    return position < size ? position : 2 * size - 1 - position - border;
  });
}

const MIRROR_PAD: Kernel = {
  check: (node) => checkPadding(node, 2),
  shapes(node, known) {
    const view = known(1);
    if (view === undefined) return [undefined];
    const { shape } = inputAt(node, 0);
    const paddings = paddingsOf(node, view, shape.length);
    requireReach(node, shape, paddings);
    return [paddedShape(shape, paddings)];
  },
  create: (node) => (inputs, outputs) => {
    const [input, out] = [present(inputs[0]), present(outputs[0])];
    const { shape } = input;
    const border = optionsOf(node, "MirrorPadOptions").mode === "REFLECT" ? 1 : 0;
    const paddings = paddingsOf(node, present(inputs[1]), shape.length);
    requireReach(node, shape, paddings);
    const strides = rowMajorStrides(shape);
    const sources = shape.map((size, axis) =>
      mirrored(size, paddings[axis], border).map((position) => position * strides[axis]),
    );
    const [from, to] = [elementsOf(input), writableElementsOf(out)];
    const counter = new Array<number>(shape.length).fill(0);
    for (let i = 0; i < to.length; i++) {
      let position = 0;
      for (let axis = 0; axis < counter.length; axis++) position += sources[axis][counter[axis]];
      to[i] = from[position];
      for (let axis = counter.length - 1; axis >= 0; axis--) {
        if (++counter[axis] < out.shape[axis]) break;
        counter[axis] = 0;
      }
    }
    storeElements(out, to);
  },
};

export const MIRROR_PADDING: KernelTable = { MIRROR_PAD };
