/** The steps of a walk by strips (`plan-strips.ts`) in linear memory, beside the records of the output rows. */
import { assert } from "../../../base/errors.ts";
import { evenParts } from "../even-parts.ts";
import {
  type DepthwiseOperands,
  type DepthwiseShape,
  recordBytes,
  recordsByteLength,
  writeRecords,
} from "./depthwise-records.ts";
import { mostSteps, type StripPlan, stripSteps } from "./plan-strips.ts";

/** Addresses in bytes. */
export interface StripOperands extends Omit<DepthwiseOperands, "rowAt" | "input"> {
  /** The image as it is. */
  readonly source: number;
  /** Elements of a row of the image, and the bytes of one. */
  readonly rowElements: number;
  readonly elementBytes: number;
  /** Bytes of a prepared row. */
  readonly rowBytes: number;
  /** Rings of the plan, `partBytes` bytes from one to the next: room for the rows of one. */
  readonly rings: number;
  readonly partBytes: number;
}

/** Where steps and records of a part of the output rows begin. */
export interface StripPart {
  readonly steps: number;
  readonly stepCount: number;
  readonly inner: number;
  readonly edge: number;
}

/** i32 source, count of elements, target, then counts of inner and of edge records. */
export const STEP_BYTES = 20;

/** Bytes of all records and steps of an image. */
export function stripsByteLength(shape: DepthwiseShape, plan: StripPlan): number {
  return recordsByteLength(shape) + mostSteps(shape, plan) * STEP_BYTES;
}

/** Writes records and steps of an image, the output rows cut into parts of which each takes a ring: `plan.rings` at most. */
export function writeStrips(
  shape: DepthwiseShape,
  plan: StripPlan,
  at: StripOperands,
  parts: number,
  heap: Int32Array,
): StripPart[] {
  const cuts = evenParts(shape.outputHeight, parts);
  const partOf = cuts.flatMap(({ count }, part) => Array<number>(count).fill(part));
  const slot = (row: number, part: number): number =>
    at.rings + part * at.partBytes + (row % plan.ringRows) * at.rowBytes;
  const rowAt = (row: number, y: number): number => slot(row, partOf[y] ?? 0);
  const { inner, edge } = writeRecords(shape, { ...at, input: at.rings, rowAt }, heap);
  const [innerRow, edgeRow] = [inner, edge].map(({ count }) => count / shape.outputHeight) as [
    number,
    number,
  ];
  const start = (at.records + recordsByteLength(shape)) / 4;
  let word = start;
  const written = cuts.map((cut, part) => {
    const steps = stripSteps(shape, plan, cut);
    const first = word;
    for (const { row, rows, outputRows } of steps) {
      heap[word++] = at.source + row * at.rowElements * at.elementBytes;
      heap[word++] = rows * at.rowElements;
      heap[word++] = slot(row, part);
      heap[word++] = outputRows * innerRow;
      heap[word++] = outputRows * edgeRow;
    }
    const bytes = recordBytes(shape.kernelHeight);
    return {
      steps: first * 4,
      stepCount: steps.length,
      inner: inner.address + cut.at * innerRow * bytes,
      edge: edge.address + cut.at * edgeRow * bytes,
    };
  });
  assert((word - start) * 4 <= mostSteps(shape, plan) * STEP_BYTES, "room for all steps");
  return written;
}
