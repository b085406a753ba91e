/**
 * TFLite_Detection_PostProcess: decoding of box encodings against anchors, then non-maximum suppression over all
 * classes at once ("fast") or class by class ("regular"). Operands: encodings [1, n, ≥ 4], class scores
 * [1, n, classes (+ background)], anchors [n, 4], floats or uint8. Results: boxes [1, m, 4] as
 * (ymin, xmin, ymax, xmax), classes [1, m], scores [1, m], their number [1]. TensorFlow Lite 2.21,
 * kernels/detection_postprocess.cc.
 */
import { formatShape } from "../../base/shape.ts";
import type { Kernel, KernelNode, TensorView } from "../kernel.ts";
import {
  badValue,
  inputAt,
  misshapen,
  outputAt,
  perTensorQuantization,
  requireOperands,
  requireRank,
  requireType,
  unsupported,
} from "../require.ts";
import { float32, present } from "../views.ts";
import { intersectionOverUnion } from "./box-overlap.ts";
import { OptionMap } from "./custom-options.ts";

const { fround } = Math;

interface DetectionOptions {
  readonly maxDetections: number;
  readonly maxClassesPerDetection: number;
  readonly detectionsPerClass: number;
  readonly useRegularSuppression: boolean;
  readonly scoreThreshold: number;
  readonly overlapThreshold: number;
  readonly classCount: number;
  /** What encodings are divided by: y, x, h, w. */
  readonly scales: readonly [number, number, number, number];
}

/** Beyond these the results would not fit in memory. */
const MAX_DETECTIONS = 1 << 20;

function optionsFrom(node: KernelNode): DetectionOptions {
  const map = new OptionMap(node);
  const number = (key: string, fallback = 0) => map.number(key, fallback);
  const options = {
    maxDetections: number("max_detections"),
    maxClassesPerDetection: number("max_classes_per_detection"),
    detectionsPerClass: number("detections_per_class", 100),
    useRegularSuppression: number("use_regular_nms") !== 0,
    scoreThreshold: fround(number("nms_score_threshold")),
    overlapThreshold: fround(number("nms_iou_threshold")),
    classCount: number("num_classes"),
    scales: [number("y_scale"), number("x_scale"), number("h_scale"), number("w_scale")] as const,
  };
  const counts = [options.maxDetections, options.maxClassesPerDetection, options.classCount];
  const countsFit = counts.every((count) => count >= 1 && count <= MAX_DETECTIONS);
  if (!countsFit || counts[0] * counts[1] > MAX_DETECTIONS || options.detectionsPerClass < 1) {
    throw unsupported(node, `with ${counts.join(", ")} detections, classes for each, and classes`);
  }
  if (!(options.overlapThreshold > 0 && options.overlapThreshold <= 1)) {
    throw unsupported(node, `with overlap threshold ${options.overlapThreshold}`);
  }
  return options;
}

/** Elements as floats: uint8 ones dequantized in float32, by a table: there are as many scores as boxes times classes. */
function realValues(node: KernelNode, view: TensorView | undefined, role: string): Float32Array {
  const info = present(view);
  if (!(info.data instanceof Uint8Array)) return float32(view);
  const { scale, zeroPoint } = perTensorQuantization(node, info, role);
  const real = Float32Array.from({ length: 256 }, (_, q) => (q - zeroPoint) * scale);
  const values = new Float32Array(info.data.length);
  for (let i = 0; i < values.length; i++) values[i] = real[info.data[i]];
  return values;
}

/** Corners of each box, from an offset of the anchor's center and the logarithm of its size. */
function decodeBoxes(
  encodings: Float32Array,
  length: number,
  anchors: Float32Array,
  { scales }: DetectionOptions,
): Float32Array {
  const boxes = new Float32Array(anchors.length);
  const [scaleY, scaleX, scaleH, scaleW] = scales.map(fround);
  for (let box = 0; 4 * box < anchors.length; box++) {
    const [from, to] = [box * length, 4 * box];
    const [anchorH, anchorW] = [anchors[to + 2], anchors[to + 3]];
    const centerY = fround((encodings[from] / scaleY) * anchorH + anchors[to]);
    const centerX = fround((encodings[from + 1] / scaleX) * anchorW + anchors[to + 1]);
    const halfH = fround(0.5 * Math.exp(encodings[from + 2] / scaleH) * anchorH);
    const halfW = fround(0.5 * Math.exp(encodings[from + 3] / scaleW) * anchorW);
    boxes[to] = centerY - halfH;
    boxes[to + 1] = centerX - halfW;
    boxes[to + 2] = centerY + halfH;
    boxes[to + 3] = centerX + halfW;
  }
  return boxes;
}

/** Boxes with a score of at least the threshold, best first, less those that overlap a better one too much. */
function suppress(
  boxes: Float32Array,
  scores: ArrayLike<number>,
  most: number,
  options: DetectionOptions,
): number[] {
  const candidates: number[] = [];
  for (let box = 0; box < scores.length; box++) {
    if (scores[box] >= options.scoreThreshold) candidates.push(box);
  }
  candidates.sort((a, b) => scores[b] - scores[a] || a - b);
  const chosen: number[] = [];
  for (const box of candidates) {
    if (chosen.length >= most) break;
    const overlaps = chosen.some(
      (better) => intersectionOverUnion(boxes, better, box) > options.overlapThreshold,
    );
    if (!overlaps) chosen.push(box);
  }
  return chosen;
}

