/**
 * Emits a depthwise convolution of an image that has to be prepared: floats are quantized, bytes and int16 widened, and
 * where the depth multiplier is not 1 each channel is repeated. A call works off the steps of a part of the output rows
 * (`plan-strips.ts`); preparation and convolution are one function, as emitted functions must not call each other
 * (`runtime/compile.ts`).
 */
import type { FunctionBuilder, Local } from "../../../wasm/function-builder.ts";
import type { ModuleBuilder } from "../../../wasm/module-builder.ts";
import { emitQuantizeOf } from "../activations/emit-quantize.ts";
import { emitWidenOf, emitWordsOf } from "../activations/emit-widen.ts";
import { emitAddTo, emitCopy, emitCountdown, emitLoads } from "../emit-basics.ts";
import { emitRepeat } from "../moves/emit-repeat.ts";
import { beginDepthwise, type DepthwiseGeometry, depthwiseName } from "./emit-depthwise.ts";
import { STEP_BYTES } from "./strip-records.ts";

export interface StripGeometry extends DepthwiseGeometry {
  /** Whether channels are repeated; f32 is not prepared otherwise. */
  readonly repeats: boolean;
}

/** Export name of the function. */
export function stripsName(g: StripGeometry): string {
  return `${depthwiseName(g)}-strips${g.repeats ? "-repeated" : ""}`;
}

/** Addresses in bytes: those of a part of the output rows, then what all parts share. */
export type StripsFunction = (
  steps: number,
  stepCount: number,
  innerRecords: number,
  edgeRecords: number,
  /** Room for the elements of a step, prepared and not yet repeated. */
  staged: number,
  channels: number,
  columns: number,
  /** As in `DepthwiseFunction`. */
  parameter: number,
  low: number,
  high: number,
  /** How often each channel is repeated. */
  times: number,
  /** qd8: inverse, low and high of `QuantizeFunction`; qs8, qu8: zero point of the input. */
  first: number,
  second: number,
  third: number,
) => void;

const [I32, F32] = ["i32", "f32"] as const;
const PARAMS = [
  ...[I32, I32, I32, I32, I32, I32, I32],
  ...[F32, F32, F32, I32, F32, F32, F32],
] as const;

/** Elements that are prepared, and where they go. */
type Walk = Readonly<Record<"source" | "count" | "target", Local>>;

/** Adds the function of a geometry to `module`. */
export function emitStrips(module: ModuleBuilder, geometry: StripGeometry): void {
  const f = module.function(PARAMS, [], stripsName(geometry));
  const param = (index: number) => f.param(index);
  const [steps, stepCount] = [param(0), param(1)];
  const inner = { next: param(2), left: f.local("i32") };
  const edge = { next: param(3), left: f.local("i32") };
  const convolve = beginDepthwise(f, geometry, {
    ...{ inner, edge, channels: param(5), columns: param(6) },
    ...{ parameter: param(7), low: param(8), high: param(9) },
  });
  const prepare = beginPreparation(f, geometry, [param(11), param(12), param(13)]);
  const walk = { source: f.local("i32"), count: f.local("i32"), target: f.local("i32") };
  emitCountdown(f, stepCount, 1, () => {
    emitLoads(f, steps, [walk.source, walk.count, walk.target, inner.left, edge.left]);
    if (geometry.repeats) emitRepeated(f, walk, { staged: param(4), times: param(10) }, prepare);
    else prepare?.(walk);
    convolve();
    emitAddTo(f, steps, STEP_BYTES);
  });
}

/** Emits what is done once in a function, and returns what prepares elements; undefined where they are ready. */
function beginPreparation(
  f: FunctionBuilder,
  { data, relaxed }: StripGeometry,
  [first, second, third]: readonly [Local, Local, Local],
): ((walk: Walk) => void) | undefined {
  switch (data) {
    case "f32":
      return undefined;
    case "qd8": {
      const numbers = { inverse: first, low: second, high: third, stored: f.local("i32") };
      return (walk) => emitQuantizeOf(f, { storage: "float32", relaxed }, { ...walk, ...numbers });
    }
    case "qs8":
    case "qu8": {
      const zeroPoint = f.local("i32");
      f.get(first);
      f.op("i32.trunc_sat_f32_s");
      f.set(zeroPoint);
      const from = data === "qs8" ? "int8" : "uint8";
      return (walk) => emitWidenOf(f, from, "float32", { ...walk, zeroPoint });
    }
    case "qi16":
      return (walk) => emitWordsOf(f, walk);
  }
}

/** Prepares elements beside the ring, and from there repeats them into it. */
function emitRepeated(
  f: FunctionBuilder,
  { source, count, target }: Walk,
  { staged, times }: Readonly<Record<"staged" | "times", Local>>,
  prepare: ((walk: Walk) => void) | undefined,
): void {
  if (prepare === undefined) {
    emitRepeat(f, { source, count, out: target, times });
    return;
  }
  const [left, at] = [f.local("i32"), f.local("i32")];
  emitCopy(f, count, left);
  emitCopy(f, staged, at);
  prepare({ source, count: left, target: at });
  emitCopy(f, staged, at);
  emitRepeat(f, { source: at, count, out: target, times });
}
