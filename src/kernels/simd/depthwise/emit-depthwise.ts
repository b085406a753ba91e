/**
 * Emits a depthwise convolution (depth multiplier 1) for one geometry: kernel, stride and dilation are constants of the
 * code, the number of channels is not, so that the layers of a network share it. Nothing is padded or copied: rows above
 * and below the image are pointers to a row of zeros, and the few pixels at the left and right border take a second
 * function with fewer taps.
 *
 * Inputs and weights are float32. In the quantized modes they hold integers, q − zero point: with both below 256 in
 * magnitude and up to 256 taps every sum stays below 2^24 and is therefore exact. Where activations have 16 bits, all
 * are int32.
 */
import { assert } from "../../../base/errors.ts";
import type { FunctionBuilder, Local } from "../../../wasm/function-builder.ts";
import type { ModuleBuilder } from "../../../wasm/module-builder.ts";
import {
  emitAddTo,
  emitAdvance,
  emitCopy,
  emitCountdown,
  emitLoads,
  emitSplat,
} from "../emit-basics.ts";
import { recordBytes } from "./depthwise-records.ts";
import { type DepthwiseStage, stageOf } from "./depthwise-stage.ts";
import { CHANNEL_BLOCK } from "./pack-channels.ts";
import { columnsOf } from "./plan-columns.ts";

/** f32: floats. qd8: hybrid, float results. qs8, qu8: requantized to int8, uint8. qi16: int32 sums of int32. */
export type DepthwiseData = "f32" | "qd8" | "qs8" | "qu8" | "qi16";

export interface DepthwiseGeometry {
  readonly data: DepthwiseData;
  /** Whether multiply and add may be fused; sums of integers are exact either way. */
  readonly relaxed: boolean;
  /** Whether sums of qs8 and qu8 are requantized in doubles (`emitRequantizeSmall`). */
  readonly smallSums: boolean;
  /**
   * Whether the lower bound of qs8 and qu8 is not below the zero point, as behind RELU: how negative values are rounded
   * then makes no difference.
   */
  readonly dropsNegatives: boolean;
  readonly kernelHeight: number;
  readonly kernelWidth: number;
  readonly strideWidth: number;
  readonly dilationWidth: number;
  /** What the number of channels is a multiple of: there is no code for channels that are left over then. */
  readonly channelStep: ChannelStep;
}

export type ChannelStep = 8 | 4 | 1;

/** The largest step that divides a number of channels. */
export function channelStep(channels: number): ChannelStep {
  return channels % 8 === 0 ? 8 : channels % 4 === 0 ? 4 : 1;
}

/** Export name of the function. */
export function depthwiseName(g: DepthwiseGeometry): string {
  const { kernelHeight, kernelWidth, strideWidth, dilationWidth } = g;
  const shape = `${kernelHeight}x${kernelWidth}s${strideWidth}d${dilationWidth}c${g.channelStep}`;
  const data = `${g.data}${g.smallSums ? "-small" : ""}${g.dropsNegatives ? "-relu" : ""}`;
  return `${data}-dwconv-${shape}-${g.relaxed ? "relaxed" : "simd"}`;
}

/**
 * Works off records (`depthwise-records.ts`). For inner pixels a record is a number of neighbouring pixels of one output
 * row: weights float32[channels / 8, kernelHeight, kernelWidth, 8], the output, their count, and for each kernel row the
 * address of the first pixel's first tap. For border pixels it is one pixel; the count is that of the kernel columns
 * inside the image, the first of which weights and rows point to.
 */
export type DepthwiseFunction = (
  innerRecords: number,
  innerCount: number,
  edgeRecords: number,
  edgeCount: number,
  channels: number,
  /** The stage's columns (`depthwise-stage.ts`): [channels / 8, columns, 8]. */
  columns: number,
  /** qd8: scale of the input; qs8, qu8: zero point of the output. */
  parameter: number,
  low: number,
  high: number,
) => void;

const PARAMS = ["i32", "i32", "i32", "i32", "i32", "i32", "f32", "f32", "f32"] as const;
/** Pixels taken at a time: they share their weights and, at stride 1, their inputs. */
const PIXELS = [4, 1] as const;
/** Bytes between the weights of neighbouring taps. */
const TAP_BYTES = CHANNEL_BLOCK * 4;

/** Where the next record is, and how many are left. */
interface Records {
  readonly next: Local;
  readonly left: Local;
}

/** What `DepthwiseFunction` takes. */
export interface DepthwiseLocals
  extends Readonly<Record<"channels" | "columns" | "parameter" | "low" | "high", Local>> {
  readonly inner: Records;
  readonly edge: Records;
}

