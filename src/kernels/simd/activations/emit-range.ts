/**
 * Emits the range pass: min and max of `count` float32 activations, both widened to contain 0. NaN is passed over.
 *
 * Numbers that are not negative are ordered as their bits are, and what is negative or NaN has greater bits as an
 * unsigned integer than infinity. So one maximum of integers per vector finds the range of what comes out of a RELU, and
 * tells at the end of each block whether there was anything else. From the first such block on, minimum and maximum are
 * those of floats.
 */
import type { FunctionBuilder, Label, Local } from "../../../wasm/function-builder.ts";
import type { ModuleBuilder } from "../../../wasm/module-builder.ts";
import { emitAddTo, emitCopy, emitCountdown } from "../emit-basics.ts";

export const RANGE_NAME = "activation-range";

/** Addresses in bytes. Writes float32 min and max at `result`. */
export type RangeFunction = (source: number, count: number, result: number) => void;

/** Vectors that extremes are kept in, so that one need not wait for the other. */
const CHAINS = 4;
/** Vectors of a block. */
const BLOCK = 16;
/** Added to the bits of infinity it leaves the sign bit 0; added to those of a positive NaN it sets it. */
const NAN_DISTANCE = 0x7fffff;

/** Adds the range pass. */
export function emitRange(module: ModuleBuilder): void {
  const f = module.function(["i32", "i32", "i32"], [], RANGE_NAME);
  emitRangeOf(f, { source: f.param(0), count: f.param(1), result: f.param(2) });
}

/** What is passed over, and where the range goes. */
type RangeOperands = Readonly<Record<"source" | "count" | "result", Local>>;

/** Emits the range pass. Destroys `source` and `count`. */
export function emitRangeOf(f: FunctionBuilder, { source, count, result }: RangeOperands): void {
  const chains = () => Array.from({ length: CHAINS }, () => f.local("v128"));
  const extremes = { min: chains(), max: chains() };
  for (const extreme of [...extremes.min, ...extremes.max]) {
    f.v128(new Uint8Array(16));
    f.set(extreme);
  }
  emitPositiveBlocks(f, { source, count }, extremes.max);
  emitFloats(f, { source, count }, extremes);
  const value = f.local("v128");
  for (const [index, which] of (["min", "max"] as const).entries()) {
    emitHorizontal(f, extremes[which], which === "min" ? "f32x4.pmin" : "f32x4.pmax");
    f.set(value);
    f.get(result);
    f.get(value);
    f.memLane("v128.store32_lane", 0, 4 * index);
  }
}

type Remaining = Pick<RangeOperands, "source" | "count">;

/** Takes blocks up to one with a negative number, −0 or NaN. */
function emitPositiveBlocks(
  f: FunctionBuilder,
  { source, count }: Remaining,
  max: readonly Local[],
): void {
  const block = max.map(() => f.local("v128"));
  const [distance, all] = [f.local("v128"), f.local("v128")];
  f.i32(NAN_DISTANCE);
  f.op("i32x4.splat");
  f.set(distance);
  f.block((exit) => {
    f.loop((again) => {
      f.get(count);
      f.i32(4 * BLOCK);
      f.op("i32.lt_s");
      f.brIf(exit);
      max.forEach((chain, index) => {
        emitCopy(f, chain, block[index] as Local);
      });
      for (let vector = 0; vector < BLOCK; vector++) {
        const chain = block[vector % CHAINS] as Local;
        f.get(chain);
        f.get(source);
        f.mem("v128.load", 16 * vector, 2);
        f.op("i32x4.max_u");
        f.set(chain);
      }
      emitLeaveUnlessPositive(f, block, { distance, all }, exit);
      block.forEach((chain, index) => {
        emitCopy(f, chain, max[index] as Local);
      });
      emitAddTo(f, source, 16 * BLOCK);
      emitAddTo(f, count, -4 * BLOCK);
      f.br(again);
    });
  });
}

function emitLeaveUnlessPositive(
  f: FunctionBuilder,
  block: readonly Local[],
  { distance, all }: Readonly<Record<"distance" | "all", Local>>,
  exit: Label,
): void {
  f.get(block[0] as Local);
  for (const chain of block.slice(1)) {
    f.get(chain);
    f.op("i32x4.max_u");
  }
  f.tee(all);
  f.get(all);
  f.get(distance);
  f.op("i32x4.add");
  f.op("v128.or");
  f.op("i32x4.bitmask");
  f.brIf(exit);
}

/** Takes all that is left as floats. */
function emitFloats(
  f: FunctionBuilder,
  { source, count }: Remaining,
  { min, max }: Readonly<Record<"min" | "max", readonly Local[]>>,
): void {
  const value = f.local("v128");
  const take = (chain: number) => {
    for (const [extreme, op] of [
      [min[chain] as Local, "f32x4.pmin"],
      [max[chain] as Local, "f32x4.pmax"],
    ] as const) {
      f.get(extreme);
      f.get(value);
      f.op(op);
      f.set(extreme);
    }
  };
  emitCountdown(f, count, 4 * CHAINS, () => {
    for (let chain = 0; chain < CHAINS; chain++) {
      f.get(source);
      f.mem("v128.load", 16 * chain, 2);
      f.set(value);
      take(chain);
    }
    emitAddTo(f, source, 16 * CHAINS);
  });
  emitCountdown(f, count, 1, () => {
    f.get(source);
    f.mem("v128.load32_splat");
    f.set(value);
    take(0);
    emitAddTo(f, source, 4);
  });
}

/** Leaves a vector whose lane 0 is `op` over all lanes of `vectors`. */
function emitHorizontal(
  f: FunctionBuilder,
  vectors: readonly Local[],
  op: "f32x4.pmin" | "f32x4.pmax",
): void {
  const all = f.local("v128");
  f.get(vectors[0]);
  for (const vector of vectors.slice(1)) {
    f.get(vector);
    f.op(op);
  }
  f.set(all);
  for (const distance of [2, 1]) {
    f.get(all);
    f.get(all);
    f.get(all);
    f.shuffle(Array.from({ length: 16 }, (_, byte) => (byte + 4 * distance) % 16));
    f.op(op);
    f.set(all);
  }
  f.get(all);
}
