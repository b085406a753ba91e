/** What the engine can do, found by asking it to validate or run a tiny module; never by the host's name. */
import { ModuleBuilder } from "../../wasm/module-builder.ts";
import type { FastFeatures } from "./fast-kernel.ts";

/** Features for emitted kernels; undefined where the engine has no SIMD at all. */
export function probeFeatures(): FastFeatures | undefined {
  if (typeof WebAssembly !== "object" || !WebAssembly.validate(usingSimd())) return undefined;
  const relaxed = WebAssembly.validate(usingRelaxedSimd());
  const dot = relaxed ? probeDot() : undefined;
  const dot4 = relaxed ? probeDot4() : undefined;
  return {
    relaxed,
    ...(dot === undefined ? {} : { dot }),
    ...(dot4 === undefined ? {} : { dot4 }),
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

/**
 * The relaxed dot product of bytes is fixed for 7-bit activations only. With the eighth bit engines may take them as
 * int8, take them as uint8, or saturate sums of two products; the first two are exact. Tried with all pairs of extreme
 * bytes, equal in all lanes and alternating.
 */
function probeDot(): FastFeatures["dot"] {
  const dot = dotFunction("dot");
  return exactFor(DOT_BYTES, (weight, a, b) => dot(weight, a, b) / 2);
}

/** The same for weights of 4 bits and sums of two products, which are at most 2 · 8 · 255 and always fit int16. */
function probeDot4(): FastFeatures["dot4"] {
  return exactFor([-8, -7, -1, 0, 1, 7], dotFunction("pairs"));
}

/** How `dot` reads activations, if it gives weight · (a + b) for all extremes. */
function exactFor(
  weights: readonly number[],
  dot: (weight: number, a: number, b: number) => number,
): FastFeatures["dot"] {
  const isExact = (read: (byte: number) => number) =>
    weights.every((weight) =>
      DOT_BYTES.every((a) =>
        DOT_BYTES.every((b) => dot(weight, a, b) === weight * (read(a) + read(b))),
      ),
    );
  if (isExact((byte) => byte)) return "int8";
  return isExact((byte) => byte & 255) ? "uint8" : undefined;
}

/**
 * (weight, a, b) → weight · a + weight · b by one relaxed dot product: of two bytes, or of four, where it is twice as much.
 */
function dotFunction(sums: "pairs" | "dot"): (weight: number, a: number, b: number) => number {
  const module = new ModuleBuilder();
  const f = module.function(["i32", "i32", "i32"], ["i32"], "dot");
  f.get(f.param(0));
  f.op("i8x16.splat");
  f.get(f.param(1));
  f.i32(255);
  f.op("i32.and");
  f.get(f.param(2));
  f.i32(8);
  f.op("i32.shl");
  f.op("i32.or");
  f.op("i16x8.splat");
  if (sums === "pairs") {
    f.op("i16x8.relaxed_dot_i8x16_i7x16_s");
    f.lane("i16x8.extract_lane_s", 0);
  } else {
    f.v128(new Uint8Array(16));
    f.op("i32x4.relaxed_dot_i8x16_i7x16_add_s");
    f.lane("i32x4.extract_lane", 0);
  }
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.finish()));
  return exports["dot"] as (weight: number, a: number, b: number) => number;
}