interface Frame {
  readonly f: FunctionBuilder;
  readonly g: DepthwiseGeometry;
  readonly inner: Records;
  readonly edge: Records;
  readonly rows: readonly Local[];
  readonly weights: Local;
  readonly out: Local;
  readonly count: Local;
  readonly stage: DepthwiseStage;
  readonly channels: Local;
  readonly channelsLeft: Local;
  /** Addresses of the current channel: in each row, and among the weights. Engines pair what is 16 bytes apart. */
  readonly rowsAt: readonly Local[];
  readonly weightsAt: Local;
  /** Address of the current channel of one tap. */
  readonly tapAt: Local;
  /** Bytes of that many pixels of the input, in a local. */
  readonly pixelBytes: (pixels: number) => Local;
}

/** Adds the function of a geometry to `module`. */
export function emitDepthwise(module: ModuleBuilder, geometry: DepthwiseGeometry): void {
  const f = module.function(PARAMS, [], depthwiseName(geometry));
  const [channels, columns, parameter, low, high] = [4, 5, 6, 7, 8].map((index) =>
    f.param(index),
  ) as [Local, Local, Local, Local, Local];
  const convolve = beginDepthwise(f, geometry, {
    inner: { next: f.param(0), left: f.param(1) },
    edge: { next: f.param(2), left: f.param(3) },
    ...{ channels, columns, parameter, low, high },
  });
  convolve();
}

/** Emits what is done once in a function, and returns what emits the work on all records that are left. */
export function beginDepthwise(
  f: FunctionBuilder,
  geometry: DepthwiseGeometry,
  locals: DepthwiseLocals,
): () => void {
  const frame = makeFrame(f, geometry, locals);
  return () => {
    emitInner(frame);
    emitEdge(frame);
  };
}

function makeFrame(
  f: FunctionBuilder,
  g: DepthwiseGeometry,
  { inner, edge, channels, columns, parameter, low, high }: DepthwiseLocals,
): Frame {
  const address = () => f.local("i32");
  const rows = Array.from({ length: g.kernelHeight }, address);
  const out = address();
  return {
    ...{ f, g, inner, edge, rows, out, channels },
    weights: address(),
    count: address(),
    stage: stageOf(f, g, {
      ...{ channels, columns, out },
      parameter: emitSplat(f, parameter),
      low: emitSplat(f, low),
      high: emitSplat(f, high),
    }),
    channelsLeft: address(),
    rowsAt: rows.map(address),
    weightsAt: address(),
    tapAt: address(),
    pixelBytes: emitPixelBytes(f, g, channels),
  };
}

/** Sets locals to the bytes of as many pixels as lie between taps that are read one after the other. */
function emitPixelBytes(
  f: FunctionBuilder,
  g: DepthwiseGeometry,
  channels: Local,
): Frame["pixelBytes"] {
  const locals = new Map<number, Local>();
  const groups = [...PIXELS].map((pixels) => columnsOf(g, pixels, g.kernelWidth));
  for (const step of new Set([
    g.dilationWidth,
    ...groups.flatMap((columns) => columns.map(({ step }) => step)),
  ])) {
    const local = f.local("i32");
    f.get(channels);
    f.i32(step * 4);
    f.op("i32.mul");
    f.set(local);
    locals.set(step, local);
  }
  return (pixels) => {
    const local = locals.get(pixels);
    assert(local !== undefined, `bytes of ${pixels} pixels`);
    return local;
  };
}

/** Reads one record after the other and runs `body` for each. */
function emitRecords(frame: Frame, { next, left }: Records, body: () => void): void {
  const { f, g, weights, out, count, rows } = frame;
  emitCountdown(f, left, 1, () => {
    emitLoads(f, next, [weights, out, count, ...rows]);
    body();
    emitAddTo(f, next, recordBytes(g.kernelHeight));
  });
}

function emitInner(frame: Frame): void {
  const { f, g, rows, channels, count, stage } = frame;
  emitRecords(frame, frame.inner, () => {
    for (const pixels of PIXELS) {
      emitCountdown(f, count, pixels, () => {
        emitChannelLoops(frame, (lanes) => emitPixels(frame, { pixels, lanes }));
        for (const row of rows) emitAdvance(f, row, channels, pixels * g.strideWidth * 4);
        emitAdvance(f, frame.out, channels, pixels * stage.outputBytes);
      });
    }
  });
}

interface PixelGroup {
  readonly pixels: number;
  readonly lanes: number;
  /** Kernel columns; all by default. */
  readonly width?: number;
}

/** Runs `body` over all channels: in eights, then one four, then singly. */
function emitChannelLoops(frame: Frame, body: (lanes: number) => void): void {
  const { f, g, rows, rowsAt, weights, weightsAt, channels, channelsLeft, stage } = frame;
  rows.forEach((row, y) => {
    emitCopy(f, row, rowsAt[y]);
  });
  emitCopy(f, weights, weightsAt);
  stage.start();
  emitCopy(f, channels, channelsLeft);
  for (const lanes of [CHANNEL_BLOCK, 4, 1]) {
    if (lanes < g.channelStep) continue;
    emitCountdown(f, channelsLeft, lanes, () => {
      body(lanes);
      for (const row of rowsAt) emitAddTo(f, row, lanes * 4);
      const taps = lanes === CHANNEL_BLOCK ? g.kernelHeight * g.kernelWidth : 1;
      emitAddTo(f, weightsAt, taps * lanes * 4);
      stage.advance(lanes);
    });
  }
}

