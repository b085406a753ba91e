/**
 * Emits a depthwise convolution (depth multiplier 1) for one geometry: kernel, stride, dilation and channel count are
 * constants of the code. Nothing is padded or copied: rows above and below the image are pointers to a row of zeros,
 * and the few pixels at the left and right border take a second function with fewer taps.
 *
 * Inputs and weights are float32 in every mode. In the quantized ones they hold integers, q − zero point: with both
 * below 256 in magnitude and up to 256 taps every sum stays below 2^24 and is therefore exact.
 */
import type { FunctionBuilder, Local } from "../../../wasm/function-builder.ts";
import type { ModuleBuilder } from "../../../wasm/module-builder.ts";
import { emitAddTo, emitCopy, emitCountdown, emitSplat } from "../emit-basics.ts";
import { recordBytes } from "./depthwise-records.ts";
import { type DepthwiseStage, stageOf } from "./depthwise-stage.ts";

/** f32: floats. qd8: hybrid, float results. qs8, qu8: requantized to int8, uint8. */
export type DepthwiseData = "f32" | "qd8" | "qs8" | "qu8";

export interface DepthwiseGeometry {
  readonly data: DepthwiseData;
  /** Whether multiply and add may be fused; sums of integers are exact either way. */
  readonly relaxed: boolean;
  /** Whether sums of qs8 and qu8 are requantized in doubles (`emitRequantizeSmall`). */
  readonly smallSums: boolean;
  readonly kernelHeight: number;
  readonly kernelWidth: number;
  readonly strideWidth: number;
  readonly dilationWidth: number;
  readonly channels: number;
}

/** Export name of the function. */
export function depthwiseName(g: DepthwiseGeometry): string {
  const { kernelHeight, kernelWidth, strideWidth, dilationWidth, channels } = g;
  const shape = `${kernelHeight}x${kernelWidth}s${strideWidth}d${dilationWidth}c${channels}`;
  const data = g.smallSums ? `${g.data}-small` : g.data;
  return `${data}-dwconv-${shape}-${g.relaxed ? "relaxed" : "simd"}`;
}

/**
 * Works off records (`depthwise-records.ts`). For inner pixels a record is a number of neighbouring pixels of one output
 * row: weights float32[kernelHeight, kernelWidth, channels], the output, their count, and for each kernel row the
 * address of the first pixel's first tap. For border pixels it is one pixel; the count is that of the kernel columns
 * inside the image, the first of which weights and rows point to.
 */
export type DepthwiseFunction = (
  innerRecords: number,
  innerCount: number,
  edgeRecords: number,
  edgeCount: number,
  /** The stage's columns (`depthwise-stage.ts`), `columnBytes(channels)` bytes each. */
  columns: number,
  /** qd8: scale of the input; qs8, qu8: zero point of the output. */
  parameter: number,
  low: number,
  high: number,
) => void;

const PARAMS = ["i32", "i32", "i32", "i32", "i32", "f32", "f32", "f32"] as const;
/** Pixels taken at a time: they share their weights and, at stride 1, their inputs. */
const PIXELS = [4, 1] as const;
/** Channels per turn of the inner loop. */
const WIDE = 8;

/** Where the next record is, and how many are left. */
interface Records {
  readonly next: Local;
  readonly left: Local;
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
  /** Byte offset of the current channel among floats. */
  readonly channel: Local;
  readonly channelsLeft: Local;
  /** Addresses of the current channel: in each row, and among the weights. Engines pair what is 16 bytes apart. */
  readonly rowsAt: readonly Local[];
  readonly weightsAt: Local;
}

/** Adds the function of a geometry to `module`. */
export function emitDepthwise(module: ModuleBuilder, geometry: DepthwiseGeometry): void {
  const frame = makeFrame(module.function(PARAMS, [], depthwiseName(geometry)), geometry);
  emitInner(frame);
  emitEdge(frame);
}

function makeFrame(f: FunctionBuilder, g: DepthwiseGeometry): Frame {
  const rows = Array.from({ length: g.kernelHeight }, () => f.local("i32"));
  const out = f.local("i32");
  const channel = f.local("i32");
  const address = () => f.local("i32");
  const operands = {
    columns: f.param(4),
    out,
    channel,
    columnsAt: address(),
    outAt: address(),
    parameter: emitSplat(f, f.param(5)),
    low: emitSplat(f, f.param(6)),
    high: emitSplat(f, f.param(7)),
  };
  return {
    f,
    g,
    inner: { next: f.param(0), left: f.param(1) },
    edge: { next: f.param(2), left: f.param(3) },
    rows,
    weights: f.local("i32"),
    out,
    count: f.local("i32"),
    stage: stageOf(f, g, operands),
    channel,
    channelsLeft: f.local("i32"),
    rowsAt: rows.map(address),
    weightsAt: address(),
  };
}

/** Reads one record after the other and runs `body` for each. */
function emitRecords(frame: Frame, { next, left }: Records, body: () => void): void {
  const { f, g, weights, out, count, rows } = frame;
  emitCountdown(f, left, 1, () => {
    for (const [index, word] of [weights, out, count, ...rows].entries()) {
      f.get(next);
      f.mem("i32.load", 4 * index);
      f.set(word);
    }
    body();
    emitAddTo(f, next, recordBytes(g.kernelHeight));
  });
}

