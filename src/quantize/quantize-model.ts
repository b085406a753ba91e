/** The weight modes from beginning to end: plan, store, rewrite, and say what happened. */
import { type Model, residentBuffer } from "../model/ir.ts";
import { verifyModel } from "../model/verify.ts";
import { withVersions } from "../model/versions.ts";
import { type QuantizeOptions, resolveOptions } from "./options.ts";
import { planModel, type SubgraphPlan } from "./plan.ts";
import type { Policy } from "./policy.ts";
import { correctBiases } from "./repair/correct-biases.ts";
import { equalizeModel } from "./repair/equalize.ts";
import { replaceBuffers } from "./replace-buffers.ts";
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
 * @throws {GraphError} when the model breaks its own rules, such as data that is not as long as its shape says
 */
export async function quantizeModel(
  model: Model,
  options: QuantizeOptions,
): Promise<QuantizationResult> {
  const { policy, diagnose } = resolveOptions(options);
  verifyModel(model);
  const { model: equalized, links } =
    options.equalize === true ? await equalizeModel(model) : { model, links: 0 };
  const store = new WeightStore(equalized);
  const plans = await planAndStore(equalized, policy, store, options.onProgress);
  const { model: planned, corrected } =
    options.correctBiases === true
      ? await correctBiases(equalized, plans, store)
      : { model: equalized, corrected: 0 };
  const changed = plans.some(({ constants }) => constants.some(({ forms }) => forms.length > 0));
  const after = changed ? finish(rewriteModel(planned, plans, store), model, options) : model;
  const report = reportOf({
    mode: options.recipe === undefined ? options.mode : "recipe",
    before: model,
    planned,
    after,
    plans,
    store,
    repairs: { equalizedPairs: changed ? links : 0, correctedBiases: corrected },
    diagnostics: diagnose(),
  });
  return { model: after, report };
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

function finish(model: Model, before: Model, { mode, recipe }: QuantizeOptions): Model {
  const halves = mode === "float16" && recipe === undefined;
  const marked = halves ? withReducedPrecision(model) : model;
  const finished = withVersions(replaceBuffers(marked, before));
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
