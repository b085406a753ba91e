/**
 * Emits a depthwise convolution by dot products of columns (`dot-columns.ts`). Images are prepared by strips
 * (`plan-strips.ts`): floats are quantized, bytes widened or taken as they are, and rows rearranged. Bytes keep their zero
 * point z: Σ (q − z) · w = Σ q · w − z · Σ w. Nothing is at a border: what stands there adds nothing.
 */
import type { FunctionBuilder, Local } from "../../../wasm/function-builder.ts";
import type { ModuleBuilder } from "../../../wasm/module-builder.ts";
import {
  beginQuantizedWords,
  type EmitQuantizedWords,
  emitQuantizeOf,
} from "../activations/emit-quantize.ts";
import {
  emitAddTo,
  emitAdvance,
  emitCopy,
  emitCountdown,
  emitIntegerSplat,
  emitLoads,
  emitSplat,
} from "../emit-basics.ts";
import { beginKeptSums, type KeptSums } from "../kept-sums.ts";
import { recordBytes } from "./depthwise-records.ts";
import { type DepthwiseStage, type StageVariant, stageOf } from "./depthwise-stage.ts";
import {
  blockLayout,
  CHANNEL_BYTES,
  DOT_BYTES,
  type DotShape,
  kernelGroupStep,
  kernelGroups,
  shiftsOf,
} from "./dot-columns.ts";
import { type ColumnSource, emitDotColumns } from "./emit-dot-columns.ts";
import { CHANNEL_BLOCK } from "./pack-channels.ts";
import { STEP_BYTES } from "./strip-records.ts";

export interface DotGeometry extends DotShape, Omit<StageVariant, "sums" | "data"> {
  readonly data: "qd8" | "qs8" | "qu8";
  /** Whether some block has weights of the second set. */
  readonly hasSecond: boolean;
  /** Whether sums go through memory on their way to the stage (`kept-sums.ts`). */
  readonly keepsSums: boolean;
}

/** Export name of the function. */
export function dotStripsName(g: DotGeometry): string {
  const data = `${g.data}${g.smallSums ? "-small" : ""}${g.dropsNegatives ? "-relu" : ""}`;
  const shape = `${g.kernelHeight}x${g.kernelWidth}s${g.strideWidth}`;
  const second = `${g.hasSecond ? "-twice" : ""}${g.keepsSums ? "-kept" : ""}`;
  return `${data}-dwconv-${shape}-${g.dot}${second}-${g.relaxed ? "relaxed" : "simd"}`;
}

/** Addresses in bytes: those of a part of the output rows, then what all parts share. */
export type DotStripsFunction = (
  steps: number,
  stepCount: number,
  records: number,
  /** qd8, where dot products are those of bytes: room for the quantized elements of a step. */
  staged: number,
  /** A multiple of eight. */
  channels: number,
  columns: number,
  /** As in `DepthwiseFunction`. */
  parameter: number,
  low: number,
  high: number,
  /** Columns of a row of the image, and groups of a prepared one. */
  width: number,
  padLeft: number,
  groups: number,
  /** A pixel that stands for those outside of the image, as they are before they are rearranged. */
  outside: number,
  /** That of what is read, for dot products of bytes that of what is multiplied. */
  zeroPoint: number,
  /** qd8: as in `QuantizeFunction`. */
  inverse: number,
  lowest: number,
  highest: number,
) => void;

const [I32, F32] = ["i32", "f32"] as const;
const PARAMS = [
  ...[I32, I32, I32, I32, I32, I32, F32, F32, F32],
  ...[I32, I32, I32, I32, I32, F32, F32, F32],
] as const;
/** Groups of pixels that share their weights. */
const PIXELS = 4;
const VECTORS = CHANNEL_BLOCK / 4;

interface Frame {
  readonly f: FunctionBuilder;
  readonly g: DotGeometry;
  readonly kept: KeptSums | undefined;
  readonly stage: DepthwiseStage;
  readonly rows: readonly Local[];
  readonly out: Local;
  readonly channels: Local;
  /** Bytes of a group. */
  readonly groupBytes: Local;
  /** −z in all lanes. */
  readonly negativeZero: Local;
  /** Addresses of the current block. */
  readonly rowsAt: readonly Local[];
  readonly weightsAt: Local;
}

/** Adds the function of a geometry to `module`. */
export function emitDotStrips(module: ModuleBuilder, g: DotGeometry): void {
  const f = module.function(PARAMS, [], dotStripsName(g));
  const [steps, stepCount, records] = [f.param(0), f.param(1), f.param(2)];
  const frame = makeFrame(f, g, g.keepsSums ? beginKeptSums(module, f) : undefined);
  const prepare = beginPreparation(f, g);
  const walk = { source: f.local("i32"), count: f.local("i32"), target: f.local("i32") };
  const [rowsLeft, weights, pixels] = [f.local("i32"), f.local("i32"), f.local("i32")];
  emitCountdown(f, stepCount, 1, () => {
    emitLoads(f, steps, [walk.source, walk.count, walk.target, rowsLeft]);
    prepare(walk);
    emitCountdown(f, rowsLeft, 1, () => {
      emitLoads(f, records, [weights, frame.out, pixels, ...frame.rows]);
      emitRow(frame, weights, pixels);
      emitAddTo(f, records, recordBytes(g.kernelHeight));
    });
    emitAddTo(f, steps, STEP_BYTES);
  });
}

