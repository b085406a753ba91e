/** Obeys a recipe: for every operator, the last entry that fits it and that the default policy allows. */
import type { Diagnostic } from "../../base/errors.ts";
import { noRecipeEntry, recipeSaysFloat } from "../keep-reason.ts";
import { keepConstants, type OperatorContext, type Policy } from "../policy.ts";
import { weightPolicy } from "../weight-policy.ts";
import type { Recipe, RecipeConfig, RecipeEntry } from "./recipe.ts";

/** A policy that remembers which entries ever matched an operator. */
export interface RecipePolicy {
  readonly policy: Policy;
  /** Remarks on entries that matched nothing, once the model has been planned. */
  diagnose(): readonly Diagnostic[];
}

/** Settings that recipes have no word for. */
export interface RecipeDefaults {
  readonly asymmetricInputs: boolean;
}

export function recipePolicy(recipe: Recipe, { asymmetricInputs }: RecipeDefaults): RecipePolicy {
  const matched = new Set<RecipeEntry>();
  const nothingBars = () => undefined;
  const policy: Policy = (context) => {
    const fitting = recipe.entries.filter((entry) => fits(entry, context));
    for (const entry of fitting) matched.add(entry);
    const entry = fitting.findLast(({ config }) => isAllowed(context, config));
    if (entry === undefined)
      return { operands: keepConstants(context, noRecipeEntry(recipe.name)) };
    const { config, position } = entry;
    if (config === undefined) {
      return { operands: keepConstants(context, recipeSaysFloat(recipe.name, position)) };
    }
    return weightPolicy({ ...config, asymmetricInputs, select: nothingBars })(context);
  };
  return {
    policy,
    diagnose: () =>
      recipe.entries
        .filter((entry) => !matched.has(entry) && !MATCHES_ALL.has(entry.regex.source))
        .map((entry) => unmatched(recipe, entry)),
  };
}

/** Expressions that say nothing: that a model lacks an operator type is no mistake of theirs. */
const MATCHES_ALL: ReadonlySet<string> = new Set([".*", "(?:)"]);

function fits({ regex, operation }: RecipeEntry, { operator, scope }: OperatorContext): boolean {
  return (operation === "*" || operation === operator.op) && regex.test(scope);
}

function unmatched({ name }: Recipe, { position, regex, operation }: RecipeEntry): Diagnostic {
  return {
    id: "recipe-entry-without-match",
    text: `Entry ${position + 1} of ${name} (${operation}, "${regex.source}") matches no operator.`,
  };
}

const EIGHT_BITS: ReadonlySet<string> = new Set([
  "BATCH_MATMUL",
  "CONV_2D",
  "DEPTHWISE_CONV_2D",
  "EMBEDDING_LOOKUP",
  "FULLY_CONNECTED",
  "TRANSPOSE_CONV",
]);
const FOUR_BITS: ReadonlySet<string> = new Set(["CONV_2D", "EMBEDDING_LOOKUP", "FULLY_CONNECTED"]);
const FOUR_BITS_WEIGHT_ONLY: ReadonlySet<string> = new Set([...FOUR_BITS, "BATCH_MATMUL"]);
const FOUR_BIT_BLOCKS: ReadonlySet<string> = new Set(["EMBEDDING_LOOKUP", "FULLY_CONNECTED"]);
const HALF_FLOATS: ReadonlySet<string> = new Set(
  [...EIGHT_BITS].filter((op) => op !== "BATCH_MATMUL"),
);

/** The default policy of ai-edge-quantizer (default_policy.py): which operators may have which configuration. */
function isAllowed({ operator }: OperatorContext, config: RecipeConfig | undefined): boolean {
  if (config === undefined || config.skipChecks) return true;
  const { dtype, granularity, weightOnly } = config;
  if (dtype === "float16") return HALF_FLOATS.has(operator.op);
  if (dtype === "int8") return EIGHT_BITS.has(operator.op);
  if (typeof granularity === "number") return !weightOnly && FOUR_BIT_BLOCKS.has(operator.op);
  return (weightOnly ? FOUR_BITS_WEIGHT_ONLY : FOUR_BITS).has(operator.op);
}
