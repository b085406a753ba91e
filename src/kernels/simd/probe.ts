/** What the engine can do, found by asking it to validate a tiny module; never by the host's name. */
import { ModuleBuilder } from "../../wasm/module-builder.ts";
import type { FastFeatures } from "./fast-kernel.ts";

/** Features for emitted kernels; undefined where the engine has no SIMD at all. */
export function probeFeatures(): FastFeatures | undefined {
  if (typeof WebAssembly !== "object" || !WebAssembly.validate(usingSimd())) return undefined;
  return { relaxed: WebAssembly.validate(usingRelaxedSimd()) };
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
