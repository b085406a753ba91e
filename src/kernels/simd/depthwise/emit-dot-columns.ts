/** Emits the rearrangement of rows of pixels into groups of columns (`dot-columns.ts`). */
import type { FunctionBuilder, Local } from "../../../wasm/function-builder.ts";
import { emitAddTo, emitAdvance, emitCopy, emitCountdown } from "../emit-basics.ts";
import { CHANNEL_BYTES, GROUP_STEP } from "./dot-columns.ts";

/** How pixels are read. */
export interface ColumnSource {
  /** Columns of a group: of int16 two, of bytes four. */
  readonly columns: 2 | 4;
  readonly elementBytes: 1 | 4;
  /** Loads a vector of channels, or of bytes eight: half a vector, from address + offset. */
  load(address: Local, offset: number, isHalf: boolean, into: Local): void;
}

/** Rows of pixels, what they become, and how. `count`: elements of whole rows. */
export interface ColumnsOperands
  extends Readonly<Record<"source" | "count" | "target", Local>>,
    Readonly<Record<"channels" | "width" | "padLeft" | "groups", Local>> {
  /** A pixel that stands for those outside of the image. */
  readonly outside: Local;
}

/** Channels that are taken at a time. */
const LANES = [16, 8] as const;

/** Emits it. Destroys `source`, `count` and `target`. */
export function emitDotColumns(
  f: FunctionBuilder,
  from: ColumnSource,
  operands: ColumnsOperands,
): void {
  const { source, count, target, channels, groups } = operands;
  const [rowElements, pixelBytes] = [f.local("i32"), f.local("i32")];
  const [groupsLeft, column, channelsLeft] = [f.local("i32"), f.local("i32"), f.local("i32")];
  const addresses = Array.from({ length: from.columns }, () => f.local("i32"));
  f.get(operands.width);
  f.get(channels);
  f.op("i32.mul");
  f.set(rowElements);
  f.get(channels);
  f.i32(from.elementBytes);
  f.op("i32.mul");
  f.set(pixelBytes);
  f.block((exit) => {
    f.loop((again) => {
      f.get(count);
      f.i32(0);
      f.op("i32.le_s");
      f.brIf(exit);
      f.i32(0);
      f.get(operands.padLeft);
      f.op("i32.sub");
      f.set(column);
      emitCopy(f, groups, groupsLeft);
      emitCountdown(f, groupsLeft, 1, () => {
        for (const address of addresses) {
          emitColumnAddress(f, operands, { column, pixelBytes }, address);
          emitAddTo(f, column, 1);
        }
        emitAddTo(f, column, GROUP_STEP - from.columns);
        emitCopy(f, channels, channelsLeft);
        for (const lanes of LANES) {
          emitCountdown(f, channelsLeft, lanes, () => {
            if (from.columns === 2) emitPairs(f, from, addresses, target, lanes);
            else emitFours(f, from, addresses, target, lanes);
            for (const address of addresses) emitAddTo(f, address, lanes * from.elementBytes);
            emitAddTo(f, target, lanes * CHANNEL_BYTES);
          });
        }
      });
      emitAdvance(f, source, rowElements, from.elementBytes);
      f.get(count);
      f.get(rowElements);
      f.op("i32.sub");
      f.set(count);
      f.br(again);
    });
  });
}

/** address = that of a column of the row at `source`, or of the pixel outside. */
function emitColumnAddress(
  f: FunctionBuilder,
  { source, width, outside }: ColumnsOperands,
  { column, pixelBytes }: Readonly<Record<"column" | "pixelBytes", Local>>,
  address: Local,
): void {
  f.get(source);
  f.get(column);
  f.get(pixelBytes);
  f.op("i32.mul");
  f.op("i32.add");
  f.get(outside);
  f.get(column);
  f.get(width);
  f.op("i32.lt_u");
  f.select();
  f.set(address);
}

/** Stores two int16 of each channel side by side. */
function emitPairs(
  f: FunctionBuilder,
  from: ColumnSource,
  addresses: readonly Local[],
  target: Local,
  lanes: number,
): void {
  const vectors = Array.from({ length: lanes / 8 }, () => addresses.map(() => f.local("v128"))) as [
    Local,
    Local,
  ][];
  vectors.forEach((pair, index) => {
    pair.forEach((vector, column) => {
      from.load(addresses[column] as Local, 8 * index * from.elementBytes, false, vector);
    });
  });
  vectors.forEach(([a, b], index) => {
    for (const half of [0, 1] as const) {
      f.get(target);
      emitMerge(f, a, b, { unit: 2, half });
      f.mem("v128.store", 32 * index + 16 * half, 2);
    }
  });
}

/** Stores four bytes of each channel side by side. */
function emitFours(
  f: FunctionBuilder,
  from: ColumnSource,
  addresses: readonly Local[],
  target: Local,
  lanes: number,
): void {
  const vectors = addresses.map(() => f.local("v128")) as [Local, Local, Local, Local];
  vectors.forEach((vector, column) => {
    from.load(addresses[column] as Local, 0, lanes === 8, vector);
  });
  const [a, b, c, d] = vectors;
  const [first, second] = [f.local("v128"), f.local("v128")];
  for (const half of lanes === 16 ? ([0, 1] as const) : ([0] as const)) {
    emitMerge(f, a, b, { unit: 1, half });
    f.set(first);
    emitMerge(f, c, d, { unit: 1, half });
    f.set(second);
    for (const quarter of [0, 1] as const) {
      f.get(target);
      emitMerge(f, first, second, { unit: 2, half: quarter });
      f.mem("v128.store", 32 * half + 16 * quarter, 2);
    }
  }
}

/** Emits [] → the elements, of `unit` bytes, of the lower or upper halves of two vectors, in turns. */
function emitMerge(
  f: FunctionBuilder,
  a: Local,
  b: Local,
  { unit, half }: { readonly unit: 1 | 2; readonly half: 0 | 1 },
): void {
  f.get(a);
  f.get(b);
  f.shuffle(
    Array.from({ length: 16 }, (_, byte) => {
      const element = Math.floor(byte / unit);
      return 8 * half + Math.floor(element / 2) * unit + (byte % unit) + (element % 2) * 16;
    }),
  );
}