interface Detection {
  readonly box: number;
  readonly label: number;
  readonly score: number;
}

/** One suppression on the best score of each box; each box kept gives its best classes. */
function detectFast(
  boxes: Float32Array,
  scoreOf: (box: number, label: number) => number,
  options: DetectionOptions,
): Detection[][] {
  const { classCount, maxClassesPerDetection, maxDetections } = options;
  const perBox = Math.min(maxClassesPerDetection, classCount);
  const labels = Array.from({ length: classCount }, (_, label) => label);
  const best = Array.from({ length: boxes.length / 4 }, (_, box) => {
    let top = -Infinity;
    for (let label = 0; label < classCount; label++) top = Math.max(top, scoreOf(box, label));
    return top;
  });
  return suppress(boxes, best, maxDetections, options).map((box) =>
    labels
      .toSorted((a, b) => scoreOf(box, b) - scoreOf(box, a) || a - b)
      .slice(0, perBox)
      .map((label) => ({ box, label, score: scoreOf(box, label) })),
  );
}

/** A suppression for each class; the best detections of all classes are kept. */
function detectRegular(
  boxes: Float32Array,
  scoreOf: (box: number, label: number) => number,
  options: DetectionOptions,
): Detection[] {
  const { classCount, maxDetections } = options;
  const perClass = Math.min(options.detectionsPerClass, maxDetections);
  let kept: Detection[] = [];
  for (let label = 0; label < classCount; label++) {
    const scores = Array.from({ length: boxes.length / 4 }, (_, box) => scoreOf(box, label));
    const found = suppress(boxes, scores, perClass, options);
    const detections = found.map((box) => ({ box, label, score: scores[box] }));
    kept = [...kept, ...detections].sort((a, b) => b.score - a.score).slice(0, maxDetections);
  }
  return kept;
}

function requireShapes(node: KernelNode, { classCount }: DetectionOptions): void {
  const [encodings, scores, anchors] = [0, 1, 2].map((i) => inputAt(node, i).shape);
  requireRank(node, encodings, [3, 3], "box encodings");
  requireRank(node, scores, [3, 3], "class scores");
  const [, count, length] = encodings;
  const background = scores[2] - classCount;
  const fits = encodings[0] === 1 && scores[0] === 1 && scores[1] === count && length >= 4;
  const anchorsFit = anchors.length === 2 && anchors[0] === count && anchors[1] === 4;
  if (fits && anchorsFit && (background === 0 || background === 1)) return;
  const found = `shapes ${[encodings, scores, anchors].map(formatShape).join(", ")}`;
  throw misshapen(node, found, `[1, n, 4], [1, n, ${classCount}] and [n, 4]`);
}

/** The row of TFLite_Detection_PostProcess. */
export const DETECTION_POSTPROCESS: Kernel = {
  check(node) {
    requireOperands(node, [3, 3], 4);
    for (const i of [0, 1, 2]) {
      requireType(node, inputAt(node, i), ["float32", "uint8"], "operand");
      requireType(node, outputAt(node, i), ["float32"], "output");
    }
    requireType(node, outputAt(node, 3), ["float32"], "output");
    optionsFrom(node);
  },
  shapes(node) {
    const options = optionsFrom(node);
    requireShapes(node, options);
    const count = options.maxDetections * options.maxClassesPerDetection;
    return [[1, count, 4], [1, count], [1, count], [1]];
  },
  create(node) {
    const options = optionsFrom(node);
    const { maxClassesPerDetection } = options;
    return (inputs, outputs) => {
      const encodings = realValues(node, inputs[0], "box encodings");
      const scores = realValues(node, inputs[1], "class scores");
      const anchors = realValues(node, inputs[2], "anchors");
      const boxes = decodeBoxes(encodings, present(inputs[0]).shape[2], anchors, options);
      if (boxes.some((edge, i) => i % 4 < 2 && edge > boxes[i + 2])) {
        throw badValue(node, "a box whose edges cross", "anchors of positive size");
      }
      const columns = present(inputs[1]).shape[2];
      const offset = columns - options.classCount;
      const scoreOf = (box: number, label: number) => scores[box * columns + label + offset];
      const [boxOut, labelOut, scoreOut, countOut] = outputs.map(float32);
      for (const out of [boxOut, labelOut, scoreOut]) out.fill(0);
      const write = (slot: number, { box, label, score }: Detection) => {
        boxOut.set(boxes.subarray(4 * box, 4 * box + 4), 4 * slot);
        labelOut[slot] = label;
        scoreOut[slot] = score;
      };
      if (options.useRegularSuppression) {
        const found = detectRegular(boxes, scoreOf, options);
        found.forEach((detection, slot) => {
          write(slot, detection);
        });
        countOut[0] = found.length;
      } else {
        const found = detectFast(boxes, scoreOf, options);
        found.forEach((detections, row) => {
          detections.forEach((detection, k) => {
            write(row * maxClassesPerDetection + k, detection);
          });
        });
        countOut[0] = found.length;
      }
    };
  },
};
