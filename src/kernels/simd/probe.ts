/** What the engine can do, found by asking it to validate or run a tiny module; never by the host's name. */
import { ModuleBuilder } from "../../wasm/module-builder.ts";
import type { FastFeatures } from "./fast-kernel.ts";

/** Features for emitted kernels; undefined where the engine has no SIMD at all. */
export function probeFeatures(): FastFeatures | undefined {
  if (typeof WebAssembly !== "object" || !WebAssembly.validate(usingSimd())) return undefined;
  const relaxed = WebAssembly.validate(usingRelaxedSimd());
  // Models of floats never ask for products of bytes, whose probes are modules of their own.
  const dot = once(() => (relaxed ? probeDot() : undefined));
  const pairs = once(() => (relaxed ? probePairs() : undefined));
  return {
    relaxed,
    get dot() {
      return dot();
    },
    get pairs() {
      return pairs();
    },
  };
}

/** `probe`, made at the first call. */
function once<Result>(probe: () => Result): () => Result {
  let made: { readonly result: Result } | undefined;
  return () => {
    made ??= { result: probe() };
    return made.result;
  };
}

function usingSimd(): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder();
  const f = module.function(["v128", "v128"], ["v128"]);
  f.get(f.param(0));
  f.get(f.param(1));
  f.op("i32x4.dot_i16x8_s");
  return module.finish();
}

function usingRelaxedSimd(): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder();
  const f = module.function(["v128"], ["v128"]);
  for (let operand = 0; operand < 3; operand++) f.get(f.param(0));
  f.op("f32x4.relaxed_madd");
  return module.finish();
}

/** Bytes that tell apart what engines make of the eighth bit of an activation, and whether they saturate. */
const DOT_BYTES = [-128, -127, -1, 0, 1, 63, 127] as const;

/** Weights of two products. */
type WeightPair = readonly [first: number, second: number];

/** The extremes of weights that leave the sum of two products with 255 within int16 (`gemm/pair-lists.ts`), and others. */
const FITTING_PAIRS: readonly WeightPair[] = [
  ...([127, 64, 8, 1, 0] as const).map((weight): WeightPair => [weight, 128 - weight]),
  ...([-128, -127, -64, -8, -1] as const).map((weight): WeightPair => [weight, -128 - weight]),
  ...([-128, -8, -1, 1, 7] as const).map((weight): WeightPair => [weight, -1 - weight]),
].filter((pair) => Math.max(...pair) <= 127);

/**
 * The relaxed dot product of bytes is fixed for 7-bit activations only. With the eighth bit engines may take them as
 * int8, take them as uint8, or saturate sums of two products; the first two are exact. Tried with all pairs of extreme
 * bytes, equal in all lanes and alternating.
 */
function probeDot(): FastFeatures["dot"] {
  const dot = dotFunction("dot");
  const equal = DOT_BYTES.map((weight): WeightPair => [weight, weight]);
  return exactFor(equal, (weights, a, b) => dot(weights, a, b) / 2);
}

/** The same for sums of two products, where these fit int16. */
function probePairs(): FastFeatures["pairs"] {
  return exactFor(FITTING_PAIRS, dotFunction("pairs"));
}

/** How `dot` reads activations, if it gives first · a + second · b for all extremes. */
function exactFor(
  weights: readonly WeightPair[],
  dot: (weights: WeightPair, a: number, b: number) => number,
): FastFeatures["dot"] {
  const isExact = (read: (byte: number) => number) =>
    weights.every((pair) =>
      DOT_BYTES.every((a) =>
        DOT_BYTES.every((b) => dot(pair, a, b) === pair[0] * read(a) + pair[1] * read(b)),
      ),
    );
  if (isExact((byte) => byte)) return "int8";
  return isExact((byte) => byte & 255) ? "uint8" : undefined;
}

/**
 * (weights, a, b) → first · a + second · b by one relaxed dot product: of two bytes, or of four, where it is twice as much.
 */
function dotFunction(sums: "pairs" | "dot"): (weights: WeightPair, a: number, b: number) => number {
  const module = new ModuleBuilder();
  const f = module.function(["i32", "i32"], ["i32"], "dot");
  for (const bytes of [0, 1]) {
    f.get(f.param(bytes));
    f.op("i16x8.splat");
  }
  if (sums === "pairs") {
    f.op("i16x8.relaxed_dot_i8x16_i7x16_s");
    f.lane("i16x8.extract_lane_s", 0);
  } else {
    f.v128(new Uint8Array(16));
    f.op("i32x4.relaxed_dot_i8x16_i7x16_add_s");
    f.lane("i32x4.extract_lane", 0);
  }
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.finish()));
  const dot = exports["dot"] as (weights: number, activations: number) => number;
  const bytesOf = (first: number, second: number) => (first & 255) | ((second & 255) << 8);
  return (weights, a, b) => dot(bytesOf(...weights), bytesOf(a, b));
}