function emitInner(frame: Frame): void {
  const { f, g, rows, out, count, stage } = frame;
  emitRecords(frame, frame.inner, () => {
    for (const pixels of PIXELS) {
      emitCountdown(f, count, pixels, () => {
        emitChannelLoops(frame, (lanes) => emitPixels(frame, { pixels, lanes }));
        const step = pixels * g.strideWidth * g.channels * 4;
        for (const row of rows) emitAddTo(f, row, step);
        emitAddTo(f, out, pixels * g.channels * stage.outputBytes);
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
  const { f, g, channel, channelsLeft } = frame;
  f.i32(0);
  f.set(channel);
  f.i32(g.channels);
  f.set(channelsLeft);
  const turn = (lanes: number) => {
    body(lanes);
    emitAddTo(f, channel, lanes * 4);
  };
  for (const lanes of [WIDE, 4, 1]) {
    if (lanes < WIDE && g.channels % (lanes === 4 ? WIDE : 4) < lanes) continue;
    if (g.channels >= lanes) emitCountdown(f, channelsLeft, lanes, () => turn(lanes));
  }
}

/** sum[p] = Σ over kernel rows and columns of input · weight, for `pixels` pixels and `lanes` channels. */
function emitPixels(frame: Frame, { pixels, lanes, width }: PixelGroup): void {
  const { f, g } = frame;
  const kernelWidth = width ?? g.kernelWidth;
  const vectors = Math.max(1, lanes / 4);
  const make = () => Array.from({ length: vectors }, () => f.local("v128"));
  setAddresses(frame);
  const sums = Array.from({ length: pixels }, make);
  const taps = Array.from({ length: kernelWidth }, make);
  const input = make();
  for (const sum of sums.flat()) {
    f.v128(new Uint8Array(16));
    f.set(sum);
  }
  for (let y = 0; y < g.kernelHeight; y++) {
    taps.forEach((tap, x) => {
      loadAt(f, frame.weightsAt, (y * g.kernelWidth + x) * g.channels * 4, lanes, tap);
    });
    for (const [column, uses] of columnsOf(g, pixels, kernelWidth)) {
      loadAt(f, frame.rowsAt[y], column * g.channels * 4, lanes, input);
      for (const [pixel, x] of uses) multiplyAdd(frame, input, taps[x], sums[pixel]);
    }
  }
  frame.stage.finish(sums, lanes);
}

/** Sets the addresses of the current channel. */
function setAddresses({ f, rows, weights, channel, rowsAt, weightsAt }: Frame): void {
  for (const [base, at] of [
    ...rows.map((row, y) => [row, rowsAt[y]] as const),
    [weights, weightsAt] as const,
  ]) {
    f.get(base);
    f.get(channel);
    f.op("i32.add");
    f.set(at as Local);
  }
}

/** For each input column that a group of pixels reads: which pixels take it, and as which kernel column. */
function columnsOf(
  g: DepthwiseGeometry,
  pixels: number,
  kernelWidth: number,
): readonly (readonly [column: number, uses: readonly (readonly [pixel: number, x: number])[]])[] {
  const columns = new Map<number, [number, number][]>();
  for (let pixel = 0; pixel < pixels; pixel++) {
    for (let x = 0; x < kernelWidth; x++) {
      const column = pixel * g.strideWidth + x * g.dilationWidth;
      columns.set(column, [...(columns.get(column) ?? []), [pixel, x]]);
    }
  }
  return [...columns].sort(([a], [b]) => a - b);
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
  const { f, g, rowsAt, weightsAt, count } = frame;
  const [x, input, tap] = [f.local("i32"), f.local("i32"), f.local("i32")];
  emitChannelLoops(frame, (lanes) => {
    const vectors = Math.max(1, lanes / 4);
    const make = () => Array.from({ length: vectors }, () => f.local("v128"));
    const [sum, value, weight] = [make(), make(), make()];
    setAddresses(frame);
    for (const vector of sum) {
      f.v128(new Uint8Array(16));
      f.set(vector);
    }
    rowsAt.forEach((row, y) => {
      emitCopy(f, row, input);
      f.get(weightsAt);
      f.i32(y * g.kernelWidth * g.channels * 4);
      f.op("i32.add");
      f.set(tap);
      emitCopy(f, count, x);
      emitCountdown(f, x, 1, () => {
        loadAt(f, input, 0, lanes, value);
        loadAt(f, tap, 0, lanes, weight);
        multiplyAdd(frame, value, weight, sum);
        emitAddTo(f, input, g.dilationWidth * g.channels * 4);
        emitAddTo(f, tap, g.channels * 4);
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
  sums.forEach((sum, index) => {
    if (!g.relaxed) f.get(sum);
    f.get(input[index]);
    f.get(weights[index]);
    if (g.relaxed) {
      f.get(sum);
      f.op("f32x4.relaxed_madd");
    } else {
      f.op("f32x4.mul");
      f.op("f32x4.add");
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
