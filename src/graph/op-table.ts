/**
 * What TensorFlow says of its operations: inputs, outputs, attributes with their defaults. The facts are rows of
 * op-defs.gen.ts, sorted by name; here they become definitions.
 */
import type { DType } from "../base/dtype.ts";
import type { Attr } from "./ir.ts";
import { OP_ROWS } from "./op-defs.gen.ts";
import type { DefaultScalar, DefaultValue, OpRow } from "./op-row.ts";

/** An input or output argument, which stands for one tensor or several. */
export interface OpArg {
  readonly name: string;
  /** An element type, or the attribute that names it. Absent where `listAttr` is there. */
  readonly type?: string;
  /** The integer attribute that says how many tensors there are. */
  readonly countAttr?: string;
  /** The attribute that lists the types, one a tensor. */
  readonly listAttr?: string;
}

export interface OpDefinition {
  readonly name: string;
  readonly inputs: readonly OpArg[];
  readonly outputs: readonly OpArg[];
  readonly defaults: ReadonlyMap<string, Attr>;
}

/** Looks an operation up; undefined for those that the table does not have. */
export function opDefinition(name: string): OpDefinition | undefined {
  const row = findRow(name);
  if (row === undefined) return undefined;
  const [, inputs, outputs, attrs] = row;
  const defaults = new Map<string, Attr>();
  for (const [attr, spec] of Object.entries(attrs)) {
    if (typeof spec !== "string") defaults.set(attr, toAttr(spec[0], spec[1]));
  }
  return { name, inputs: inputs.map(toArg), outputs: outputs.map(toArg), defaults };
}

/** Number of tensors that an argument stands for, given the node's attributes; undefined when they do not say. */
export function argLength(arg: OpArg, attrs: ReadonlyMap<string, Attr>): number | undefined {
  if (arg.countAttr !== undefined) {
    const count = attrs.get(arg.countAttr);
    return count?.kind === "int" ? count.value : undefined;
  }
  if (arg.listAttr !== undefined) {
    const types = attrs.get(arg.listAttr);
    return types?.kind === "list" ? types.value.length : undefined;
  }
  return 1;
}

function findRow(name: string): OpRow | undefined {
  let low = 0;
  let high = OP_ROWS.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (OP_ROWS[middle]![0] < name) low = middle + 1;
    else high = middle;
  }
  const row = OP_ROWS[low];
  return row?.[0] === name ? row : undefined;
}

function toArg(text: string): OpArg {
  const colon = text.indexOf(":");
  const name = text.slice(0, colon);
  const type = text.slice(colon + 1).replace("&", "");
  if (type.startsWith("[]")) return { name, listAttr: type.slice(2) };
  const star = type.indexOf("*");
  if (star < 0) return { name, type };
  return { name, type: type.slice(star + 1), countAttr: type.slice(0, star) };
}

function toAttr(type: string, value: DefaultValue): Attr {
  const element = /^list\((.*)\)$/.exec(type)?.[1];
  if (element === undefined) return toScalarAttr(type, value as DefaultScalar);
  const items = value as readonly DefaultScalar[];
  return { kind: "list", value: items.map((item) => toScalarAttr(element, item)) };
}

function toScalarAttr(type: string, value: DefaultScalar): Attr {
  switch (type) {
    case "int":
    case "float":
      return { kind: type, value: value as number };
    case "bool":
      return { kind: "bool", value: value as boolean };
    case "type":
      return { kind: "type", value: value as DType };
    case "shape":
      return { kind: "shape", value: (value as readonly number[] | null) ?? undefined };
    case "func":
      return { kind: "func", value: value as string };
    default:
      return { kind: "string", value: value as string };
  }
}
