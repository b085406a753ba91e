/**
 * Which constants a mode may touch, by name or by operator. A pattern is either `op:NAME`, an operator type as the
 * schema spells it (`op:FULLY_CONNECTED`), or a regular expression that is searched for in the constant's name and in
 * the names of the operator's outputs.
 */
import { UsageError } from "../base/errors.ts";
import { BUILTIN_OPERATOR } from "../formats/tflite/schema.gen.ts";
import type { FloatConstant } from "./constants.ts";
import { excluded, NOT_INCLUDED } from "./keep-reason.ts";
import type { OperatorContext } from "./policy.ts";
import type { Selection } from "./weight-policy.ts";

/** What turns a pattern into the name of an operator type. */
export const OPERATOR_PREFIX = "op:";

interface Pattern {
  readonly text: string;
  matches(context: OperatorContext, constant: FloatConstant): boolean;
}

/** A selection that remembers which of its patterns ever matched. */
export interface PatternSelection {
  readonly select: Selection;
  /** Patterns that matched nothing so far. */
  unmatched(): readonly string[];
}

/**
 * Leaves alone what a pattern of `exclude` matches and, where `include` has patterns, what none of those does.
 *
 * @throws {UsageError} for an operator type that does not exist or a malformed regular expression
 */
export function selectByPattern(
  include: readonly string[],
  exclude: readonly string[],
): PatternSelection {
  const included = include.map((text) => parsePattern(text, "include"));
  const barred = exclude.map((text) => parsePattern(text, "exclude"));
  const matched = new Set<Pattern>();
  const firstMatch = (patterns: readonly Pattern[], ...use: Parameters<Pattern["matches"]>) => {
    const hits = patterns.filter((pattern) => pattern.matches(...use));
    for (const pattern of hits) matched.add(pattern);
    return hits[0];
  };
  return {
    select(context, constant) {
      const wanted = firstMatch(included, context, constant);
      const bar = firstMatch(barred, context, constant);
      if (bar !== undefined) return excluded(bar.text);
      return included.length > 0 && wanted === undefined ? NOT_INCLUDED : undefined;
    },
    unmatched: () =>
      [...included, ...barred]
        .filter((pattern) => !matched.has(pattern))
        .map((pattern) => pattern.text),
  };
}

function parsePattern(text: string, option: string): Pattern {
  if (text.startsWith(OPERATOR_PREFIX)) {
    const wanted = text.slice(OPERATOR_PREFIX.length).toUpperCase();
    if (!(BUILTIN_OPERATOR as readonly string[]).includes(wanted)) {
      throw new UsageError({
        where: `option ${option}`,
        found: `the operator type "${wanted}"`,
        expected: "a TensorFlow Lite operator such as FULLY_CONNECTED",
        option,
      });
    }
    return { text, matches: ({ operator }) => operator.op === wanted };
  }
  const expression = parseExpression(text, `option ${option}`, option);
  return {
    text,
    matches: ({ scope }, { tensor }) => expression.test(tensor.name) || expression.test(scope),
  };
}

function parseExpression(text: string, where: string, option: string): RegExp {
  try {
    return new RegExp(text);
  } catch (cause) {
    throw new UsageError({
      where,
      found: `the pattern "${text}"`,
      expected: "a regular expression",
      option,
      cause,
    });
  }
}
