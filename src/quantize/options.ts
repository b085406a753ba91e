/** What callers ask for, and the policy that comes of it. */
import { UsageError } from "../base/errors.ts";
import type { Policy } from "./policy.ts";
import { type PatternSelection, selectByPattern } from "./selection.ts";
import type { Progress } from "./store.ts";
import { DEFAULT_MIN_ELEMENTS, float16Policy, r113Policy, weightPolicy } from "./weight-policy.ts";

/** The modes that need no data: what happens to weights only. */
export const WEIGHT_MODES = ["dynamic_range", "weight_only", "float16"] as const;
export type WeightMode = (typeof WEIGHT_MODES)[number];

export interface QuantizeOptions {
  /**
   * "dynamic_range": int8 weights that kernels multiply with activations quantized on the fly.
   * "weight_only": int8 weights that DEQUANTIZE turns into floats, once, before anything runs.
   * "float16": all float constants as half floats, with DEQUANTIZE.
   */
  readonly mode: WeightMode;
  /** One scale per tensor instead of one per channel. */
  readonly perTensor?: boolean;
  /** Weights with fewer elements stay float; 1024 by default. float16 takes all. */
  readonly minElements?: number;
  /** Only constants that one of these patterns matches: `op:TYPE`, or a regular expression for names. */
  readonly include?: readonly string[];
  /** No constant that one of these patterns matches. */
  readonly exclude?: readonly string[];
  /** Whether hybrid operators quantize activations asymmetrically; true by default, as in the official converter. */
  readonly asymmetricInputs?: boolean;
  /** Weights as TensorFlow 1.13 made them: per tensor, and its list of operators. Needs mode "dynamic_range". */
  readonly legacy?: "r1.13";
  readonly onProgress?: Progress;
}

/** A policy, and the patterns to be asked afterwards whether they ever matched. */
export interface ResolvedOptions {
  readonly policy: Policy;
  readonly selection: PatternSelection;
}

/** @throws {UsageError} when options contradict each other or make no sense */
export function resolveOptions(options: QuantizeOptions): ResolvedOptions {
  const { mode, legacy } = options;
  if (!WEIGHT_MODES.includes(mode)) {
    throw usage("mode", `"${mode}"`, `one of ${WEIGHT_MODES.join(", ")}`);
  }
  const minElements = options.minElements ?? DEFAULT_MIN_ELEMENTS;
  if (!Number.isInteger(minElements) || minElements < 0) {
    throw usage("minElements", String(minElements), "a whole number of elements");
  }
  if (legacy !== undefined && legacy !== "r1.13") throw usage("legacy", `"${legacy}"`, '"r1.13"');
  if (legacy !== undefined && mode !== "dynamic_range") {
    throw usage("legacy", `"${legacy}" in mode ${mode}`, "mode dynamic_range");
  }
  const selection = selectByPattern(options.include ?? [], options.exclude ?? []);
  return { policy: policyOf(options, minElements, selection), selection };
}

function policyOf(
  { mode, legacy, perTensor, asymmetricInputs }: QuantizeOptions,
  minElements: number,
  { select }: PatternSelection,
): Policy {
  if (mode === "float16") return float16Policy(select);
  if (legacy === "r1.13") return r113Policy({ minElements, select });
  return weightPolicy({
    weightOnly: mode === "weight_only",
    dtype: "int8",
    granularity: perTensor === true ? "tensor" : "channel",
    method: "min_max",
    minElements,
    asymmetricInputs: asymmetricInputs ?? true,
    select,
  });
}

function usage(option: string, found: string, expected: string): UsageError {
  return new UsageError({ where: `option ${option}`, found, expected, option });
}
