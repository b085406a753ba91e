/** Why a constant stayed float: a code for programs, a sentence for people. */

import type { Operator } from "../model/ir.ts";
import { operandAt, operatorInfo } from "../model/op-table.ts";

export type KeepCode =
  | "too_small"
  | "not_a_weight"
  | "operator_not_supported"
  | "excluded"
  | "not_included"
  | "no_recipe_entry"
  | "recipe_says_float"
  | "shared"
  | "companion_stays_float"
  | "infinite_values"
  | "sparse"
  | "graph_boundary"
  | "unused";

export interface KeepReason {
  readonly code: KeepCode;
  readonly text: string;
}

export function tooSmall(elements: number, minimum: number): KeepReason {
  return { code: "too_small", text: `${elements} elements are fewer than ${minimum}` };
}

export function notAWeight({ op, options }: Operator, operand: number): KeepReason {
  const inputs = operatorInfo(op, options)?.inputs ?? [];
  const name = operandAt(inputs, operand)?.name ?? `operand ${operand}`;
  return { code: "not_a_weight", text: `${name} of ${op} is no weight` };
}

export function operatorNotSupported(op: string): KeepReason {
  return { code: "operator_not_supported", text: `${op} has no weights that this mode quantizes` };
}

export function excluded(pattern: string): KeepReason {
  return { code: "excluded", text: `excluded by "${pattern}"` };
}

export const NOT_INCLUDED: KeepReason = {
  code: "not_included",
  text: "no pattern includes it",
};

export function noRecipeEntry(recipe: string): KeepReason {
  return { code: "no_recipe_entry", text: `no entry of ${recipe} fits its operator` };
}

export function recipeSaysFloat(recipe: string, position: number): KeepReason {
  return { code: "recipe_says_float", text: `entry ${position + 1} of ${recipe} leaves it alone` };
}

export const SHARED: KeepReason = {
  code: "shared",
  text: "several operands read it, and TensorFlow 1.13 leaves shared weights float",
};

export function companionStaysFloat(op: string, name: string, because: string): KeepReason {
  return {
    code: "companion_stays_float",
    text: `${op} wants all of its weights in one type, and "${name}" stays float: ${because}`,
  };
}

export function infiniteValues(count: number): KeepReason {
  return {
    code: "infinite_values",
    text: `${count} of its values ${count === 1 ? "is" : "are"} infinite, for which no scale exists`,
  };
}

export const SPARSE: KeepReason = {
  code: "sparse",
  text: "it is stored as a sparse tensor",
};

export const GRAPH_BOUNDARY: KeepReason = {
  code: "graph_boundary",
  text: "it is an input or output of the graph itself",
};

export const UNUSED: KeepReason = { code: "unused", text: "no operator reads it" };
