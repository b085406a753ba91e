/**
 * NON_MAX_SUPPRESSION_V4 and _V5: choosing boxes by descending score, leaving out those that overlap a chosen one by the
 * threshold or more, or (V5 with sigma > 0) lowering their score by e^(−iou²/2σ). TensorFlow Lite 2.21,
 * kernels/internal/reference/non_max_suppression.h.
 */
import { formatShape } from "../../base/shape.ts";
import type { Kernel, KernelNode, KernelTable, TensorView } from "../kernel.ts";
import {
  inputAt,
  misshapen,
  outputAt,
  requireOperands,
  requireRank,
  requireType,
} from "../require.ts";
import { int32 } from "../views.ts";
import { intersectionOverUnion } from "./box-overlap.ts";
import { type Elements, fillUnits, integersOf, numbersOf } from "./elements.ts";

interface Candidate {
  readonly box: number;
  score: number;
  /** Chosen boxes in front of this one have been compared with the candidate already. */
  comparedUpTo: number;
}

/** A binary heap with the highest score first; equal scores leave it as std::priority_queue would have them. */
class CandidateHeap {
  readonly #heap: Candidate[] = [];

  get size(): number {
    return this.#heap.length;
  }

  push(candidate: Candidate): void {
    this.#heap.push(candidate);
    this.#rise(this.#heap.length - 1, candidate);
  }

  pop(): Candidate | undefined {
    const heap = this.#heap;
    const [top] = heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return last;
    // The hole sinks to a leaf along the larger children; the last candidate then rises from there.
    let hole = 0;
    for (let child = 2; child <= heap.length; child = 2 * hole + 2) {
      if (child === heap.length || heap[child].score < heap[child - 1].score) child--;
      heap[hole] = heap[child];
      hole = child;
    }
    this.#rise(hole, last);
    return top;
  }

  #rise(from: number, candidate: Candidate): void {
    let place = from;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!(this.#heap[parent].score < candidate.score)) break;
      this.#heap[place] = this.#heap[parent];
      place = parent;
    }
    this.#heap[place] = candidate;
  }
}

interface Thresholds {
  readonly overlap: number;
  readonly score: number;
  /** 0 where overlapping boxes are left out, not lowered. */
  readonly sigma: number;
}

interface Choice {
  readonly box: number;
  readonly score: number;
}

/** Chooses at most `count` boxes. */
function chooseBoxes(
  boxes: Elements<number>,
  scores: Elements<number>,
  count: number,
  thresholds: Thresholds,
): Choice[] {
  const heap = new CandidateHeap();
  for (let box = 0; box < scores.length; box++) {
    if (scores[box] > thresholds.score) heap.push({ box, score: scores[box], comparedUpTo: 0 });
  }
  const most = Math.min(heap.size, count);
  const chosen: Choice[] = [];
  while (chosen.length < most) {
    const candidate = heap.pop();
    if (candidate === undefined) break;
    const before = candidate.score;
    const suppressed = compareWithChosen(boxes, candidate, chosen, thresholds);
    candidate.comparedUpTo = chosen.length;
    if (suppressed) continue;
    if (candidate.score === before) chosen.push({ box: candidate.box, score: before });
    // A chosen box goes back too, to be left out when it meets itself: that decides the order of equal scores.
    if (candidate.score > thresholds.score) heap.push(candidate);
  }
  return chosen;
}

/** Whether a chosen box overlaps the candidate too much; lowers the candidate's score on the way. */
function compareWithChosen(
  boxes: Elements<number>,
  candidate: Candidate,
  chosen: readonly Choice[],
  { overlap, score, sigma }: Thresholds,
): boolean {
  const { fround } = Math;
  const scale = sigma > 0 ? fround(-0.5 / sigma) : 0;
  for (let k = chosen.length - 1; k >= candidate.comparedUpTo; k--) {
    const iou = intersectionOverUnion(boxes, candidate.box, chosen[k].box);
    if (iou >= overlap) return true;
    if (sigma > 0) {
      const weight = fround(Math.exp(fround(fround(scale * iou) * iou)));
      candidate.score = fround(candidate.score * weight);
    }
    if (candidate.score <= score) break;
  }
  return false;
}

function boxCount(node: KernelNode, view: TensorView | undefined): number {
  const [count] = integersOf(node, view);
  if (count !== undefined && count >= 0) return count;
  throw misshapen(node, `${count} boxes to choose`, "0 or more");
}

/** Operands: boxes, scores, the number to choose, two thresholds and in V5 a sigma. */
function suppressionKernel(soft: boolean): Kernel {
  const operands = soft ? 6 : 5;
  return {
    check(node) {
      requireOperands(node, [operands, operands], soft ? 3 : 2);
      for (const i of [0, 1, 3, 4, ...(soft ? [5] : [])]) {
        requireType(node, inputAt(node, i), ["float32"], "operand");
      }
      requireType(node, inputAt(node, 2), ["int32"], "count");
      requireType(node, outputAt(node, 0), ["int32"], "chosen boxes");
      requireType(node, outputAt(node, soft ? 2 : 1), ["int32"], "number chosen");
      if (soft) requireType(node, outputAt(node, 1), ["float32"], "scores");
    },
    shapes(node, known) {
      const [boxes, scores] = [inputAt(node, 0).shape, inputAt(node, 1).shape];
      requireRank(node, boxes, [2, 2], "boxes");
      if (boxes[1] !== 4 || scores.length !== 1 || scores[0] !== boxes[0]) {
        const found = `boxes ${formatShape(boxes)} and scores ${formatShape(scores)}`;
        throw misshapen(node, found, "[n, 4] and [n]");
      }
      const view = known(2);
      const chosen = view && [boxCount(node, view)];
      return soft ? [chosen, chosen, []] : [chosen, []];
    },
    create: (node) => (inputs, outputs) => {
      const [overlap, score, sigma] = [3, 4, 5].map((i) =>
        i < operands ? numbersOf(inputs[i])[0] : 0,
      );
      const count = boxCount(node, inputs[2]);
      const [boxes, scores] = [numbersOf(inputs[0]), numbersOf(inputs[1])];
      const chosen = chooseBoxes(boxes, scores, count, { overlap, score, sigma });
      const places = int32(outputs[0]);
      places.fill(0);
      chosen.forEach(({ box }, k) => {
        places[k] = box;
      });
      if (soft) {
        const out = numbersOf(outputs[1]);
        fillUnits(out, 0, out.length, 0);
        chosen.forEach((choice, k) => {
          out[k] = choice.score;
        });
      }
      int32(outputs[soft ? 2 : 1])[0] = chosen.length;
    },
  };
}

export const NON_MAX_SUPPRESSION: KernelTable = {
  NON_MAX_SUPPRESSION_V4: suppressionKernel(false),
  NON_MAX_SUPPRESSION_V5: suppressionKernel(true),
};
