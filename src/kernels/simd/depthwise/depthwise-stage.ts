/**
 * What becomes of the sums of a depthwise convolution. Columns are arrays with one number per channel, of 32 bits or in
 * `smallSums` of 64 bits, packed eight channels at a time (`pack-channels.ts`):
 *
 * - f32 [bias]: clamp(sum + bias);
 * - qd8 [scales, bias]: clamp((sum · scale) · parameter + bias), parameter = scale of the input;
 * - qs8, qu8 [multipliers, exponents, bias], all int32: clamp(requantize(sum + bias) + parameter) as bytes,
 *   parameter = zero point of the output (`emit-requantize.ts`); with small sums [factors, offsets, steps]. Ties of the second rounding go up in qs8 for channels
 *   in groups of eight, and away from zero for the rest of them and in qu8 (`reference/output-stage.ts`);
 * - qi16 [bias], int32: sum + bias, to be requantized when all sums are there (`finish/`).
 */
import type { FunctionBuilder, Local } from "../../../wasm/function-builder.ts";
import { emitAddTo, emitAdvance, emitCopy } from "../emit-basics.ts";
import {
  beginJoinedDoubles,
  emitHighMultiply,
  emitOutputBytes,
  emitRequantizeSmall,
  loadColumnDoubles,
  type SmallSums,
} from "../emit-requantize.ts";
import type { DepthwiseData, DepthwiseGeometry } from "./emit-depthwise.ts";
import { CHANNEL_BLOCK } from "./pack-channels.ts";

export interface DepthwiseStage {
  /** Bytes of an element of the output. */
  readonly outputBytes: number;
  /** Goes to the first channel. */
  start(): void;
  /** Goes `lanes` channels further. */
  advance(lanes: number): void;
  /** Turns sums[pixel][vector] of `lanes` channels into output elements and stores them. */
  finish(sums: readonly (readonly Local[])[], lanes: number): void;
}

/** Registers that a stage works with; `parameter`, `low` and `high` are splats. */
export interface StageOperands {
  readonly channels: Local;
  readonly columns: Local;
  readonly out: Local;
  readonly parameter: Local;
  readonly low: Local;
  readonly high: Local;
}

/** Columns by kind of data. */
const COLUMN_COUNTS: Readonly<Record<DepthwiseData, number>> = {
  f32: 1,
  qd8: 2,
  qs8: 3,
  qu8: 3,
  qi16: 1,
};

/** What a stage depends on. Sums are float32 by default; those of qi16 are int32 always. */
export interface StageVariant
  extends Pick<DepthwiseGeometry, "data" | "smallSums" | "dropsNegatives" | "relaxed"> {
  readonly sums?: "int32" | "float32";
  /** Whether sums are int32 that come from memory, to be joined (`../kept-sums.ts`); doubles of columns lie accordingly. */
  readonly keepsSums?: boolean;
}

export function stageOf(
  f: FunctionBuilder,
  variant: StageVariant,
  operands: StageOperands,
): DepthwiseStage {
  const { data, smallSums } = variant;
  const isByte = data === "qs8" || data === "qu8";
  const channels = emitChannels(f, operands, {
    columns: COLUMN_COUNTS[data],
    numberBytes: smallSums ? 8 : 4,
    outputBytes: isByte ? 1 : 4,
  });
  if (data === "qi16") return sumStage(f, channels);
  return isByte
    ? integerStage(f, variant, operands, channels)
    : floatStage(f, variant, operands, channels);
}

/** What the channels are walked over. */
interface ChannelData {
  readonly columns: number;
  /** Bytes of a number of a column. */
  readonly numberBytes: number;
  readonly outputBytes: 1 | 4;
}

/** The current channels: where they are. */
interface Channels extends Pick<DepthwiseStage, "outputBytes" | "start" | "advance"> {
  readonly columnsAt: Local;
  /** Bytes from one column to the next. */
  readonly columnBytes: number;
  /** Runs `store` for each pixel, with the address of its elements. */
  emitStores(pixels: number, store: (pixel: number, address: Local) => void): void;
}

