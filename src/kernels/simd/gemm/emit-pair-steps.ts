/**
 * Inner loops with the dot product of bytes whose sums of two products are int16, `pairs`. Its operands are those that
 * leave no such sum outside of int16.
 */
import type { FunctionBuilder, Local } from "../../../wasm/function-builder.ts";
import { emitAddTo, emitCopy, emitCountdown, emitIntegerSplat } from "../emit-basics.ts";
import type { GemmWalk, Tile, WalkOperands } from "./emit-gemm.ts";
import { emitActivations, emitNibbleVectors, emitRepeat, emitSteps } from "./emit-steps.ts";
import { type GemmVariant, LIST_COLUMNS } from "./variants.ts";

/**
 * Sums of two products with weights of 4 bits that int16 holds as well: 8 · 2 · 8 · 255 = 32640. So they are added up as
 * int16, and become int32 once in so many steps.
 */
const NIBBLE_STEPS = 8;

/** Weights of 4 bits. Like `plainWalk`, but for sums of int16 between those of int32 and the products. */
export function nibbleWalk(
  f: FunctionBuilder,
  variant: GemmVariant,
  { panel, steps }: WalkOperands,
): GemmWalk {
  const [weights, left] = [f.local("i32"), f.local("i32")];
  const ones = emitIntegerSplat(f, "i16x8", 1);
  const nibbles = emitNibbleVectors(f, variant);
  const halves = Array.from({ length: variant.mr }, () =>
    Array.from({ length: variant.nr / 4 }, () => f.local("v128")),
  );
  /** Takes so many steps at a time, as long as there are. */
  const emitGroups = (tile: Tile, rows: readonly Local[], count: number) => {
    emitCountdown(f, left, count, () => {
      const started = new Set<Local>();
      emitSteps(f, tile, { rows, weights, nibbles, count }, (column, row, index) => {
        const half = halves[row]?.[index] as Local;
        if (started.has(half)) f.get(half);
        f.get(column);
        f.get(tile.value);
        f.op("i16x8.relaxed_dot_i8x16_i7x16_s");
        if (started.has(half)) f.op("i16x8.add");
        f.set(half);
        started.add(half);
      });
      tile.sums.flat().forEach((sum, index) => {
        emitWidenTo(f, ones, sum, () => f.get(halves.flat()[index] as Local));
      });
    });
  };
  return {
    startPanel: () => undefined,
    addProducts(tile, rows) {
      emitCopy(f, panel, weights);
      emitCopy(f, steps, left);
      for (const count of [NIBBLE_STEPS, 1]) emitGroups(tile, rows, count);
    },
    nextPanel: () => emitCopy(f, weights, panel),
  };
}

/** Weights of int8, whose panels are lists (`pair-lists.ts`). Leaves the addresses of the rows as they are. */
export function listWalk(f: FunctionBuilder, { panel }: WalkOperands): GemmWalk {
  const address = () => f.local("i32");
  const [fitting, large, first, count, offset, weights, table] = Array.from(
    { length: 7 },
    address,
  ) as [Local, Local, Local, Local, Local, Local, Local];
  const ones = emitIntegerSplat(f, "i16x8", 1);
  const lowBytes = emitIntegerSplat(f, "i16x8", 255);
  const vectors = Array.from({ length: LIST_COLUMNS / 4 }, (_, index) => index);
  /** Runs `body` for each step of a list; `offset` says where its activations begin. */
  const emitList = (length: Local, bytes: number, body: () => void) => {
    emitCopy(f, length, count);
    f.get(count);
    f.if(() => {
      f.loop((again) => {
        f.get(table);
        f.mem("i32.load");
        f.set(offset);
        body();
        emitAddTo(f, table, 4);
        emitAddTo(f, weights, bytes);
        emitRepeat(f, count, again);
      });
    });
  };
  const loadColumns = ({ columns }: Tile, from: number) => {
    for (const index of vectors) {
      f.get(weights);
      f.mem("v128.load", from + 16 * index, 2);
      f.set(columns[index] as Local);
    }
  };
  return {
    startPanel() {
      for (const [word, local] of [fitting, large, first].entries()) {
        f.get(panel);
        f.mem("i32.load", 4 * word);
        f.set(local);
      }
      f.get(first);
      f.get(panel);
      f.op("i32.add");
      f.set(first);
    },
    addProducts(tile, rows) {
      f.get(panel);
      f.i32(16);
      f.op("i32.add");
      f.set(table);
      emitCopy(f, first, weights);
      emitList(fitting, 4 * LIST_COLUMNS, () => {
        loadColumns(tile, 0);
        rows.forEach((row, index) => {
          emitActivations(f, row, offset, tile.value);
          emitFitting(f, tile, index, ones);
        });
      });
      emitList(large, 8 * LIST_COLUMNS, () => {
        for (const odd of [0, 1]) {
          loadColumns(tile, 4 * LIST_COLUMNS * odd);
          rows.forEach((row, index) => {
            emitActivations(f, row, offset, tile.value);
            emitLarge(f, tile, { row: index, odd, lowBytes });
          });
        }
      });
    },
    nextPanel() {
      f.get(panel);
      f.get(panel);
      f.mem("i32.load", 12);
      f.op("i32.add");
      f.set(panel);
    },
  };
}

/** sum += the products of four k, the sums of two of which fit int16. */
function emitFitting(f: FunctionBuilder, tile: Tile, row: number, ones: Local): void {
  tile.sums[row]?.forEach((sum, index) => {
    emitWidenTo(f, ones, sum, () => {
      f.get(tile.columns[index] as Local);
      f.get(tile.value);
      f.op("i16x8.relaxed_dot_i8x16_i7x16_s");
    });
  });
}

/** sum += the products of the even or the odd two of four k, whose activations, uint8, become int16. */
function emitLarge(
  f: FunctionBuilder,
  tile: Tile,
  { row, odd, lowBytes }: { readonly row: number; readonly odd: number; readonly lowBytes: Local },
): void {
  f.get(tile.value);
  if (odd === 1) {
    f.i32(8);
    f.op("i16x8.shr_u");
  } else {
    f.get(lowBytes);
    f.op("v128.and");
  }
  f.set(tile.value);
  tile.sums[row]?.forEach((sum, index) => {
    f.get(sum);
    f.get(tile.columns[index] as Local);
    f.get(tile.value);
    f.op("i32x4.dot_i16x8_s");
    f.op("i32x4.add");
    f.set(sum);
  });
}

/** sum += the sums of neighbours among the int16 that `emit` leaves. */
function emitWidenTo(f: FunctionBuilder, ones: Local, sum: Local, emit: () => void): void {
  f.get(sum);
  emit();
  f.get(ones);
  f.op("i32x4.dot_i16x8_s");
  f.op("i32x4.add");
  f.set(sum);
}
