/**
 * The two ways over the image of a depthwise convolution: float images are read where they lie; all others are prepared
 * by strips (`depthwise/plan-strips.ts`), as is every image whose channels are repeated.
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
import {
  ringBytes,
  type StripPart,
  stripPlan,
  stripsByteLength,
  writeStrips,
} from "../depthwise/strip-records.ts";
import type { EmittedFunction } from "../fast-kernel.ts";

/** Where an image and its results are. Addresses in bytes. */
export interface ImageOperands extends Omit<DepthwiseOperands, "rowAt"> {
  /** `scratchBytes` bytes. */
  readonly scratch: number;
}

/** Makes the calls for an image of the batch; `stage` and `numbers` are arguments of the emitted function. */
export type ImageCalls = (
  image: number,
  at: ImageOperands,
  stage: readonly number[],
  numbers: readonly number[],
) => readonly (readonly number[])[];

export interface ImageWalk {
  readonly code: EmittedFunction;
  /** Bytes of the records of an image, which are kept from run to run. */
  readonly recordBytes: number;
  readonly scratchBytes: number;
  bind(heap: Int32Array, threads: number): ImageCalls;
}

/** The walk over an image that is read as it is. */
export function directWalk(shape: DepthwiseShape, geometry: DepthwiseGeometry): ImageWalk {
  return {
    code: {
      name: depthwiseName(geometry),
      emit: (module) => emitDepthwise(module, geometry),
    },
    recordBytes: recordsByteLength(shape),
    scratchBytes: 0,
    bind(heap, threads) {
      const recordsFor = remembered<DepthwiseRecords>((at) => writeRecords(shape, at, heap));
      return (image, at, stage) => shareRecords(recordsFor(image, at), shape, threads, stage);
    },
  };
}

/** Parts of the output for each of several threads. Each prepares the rows around it once more. */
const PARTS_PER_THREAD = 2;

/** The walk over an image that is prepared by strips, and whose elements of `sourceBytes` bytes are repeated `times` times. */
export function stripWalk(
  shape: DepthwiseShape,
  geometry: DepthwiseGeometry,
  sourceBytes: number,
  times: number,
): ImageWalk {
  const plan = stripPlan(shape, times);
  const code = { ...geometry, repeats: times > 1 };
  const partBytes = aligned(ringBytes(shape, plan));
  const unitBytes = plan.unitRows * shape.inputWidth * (shape.channels / times) * 4;
  const stagedBytes = times === 1 ? 0 : aligned(unitBytes);
  return {
    code: { name: stripsName(code), emit: (module) => emitStrips(module, code) },
    recordBytes: stripsByteLength(shape, plan),
    scratchBytes: plan.rings * (partBytes + stagedBytes),
    bind(heap, threads) {
      const parts = threads === 1 ? 1 : Math.min(plan.rings, PARTS_PER_THREAD * threads);
      const stripsFor = remembered<readonly StripPart[]>((at) => {
        const strips = { ...at, source: at.input, sourceBytes, times };
        return writeStrips(shape, plan, { ...strips, rings: at.scratch, partBytes }, parts, heap);
      });
      return (image, at, stage, numbers) => {
        const staged = at.scratch + plan.rings * partBytes;
        return stripsFor(image, at).map(({ steps, stepCount, inner, edge }, part) => [
          ...[steps, stepCount, inner, edge, staged + part * stagedBytes, shape.channels],
          ...[...stage, times, ...numbers],
        ]);
      };
    },
  };
}

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