function emitChannels(
  f: FunctionBuilder,
  { channels, columns, out }: StageOperands,
  { columns: columnCount, numberBytes, outputBytes }: ChannelData,
): Channels {
  const [columnsAt, outAt, pixelAt] = [f.local("i32"), f.local("i32"), f.local("i32")];
  const columnBytes = CHANNEL_BLOCK * numberBytes;
  return {
    outputBytes,
    columnsAt,
    columnBytes,
    start() {
      emitCopy(f, columns, columnsAt);
      emitCopy(f, out, outAt);
    },
    advance(lanes) {
      const isBlock = lanes === CHANNEL_BLOCK;
      emitAddTo(f, columnsAt, isBlock ? columnCount * columnBytes : lanes * numberBytes);
      emitAddTo(f, outAt, lanes * outputBytes);
    },
    emitStores(pixels, store) {
      for (let pixel = 0; pixel < pixels; pixel++) {
        if (pixel === 1) emitCopy(f, outAt, pixelAt);
        if (pixel > 0) emitAdvance(f, pixelAt, channels, outputBytes);
        store(pixel, pixel === 0 ? outAt : pixelAt);
      }
    },
  };
}

function floatStage(
  f: FunctionBuilder,
  { data, sums: type }: StageVariant,
  operands: StageOperands,
  channels: Channels,
): DepthwiseStage {
  return {
    ...channels,
    finish(sums, lanes) {
      const operand = vectorsFor(f, lanes);
      if (data === "qd8") {
        loadColumn(f, channels, 0, lanes, operand);
        forEachSum(sums, (sum, vector) => {
          f.get(sum);
          if (type === "int32") f.op("f32x4.convert_i32x4_s");
          f.get(operand[vector]);
          f.op("f32x4.mul");
          f.get(operands.parameter);
          f.op("f32x4.mul");
          f.set(sum);
        });
      }
      loadColumn(f, channels, data === "qd8" ? 1 : 0, lanes, operand);
      forEachSum(sums, (sum, vector) => {
        f.get(sum);
        f.get(operand[vector]);
        f.op("f32x4.add");
        f.get(operands.low);
        f.op("f32x4.pmax");
        f.get(operands.high);
        f.op("f32x4.pmin");
        f.set(sum);
      });
      storeWords(f, channels, sums, lanes);
    },
  };
}

function sumStage(f: FunctionBuilder, channels: Channels): DepthwiseStage {
  return {
    ...channels,
    finish(sums, lanes) {
      const bias = vectorsFor(f, lanes);
      loadColumn(f, channels, 0, lanes, bias);
      forEachSum(sums, (sum, vector) => {
        f.get(sum);
        f.get(bias[vector]);
        f.op("i32x4.add");
        f.set(sum);
      });
      storeWords(f, channels, sums, lanes);
    },
  };
}

/** Stores results of 32 bits. */
function storeWords(
  f: FunctionBuilder,
  channels: Channels,
  sums: readonly (readonly Local[])[],
  lanes: number,
): void {
  channels.emitStores(sums.length, (pixel, address) => {
    sums[pixel].forEach((sum, vector) => {
      f.get(address);
      f.get(sum);
      if (lanes === 1) f.memLane("v128.store32_lane", 0);
      else f.mem("v128.store", 16 * vector, 2);
    });
  });
}

function integerStage(
  f: FunctionBuilder,
  { data, smallSums, relaxed, dropsNegatives, sums: type = "float32", keepsSums }: StageVariant,
  operands: StageOperands,
  channels: Channels,
): DepthwiseStage {
  const output = data === "qs8" ? "int8" : "uint8";
  const bounds = {
    zeroPoint: narrowed(f, operands.parameter, "int16"),
    low: narrowed(f, operands.low, output),
    high: narrowed(f, operands.high, output),
  };
  const wide = [f.local("v128"), f.local("v128")] as const;
  const joined = smallSums && keepsSums ? beginJoinedDoubles(f) : undefined;
  return {
    ...channels,
    finish(sums, lanes) {
      const away = !dropsNegatives && (data === "qu8" || lanes < 8);
      if (smallSums)
        requantizeSmall(f, { relaxed, joined }, channels, { sums, type, lanes, away, wide });
      else requantize(f, channels, { sums, type, lanes, away, wide });
      const store =
        lanes === 1 ? "v128.store8_lane" : lanes === 4 ? "v128.store32_lane" : "v128.store64_lane";
      // Two pixels of eight channels are a vector of bytes.
      const together = lanes === 8 ? 2 : 1;
      channels.emitStores(sums.length, (pixel, address) => {
        const [first] = sums[pixel - (pixel % together)];
        if (pixel % together === 0) {
          const vectors = sums.slice(pixel, pixel + together).flat();
          emitOutputBytes(f, vectors, output, bounds, first, { joined: joined !== undefined });
        }
        f.get(address);
        f.get(first);
        f.memLane(store, pixel % together, 0, 0);
      });
    },
  };
}