function makeFrame(f: FunctionBuilder, g: DotGeometry, kept: Frame["kept"]): Frame {
  const [out, channels, columns] = [f.local("i32"), f.param(4), f.param(5)];
  const rows = Array.from({ length: g.kernelHeight }, () => f.local("i32"));
  const [groupBytes, negativeZero] = [f.local("i32"), f.local("v128")];
  f.get(channels);
  f.i32(CHANNEL_BYTES);
  f.op("i32.mul");
  f.set(groupBytes);
  f.i32(0);
  f.get(f.param(13));
  f.op("i32.sub");
  f.op("i32x4.splat");
  f.set(negativeZero);
  return {
    ...{ f, g, kept, rows, out, channels, groupBytes, negativeZero },
    stage: stageOf(
      f,
      { ...g, sums: "int32" },
      {
        ...{ channels, columns, out },
        parameter: emitSplat(f, f.param(6)),
        low: emitSplat(f, f.param(7)),
        high: emitSplat(f, f.param(8)),
      },
    ),
    rowsAt: rows.map(() => f.local("i32")),
    weightsAt: f.local("i32"),
  };
}

/** Elements of whole rows, and where they go. */
type Walk = Readonly<Record<"source" | "count" | "target", Local>>;

/** Emits what is done once in a function, and returns what prepares rows. */
function beginPreparation(f: FunctionBuilder, g: DotGeometry): (walk: Walk) => void {
  const { data, dot, relaxed } = g;
  const layout = {
    channels: f.param(4),
    ...{ width: f.param(9), padLeft: f.param(10), groups: f.param(11), outside: f.param(12) },
  };
  if (data !== "qd8") {
    const from = dot === "int16" ? widenedSource(f, data) : byteSource(f, g);
    return (walk) => emitDotColumns(f, from, { ...layout, ...walk });
  }
  const numbers = {
    inverse: f.param(14),
    low: f.param(15),
    high: f.param(16),
    stored: f.param(13),
  };
  if (dot === "int16") {
    const quantize = beginQuantizedWords(f, { relaxed }, numbers);
    return (walk) => {
      quantize((emitWords) =>
        emitDotColumns(f, quantizedSource(emitWords), { ...layout, ...walk }),
      );
    };
  }
  const from = byteSource(f, g);
  const [source, count, target] = [f.local("i32"), f.local("i32"), f.local("i32")];
  return (walk) => {
    emitCopy(f, walk.source, source);
    emitCopy(f, walk.count, count);
    emitCopy(f, f.param(3), target);
    emitQuantizeOf(f, { storage: dot, relaxed }, { source, count, target, ...numbers });
    emitCopy(f, f.param(3), source);
    emitDotColumns(f, from, { ...layout, source, count: walk.count, target: walk.target });
  };
}

/** Floats that become int16 of q − zero point: rows are whole groups, as channels are. */
function quantizedSource(emitWords: EmitQuantizedWords): ColumnSource {
  return {
    columns: 2,
    elementBytes: 4,
    load: (address, offset, _, into) => emitWords(address, offset, into),
  };
}

/** Bytes that become int16 of q − zero point. */
function widenedSource(f: FunctionBuilder, data: "qs8" | "qu8"): ColumnSource {
  const zero = emitIntegerSplat(f, "i16x8", f.param(13));
  return {
    columns: 2,
    elementBytes: 1,
    load(address, offset, _, into) {
      f.get(address);
      f.mem(data === "qs8" ? "v128.load8x8_s" : "v128.load8x8_u", offset, 0);
      f.get(zero);
      f.op("i16x8.sub");
      f.set(into);
    },
  };
}

/** Bytes that stay bytes, of the type that dot products want. */
function byteSource(f: FunctionBuilder, { data, dot }: DotGeometry): ColumnSource {
  const isSame = data === "qd8" || (data === "qs8" ? "int8" : "uint8") === dot;
  const flipped = emitIntegerSplat(f, "i8x16", 128);
  return {
    columns: 4,
    elementBytes: 1,
    load(address, offset, isHalf, into) {
      f.get(address);
      if (isHalf) f.mem("v128.load64_zero", offset, 0);
      else f.mem("v128.load", offset, 0);
      if (!isSame) {
        f.get(flipped);
        f.op("v128.xor");
      }
      f.set(into);
    },
  };
}