/**
 * sum[p] = Σ over kernel rows and columns of input · weight, for `pixels` pixels and `lanes` channels. Of the input one
 * vector at a time is at hand: with the sums of four pixels and a row of three taps that fills the registers.
 */
function emitPixels(frame: Frame, { pixels, lanes, width }: PixelGroup): void {
  const { f, g, tapAt } = frame;
  const kernelWidth = width ?? g.kernelWidth;
  const vectors = Math.max(1, lanes / 4);
  const make = () => Array.from({ length: vectors }, () => f.local("v128"));
  const sums = Array.from({ length: pixels }, make);
  const taps = Array.from({ length: kernelWidth }, make);
  const input = f.local("v128");
  emitZeros(f, sums.flat());
  for (let y = 0; y < g.kernelHeight; y++) {
    taps.forEach((tap, x) => {
      loadAt(f, frame.weightsAt, (y * g.kernelWidth + x) * TAP_BYTES, lanes, tap);
    });
    let at = frame.rowsAt[y];
    for (const { step, uses } of columnsOf(g, pixels, kernelWidth)) {
      if (step > 0) {
        f.get(at);
        f.get(frame.pixelBytes(step));
        f.op("i32.add");
        f.set(tapAt);
        at = tapAt;
      }
      for (let vector = 0; vector < vectors; vector++) {
        loadAt(f, at, 16 * vector, lanes, [input]);
        for (const [pixel, x] of uses) {
          multiplyAdd(frame, [input], [taps[x][vector]], [sums[pixel][vector]]);
        }
      }
    }
  }
  frame.stage.finish(sums, lanes);
}

function emitZeros(f: FunctionBuilder, vectors: readonly Local[]): void {
  for (const vector of vectors) {
    f.v128(new Uint8Array(16));
    f.set(vector);
  }
}

/** One border pixel; `count` kernel columns. Most lack one column, and have code of their own. */
function emitEdge(frame: Frame): void {
  const { f, g, count } = frame;
  const width = g.kernelWidth - 1;
  emitRecords(frame, frame.edge, () => {
    f.get(count);
    f.i32(width);
    f.op("i32.eq");
    f.if(
      () => {
        const group = { pixels: 1, width };
        if (width > 0) emitChannelLoops(frame, (lanes) => emitPixels(frame, { ...group, lanes }));
      },
      () => emitFewColumns(frame),
    );
  });
}

/** One border pixel in a loop over its kernel columns. */
function emitFewColumns(frame: Frame): void {
  const { f, g, rowsAt, weightsAt, count, tapAt } = frame;
  const [x, weight] = [f.local("i32"), f.local("i32")];
  emitChannelLoops(frame, (lanes) => {
    const vectors = Math.max(1, lanes / 4);
    const make = () => Array.from({ length: vectors }, () => f.local("v128"));
    const [sum, input, tap] = [make(), make(), make()];
    emitZeros(f, sum);
    rowsAt.forEach((row, y) => {
      emitCopy(f, row, tapAt);
      f.get(weightsAt);
      f.i32(y * g.kernelWidth * TAP_BYTES);
      f.op("i32.add");
      f.set(weight);
      emitCopy(f, count, x);
      emitCountdown(f, x, 1, () => {
        loadAt(f, tapAt, 0, lanes, input);
        loadAt(f, weight, 0, lanes, tap);
        multiplyAdd(frame, input, tap, sum);
        f.get(tapAt);
        f.get(frame.pixelBytes(g.dilationWidth));
        f.op("i32.add");
        f.set(tapAt);
        emitAddTo(f, weight, TAP_BYTES);
      });
    });
    frame.stage.finish([sum], lanes);
  });
}

function multiplyAdd(
  { f, g }: Frame,
  input: readonly Local[],
  weights: readonly Local[],
  sums: readonly Local[],
): void {
  const isInteger = g.data === "qi16";
  const isFused = g.relaxed && !isInteger;
  sums.forEach((sum, index) => {
    if (!isFused) f.get(sum);
    f.get(input[index]);
    f.get(weights[index]);
    if (isFused) {
      f.get(sum);
      f.op("f32x4.relaxed_madd");
    } else {
      f.op(isInteger ? "i32x4.mul" : "f32x4.mul");
      f.op(isInteger ? "i32x4.add" : "f32x4.add");
    }
    f.set(sum);
  });
}

/** Loads `lanes` floats at address + offset; a single float goes to lane 0. */
function loadAt(
  f: FunctionBuilder,
  address: Local,
  offset: number,
  lanes: number,
  into: readonly Local[],
): void {
  into.forEach((vector, index) => {
    f.get(address);
    if (lanes === 1) f.mem("v128.load32_zero", offset);
    else f.mem("v128.load", offset + 16 * index, 2);
    f.set(vector);
  });
}