interface Requantized {
  readonly sums: readonly (readonly Local[])[];
  readonly type: "int32" | "float32";
  readonly lanes: number;
  /** Whether ties of the second rounding go away from zero, which only negative values notice. */
  readonly away: boolean;
  readonly wide: readonly [Local, Local];
}

function requantize(
  f: FunctionBuilder,
  channels: Channels,
  { sums, type, lanes, away, wide }: Requantized,
): void {
  const operand = vectorsFor(f, lanes);
  loadColumn(f, channels, 2, lanes, operand);
  forEachSum(sums, (sum, vector) => {
    f.get(sum);
    if (type === "float32") f.op("i32x4.trunc_sat_f32x4_s");
    f.get(operand[vector]);
    f.op("i32x4.add");
    f.set(sum);
  });
  for (const column of [0, 1]) {
    loadColumn(f, channels, column, lanes, operand);
    forEachSum(sums, (sum, vector) => {
      f.get(sum);
      if (away && column === 1) emitTowardsAway(f, sum);
      f.get(operand[vector]);
      emitHighMultiply(f, wide);
      f.set(sum);
    });
  }
}

function requantizeSmall(
  f: FunctionBuilder,
  { relaxed, joined }: Pick<SmallSums, "relaxed" | "joined">,
  { columnsAt, columnBytes }: Channels,
  { sums, type, lanes, away, wide }: Requantized,
): void {
  const pair = () => [f.local("v128"), f.local("v128")] as const;
  const [factors, offsets, steps] = [pair(), pair(), pair()];
  for (let vector = 0; vector < Math.max(1, lanes / 4); vector++) {
    const load = (column: number, into: readonly Local[]) => {
      const offset = column * columnBytes;
      if (lanes > 1) {
        loadColumnDoubles(f, { address: columnsAt, offset, vector }, joined !== undefined, into);
        return;
      }
      for (const half of into) {
        f.get(columnsAt);
        f.mem("v128.load64_zero", offset, 3);
        f.set(half);
      }
    };
    load(0, factors);
    load(1, offsets);
    if (away) load(2, steps);
    for (const pixel of sums) {
      const columns = { factors, offsets, ...(away ? { steps } : {}) };
      const sum = pixel[vector] as Local;
      emitRequantizeSmall(f, sum, columns, { from: type, relaxed, halves: wide, joined });
    }
  }
}

/** [p] → p − (p < 0 ? 1 : 0), so that rounding half up afterwards rounds half away from zero. `p` holds it too. */
function emitTowardsAway(f: FunctionBuilder, p: Local): void {
  f.get(p);
  f.i32(31);
  f.op("i32x4.shr_s");
  f.op("i32x4.add");
}

/** Whole numbers in float32, as int16 or as bytes. */
function narrowed(f: FunctionBuilder, value: Local, to: "int16" | "int8" | "uint8"): Local {
  const vector = f.local("v128");
  const twice = () => {
    f.tee(vector);
    f.get(vector);
  };
  f.get(value);
  f.op("i32x4.trunc_sat_f32x4_s");
  twice();
  f.op("i16x8.narrow_i32x4_s");
  if (to !== "int16") {
    twice();
    f.op(to === "int8" ? "i8x16.narrow_i16x8_s" : "i8x16.narrow_i16x8_u");
  }
  f.set(vector);
  return vector;
}

function vectorsFor(f: FunctionBuilder, lanes: number): readonly Local[] {
  return Array.from({ length: Math.max(1, lanes / 4) }, () => f.local("v128"));
}

function forEachSum(
  sums: readonly (readonly Local[])[],
  visit: (sum: Local, vector: number) => void,
): void {
  for (const pixel of sums) for (const [vector, sum] of pixel.entries()) visit(sum, vector);
}

/** Loads `lanes` numbers of a column of 32 bits, for the current channels. */
function loadColumn(
  f: FunctionBuilder,
  { columnsAt, columnBytes }: Channels,
  column: number,
  lanes: number,
  into: readonly Local[],
): void {
  into.forEach((vector, index) => {
    f.get(columnsAt);
    if (lanes === 1) f.mem("v128.load32_zero", column * columnBytes);
    else f.mem("v128.load", column * columnBytes + 16 * index, 2);
    f.set(vector);
  });
}