/** Pixels of an output row from the first to the last, so that each group begins at shift 0. */
function emitRow(frame: Frame, weights: Local, pixelsLeft: Local): void {
  const { f, g, rows, rowsAt, channels, stage } = frame;
  const shifts = shiftsOf(g).length;
  const channelsLeft = f.local("i32");
  for (const pixels of new Set([PIXELS, shifts, 1])) {
    emitCountdown(f, pixelsLeft, pixels, () => {
      rows.forEach((row, y) => {
        emitCopy(f, row, rowsAt[y] as Local);
      });
      emitCopy(f, weights, frame.weightsAt);
      stage.start();
      emitCopy(f, channels, channelsLeft);
      emitCountdown(f, channelsLeft, CHANNEL_BLOCK, () => {
        emitPixels(frame, pixels);
        for (const row of rowsAt) emitAddTo(f, row, CHANNEL_BLOCK * CHANNEL_BYTES);
        emitAddTo(f, frame.weightsAt, blockLayout(g).byteLength);
        stage.advance(CHANNEL_BLOCK);
      });
      for (const row of rows) emitAdvance(f, row, frame.groupBytes, Math.ceil(pixels / shifts));
      emitAdvance(f, frame.out, channels, pixels * stage.outputBytes);
    });
  }
}

/** sum[p] = Σ dot products, for bytes less z · Σ weights, for `pixels` pixels and the channels of a block. */
function emitPixels(frame: Frame, pixels: number): void {
  const { f, g, kept, weightsAt } = frame;
  const vectors = () => Array.from({ length: VECTORS }, () => f.local("v128"));
  const sums = Array.from({ length: pixels }, vectors);
  const { sets, flag } = blockLayout(g);
  const [first = 0, second = 0] = sets;
  if (g.dot !== "int16") emitZeroPointTerms(frame, sums);
  // Sums are kept before ways meet: where they do, engines cannot join what comes from both.
  const add = (offsets: readonly number[]): void => {
    for (const offset of offsets) emitDots(frame, sums, offset);
    kept?.keep(sums.flat());
  };
  const ifSecond = (then: () => void, otherwise?: () => void): void => {
    f.get(weightsAt);
    f.mem("i32.load", flag, 2);
    f.if(then, otherwise);
  };
  if (!g.hasSecond) {
    add([first]);
  } else if (kept === undefined) {
    add([first]);
    ifSecond(() => add([second]));
  } else {
    ifSecond(
      () => add([first, second]),
      () => add([first]),
    );
  }
  kept?.load(sums.flat());
  frame.stage.finish(sums, CHANNEL_BLOCK);
}

/** sum[p] = −z · Σ weights */
function emitZeroPointTerms(
  { f, weightsAt, negativeZero }: Frame,
  sums: readonly (readonly Local[])[],
): void {
  for (const [index, pixel] of sums.entries()) {
    pixel.forEach((sum, vector) => {
      if (index > 0) {
        emitCopy(f, sums[0]?.[vector] as Local, sum);
        return;
      }
      f.get(weightsAt);
      f.mem("v128.load", 16 * vector, 2);
      f.get(negativeZero);
      f.op("i32x4.mul");
      f.set(sum);
    });
  }
}

/** Adds the products with a set of weights, which begins at an offset in the block; int16 begin with them. */
function emitDots(frame: Frame, sums: readonly (readonly Local[])[], offset: number): void {
  const { f, g, weightsAt, groupBytes } = frame;
  const shifts = shiftsOf(g);
  const weights = shifts.map(() => [f.local("v128"), f.local("v128")]);
  const [input, at] = [f.local("v128"), f.local("i32")];
  const groups = Math.ceil(sums.length / shifts.length);
  for (let y = 0; y < g.kernelHeight; y++) {
    for (let k = 0; k < kernelGroups(g); k++) {
      const used = shifts.filter((shift) => k < kernelGroups(g, shift));
      for (const shift of used.slice(0, sums.length)) {
        const dot = (y * kernelGroups(g) + k) * shifts.length + shift;
        weights[shift]?.forEach((vector, index) => {
          f.get(weightsAt);
          f.mem("v128.load", offset + dot * DOT_BYTES + 16 * index, 2);
          f.set(vector);
        });
      }
      emitCopy(f, frame.rowsAt[y] as Local, at);
      if (k > 0) emitAdvance(f, at, groupBytes, k * kernelGroupStep(g.dot));
      for (let group = 0; group < groups; group++) {
        if (group > 0) emitAdvance(f, at, groupBytes, 1);
        for (let vector = 0; vector < VECTORS; vector++) {
          f.get(at);
          f.mem("v128.load", 16 * vector, 2);
          f.set(input);
          for (const shift of used) {
            const sum = sums[group * shifts.length + shift]?.[vector];
            const isFirst = g.dot === "int16" && y === 0 && k === 0;
            if (sum !== undefined) {
              emitDot(frame, weights[shift]?.[vector] as Local, input, sum, isFirst);
            }
          }
        }
      }
    }
  }
}

function emitDot(
  { f, g }: Frame,
  weights: Local,
  input: Local,
  sum: Local,
  isFirst: boolean,
): void {
  f.get(weights);
  f.get(input);
  if (g.dot === "int16") {
    f.op("i32x4.dot_i16x8_s");
    if (!isFirst) {
      f.get(sum);
      f.op("i32x4.add");
    }
  } else {
    f.get(sum);
    f.op("i32x4.relaxed_dot_i8x16_i7x16_add_s");
  }
  f.set(sum);
}
