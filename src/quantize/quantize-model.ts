/** The weight modes from beginning to end: plan, store, rewrite, and say what happened. */
import { type Model, residentBuffer } from "../model/ir.ts";
import { verifyModel } from "../model/verify.ts";
import { withVersions } from "../model/versions.ts";
import { type QuantizeOptions, resolveOptions } from "./options.ts";
import { planModel, type SubgraphPlan } from "./plan.ts";
import type { Policy } from "./policy.ts";
import { type QuantizationReport, reportOf } from "./report.ts";
import { rewriteModel } from "./rewrite.ts";
import { type Progress, WeightStore } from "./store.ts";

export interface QuantizationResult {
  readonly model: Model;
  readonly report: QuantizationReport;
}

/**
 * Quantizes the weights of a model as `options.mode` says. The model given is not changed; the one returned shares
 * with it whatever stayed as it was. With the default options the stored integers, scales and operator versions are
 * those of the TensorFlow 2.21 converter. A model that is quantized already comes back as it is.
 *
 * @throws {UsageError} for options that contradict each other
 * @throws {QuantizeError} when a constant's data is not as long as its shape says
 */
export async function quantizeModel(
  model: Model,
  options: QuantizeOptions,
): Promise<QuantizationResult> {
  const { policy, diagnose } = resolveOptions(options);
  const store = new WeightStore(model);
  const plans = await planAndStore(model, policy, store, options.onProgress);
  const changed = plans.some(({ constants }) => constants.some(({ forms }) => forms.length > 0));
  const quantized = changed ? finish(rewriteModel(model, plans, store), options) : model;
  const mode = options.recipe === undefined ? options.mode : "recipe";
  return {
    model: quantized,
    report: reportOf(mode, model, quantized, plans, store, diagnose()),
  };
}

/** Data can turn out to be unfit (infinities): then the model is planned again with that known. */
async function planAndStore(
  model: Model,
  policy: Policy,
  store: WeightStore,
  progress: Progress | undefined,
): Promise<SubgraphPlan[]> {
  for (;;) {
    const plans = planModel(model, policy, (constant) => store.obstacleOf(constant));
    if (await store.storeAll(plans, progress)) return plans;
  }
}

function finish(model: Model, { mode }: QuantizeOptions): Model {
  const marked = mode === "float16" ? withReducedPrecision(model) : model;
  const finished = withVersions(marked);
  verifyModel(finished);
  return finished;
}

const REDUCED_PRECISION_KEY = "reduced_precision_support";
/** Half-float constants, single-precision accumulation. */
const REDUCED_PRECISION_VALUE = "fp16accfp32";

/** Tells delegates that the model tolerates half-float arithmetic. */
function withReducedPrecision(model: Model): Model {
  if (model.metadata.some(({ name }) => name === REDUCED_PRECISION_KEY)) return model;
  return {
    ...model,
    buffers: [...model.buffers, residentBuffer(new TextEncoder().encode(REDUCED_PRECISION_VALUE))],
    metadata: [...model.metadata, { name: REDUCED_PRECISION_KEY, buffer: model.buffers.length }],
  };
}
