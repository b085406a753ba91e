/**
 * How a depthwise convolution walks down an image whose rows have to be prepared first: a ring keeps as many prepared rows
 * as one output row reads, and each step prepares a few rows and convolves what output rows they complete. So prepared
 * rows are read while they are in a near cache, and are never in memory all together.
 */
import type { Part } from "../even-parts.ts";

export interface StripShape {
  readonly inputHeight: number;
  readonly outputHeight: number;
  readonly kernelHeight: number;
  readonly strideHeight: number;
  readonly dilationHeight: number;
  readonly padTop: number;
}

export interface StripPlan {
  /** Rows that are prepared at a time, but for the last ones of the image: their elements are whole groups. */
  readonly unitRows: number;
  /** Rows of a ring, a multiple of `unitRows`; row r of the image is its row r % ringRows. */
  readonly ringRows: number;
  /** Rings, one for each part of the output that threads may work on at the same time. */
  readonly rings: number;
}

/** Prepares `rows` rows of the input from `row` on, then convolves `outputRows` more rows of the output. */
export interface StripStep {
  readonly row: number;
  readonly rows: number;
  readonly outputRows: number;
}

/** Elements of a group, for which rounding is defined (`emit-quantize.ts`): only the last one may be incomplete. */
const GROUP = 8;
const MAX_RINGS = 16;
/** Images that would fit into all rings together. */
const MAX_IMAGES = 3;

export function planStrips(shape: StripShape, rowElements: number): StripPlan {
  const { inputHeight, outputHeight } = shape;
  const unitRows = GROUP / commonDivisor(GROUP, rowElements);
  const reach = Math.min(reachOf(shape) + 1, inputHeight);
  // A reach may begin with the last row of a unit.
  const units = Math.ceil((reach - 1) / unitRows) + 1;
  const ringRows = Math.min(units, Math.ceil(inputHeight / unitRows)) * unitRows;
  const fitting = Math.floor((MAX_IMAGES * inputHeight) / ringRows);
  return { unitRows, ringRows, rings: Math.max(Math.min(fitting, MAX_RINGS, outputHeight), 1) };
}

/** Steps at most of all parts together: each prepares a unit, but for one that a part may begin with. */
export function mostSteps(
  { inputHeight, outputHeight, strideHeight }: StripShape,
  { unitRows, ringRows, rings }: StripPlan,
): number {
  const moved = Math.ceil((outputHeight * strideHeight) / unitRows);
  const units = Math.min(
    moved + rings * (ringRows / unitRows + 1),
    rings * Math.ceil(inputHeight / unitRows),
  );
  return units + rings;
}

/** The steps of a part of the output rows. */
export function stripSteps(shape: StripShape, { unitRows }: StripPlan, part: Part): StripStep[] {
  const { inputHeight, strideHeight, padTop } = shape;
  const prepared: { row: number; rows: number; outputRows: number }[] = [];
  let next = 0;
  for (let y = part.at; y < part.at + part.count; y++) {
    const top = y * strideHeight - padTop;
    const last = Math.min(top + reachOf(shape), inputHeight - 1);
    next = Math.max(next, Math.floor(Math.max(top, 0) / unitRows));
    for (; next * unitRows <= last; next++) {
      const row = next * unitRows;
      prepared.push({ row, rows: Math.min(unitRows, inputHeight - row), outputRows: 0 });
    }
    if (prepared.length === 0) prepared.push({ row: 0, rows: 0, outputRows: 0 });
    const step = prepared.at(-1);
    if (step !== undefined) step.outputRows++;
  }
  return prepared;
}

/** Rows from the first that an output row reads to the last. */
function reachOf({ kernelHeight, dilationHeight }: StripShape): number {
  return (kernelHeight - 1) * dilationHeight;
}

function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b);
}
