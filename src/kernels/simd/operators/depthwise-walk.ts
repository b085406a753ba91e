/**
 * The ways over the image of a depthwise convolution: float images are read where they lie, all others are prepared by
 * strips (`depthwise/plan-strips.ts`), as is every image whose channels are repeated.
 */
import {
  type DepthwiseOperands,
  type DepthwiseRecords,
  type DepthwiseShape,
  recordsByteLength,
  shareRecords,
  writeRecords,
} from "../depthwise/depthwise-records.ts";
import {
  type DepthwiseGeometry,
  depthwiseName,
  emitDepthwise,
} from "../depthwise/emit-depthwise.ts";
import { emitStrips, stripsName } from "../depthwise/emit-strips.ts";
import { packedChannels, packRow } from "../depthwise/pack-channels.ts";
import { planStrips } from "../depthwise/plan-strips.ts";
import { type StripPart, stripsByteLength, writeStrips } from "../depthwise/strip-records.ts";
import type { EmittedFunction } from "../fast-kernel.ts";
import type { ImageNumbers } from "./strip-preparation.ts";

/** Where an image and its results are. Addresses in bytes. */
export interface ImageOperands extends Omit<DepthwiseOperands, "rowAt"> {
  /** `scratchBytes` bytes. */
  readonly scratch: number;
}

/** Makes the calls for an image of the batch; `stage` are the arguments of the stage. */
export type ImageCalls = (
  image: number,
  at: ImageOperands,
  stage: readonly number[],
  numbers: ImageNumbers,
) => readonly (readonly number[])[];

export interface ImageWalk {
  readonly code: EmittedFunction;
  readonly weightBytes: number;
  /** What stands for rows above and below the image. */
  readonly zeroRowBytes: number;
  /** Bytes of the records of an image, which are kept from run to run. */
  readonly recordBytes: number;
  readonly scratchBytes: number;
  /** Whether doubles of the stage's columns lie in the order of joined vectors (`joinedColumns`). */
  readonly joinsColumns?: boolean;
  /** Packs weights [taps, channels] at an address of memory that is zero. */
  packWeights(weights: ArrayLike<number>, buffer: ArrayBufferLike, at: number): void;
  bind(buffer: ArrayBufferLike, threads: number): ImageCalls;
}

/** The walk over an image that is read as it is. */
export function directWalk(shape: DepthwiseShape, geometry: DepthwiseGeometry): ImageWalk {
  return {
    code: { name: depthwiseName(geometry), emit: (module) => emitDepthwise(module, geometry) },
    ...wordWeights(shape, geometry),
    recordBytes: recordsByteLength(shape),
    scratchBytes: 0,
    bind(buffer, threads) {
      const heap = new Int32Array(buffer);
      const recordsFor = remembered<DepthwiseRecords>((at) => writeRecords(shape, at, heap));
      return (image, at, stage) => shareRecords(recordsFor(image, at), shape, threads, stage);
    },
  };
}

/** Weights of 32 bits, in blocks of eight channels. */
function wordWeights(
  { channels, kernelHeight, kernelWidth, inputWidth }: DepthwiseShape,
  { data }: DepthwiseGeometry,
): Pick<ImageWalk, "weightBytes" | "packWeights" | "zeroRowBytes"> {
  const rows = kernelHeight * kernelWidth;
  const length = packedChannels(rows, channels);
  return {
    weightBytes: length * 4,
    zeroRowBytes: inputWidth * channels * 4,
    packWeights(weights, buffer, at) {
      const packed =
        data === "qi16" ? new Int32Array(buffer, at, length) : new Float32Array(buffer, at, length);
      for (let row = 0; row < rows; row++) {
        packRow(weights, row * channels, { row, rows, channels }, packed);
      }
    },
  };
}

/** An image that is prepared. */
export interface StripImage {
  /** Bytes of an element. */
  readonly elementBytes: number;
  /** How often each is repeated. */
  readonly times: number;
}

/** The walk over an image that becomes numbers of 32 bits by strips. */
export function stripWalk(
  shape: DepthwiseShape,
  geometry: DepthwiseGeometry,
  { elementBytes, times }: StripImage,
): ImageWalk {
  const code = { ...geometry, repeats: times > 1 };
  const rowElements = (shape.inputWidth * shape.channels) / times;
  const rowBytes = shape.inputWidth * shape.channels * 4;
  const strips = stripsOf(shape, {
    ...{ rowElements, elementBytes, rowBytes },
    stagedBytes: (elements) => (times === 1 ? 0 : 4 * elements),
  });
  return {
    code: { name: stripsName(code), emit: (module) => emitStrips(module, code) },
    ...wordWeights(shape, geometry),
    ...strips.bytes,
    bind(buffer, threads) {
      const partsFor = strips.bind(buffer, threads);
      return (image, at, stage, { zeroPoint, inverse, low, high }) => {
        const numbers = geometry.data === "qd8" ? [inverse, low, high] : [zeroPoint, 0, 0];
        return partsFor(image, at).map(({ steps, stepCount, inner, edge, staged }) => [
          ...[steps, stepCount, inner, edge, staged, shape.channels],
          ...[...stage, times, ...numbers],
        ]);
      };
    },
  };
}

/** How rows of an image become rows of a ring. */
export interface StripRows {
  readonly rowElements: number;
  readonly elementBytes: number;
  /** Bytes of a prepared row. */
  readonly rowBytes: number;
  /** Room that each part needs beside its ring, for as many elements as a step prepares. */
  stagedBytes(elements: number): number;
}

/** A part with the room beside its ring. */
type StagedPart = StripPart & { readonly staged: number };

/** What walks by strips have in common: how much memory they take, and the parts of an image. */
export function stripsOf(
  shape: DepthwiseShape,
  { stagedBytes, ...rows }: StripRows,
): {
  readonly bytes: Pick<ImageWalk, "recordBytes" | "scratchBytes">;
  bind(
    buffer: ArrayBufferLike,
    threads: number,
  ): (image: number, at: ImageOperands) => readonly StagedPart[];
} {
  const plan = planStrips(shape, rows.rowElements);
  const ringBytes = aligned(plan.ringRows * rows.rowBytes);
  const partBytes = ringBytes + aligned(stagedBytes(plan.unitRows * rows.rowElements));
  return {
    bytes: {
      recordBytes: stripsByteLength(shape, plan),
      scratchBytes: plan.rings * partBytes,
    },
    bind(buffer, threads) {
      const heap = new Int32Array(buffer);
      const parts = threads === 1 ? 1 : Math.min(plan.rings, PARTS_PER_THREAD * threads);
      return remembered((at) => {
        const places = { ...at, ...rows, source: at.input, rings: at.scratch, partBytes };
        return writeStrips(shape, plan, places, parts, heap).map((part, index) => ({
          ...part,
          staged: at.scratch + index * partBytes + ringBytes,
        }));
      });
    },
  };
}

/** Parts of the output for each of several threads. Each prepares the rows around it once more. */
const PARTS_PER_THREAD = 2;

function aligned(byteLength: number): number {
  return Math.ceil(byteLength / 64) * 64;
}

/** Writes the records of an image of the batch; those of the last run serve again where addresses are the same. */
function remembered<Lists>(
  write: (at: ImageOperands) => Lists,
): (image: number, at: ImageOperands) => Lists {
  const last: { readonly input: number; readonly output: number; readonly lists: Lists }[] = [];
  return (image, at) => {
    const known = last[image];
    if (known?.input === at.input && known.output === at.output) return known.lists;
    const lists = write(at);
    last[image] = { input: at.input, output: at.output, lists };
    return lists;
  };
}
