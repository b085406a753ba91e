/**
 * Where a node lives: in the main graph or in one call of a function. A scope knows its nodes by name, what its
 * arguments stand for, and the prefix under which its nodes appear in the flat graph. Scopes are made when a value in
 * them is asked for, so that code which nothing uses costs nothing.
 */
import { FormatError, GraphError } from "../base/errors.ts";
import type {
  ArgDef,
  AttrMap,
  FunctionDef,
  GraphDef,
  NodeDef,
} from "../formats/tensorflow/graph-messages.ts";
import { argLength } from "../graph/op-table.ts";
import { toAttr } from "./attr-values.ts";

/** What an argument of a function stands for. */
export type Binding =
  /** The value that the caller passes under this input string. */
  | { readonly kind: "value"; readonly scope: Scope; readonly input: string }
  /** An input of the graph that is being built. */
  | { readonly kind: "input"; readonly name: string };

export interface Scope {
  /** Function name, or "" for the main graph. */
  readonly name: string;
  /** Prefix of node names: "" or "call/inner/". */
  readonly path: string;
  readonly isFunction: boolean;
  readonly nodes: ReadonlyMap<string, NodeDef>;
  /** Flat arguments of a function by argument name. */
  readonly args: ReadonlyMap<string, readonly Binding[]>;
  /** Output name to input string. */
  readonly returns: readonly string[];
  /** Nodes that a function runs for what they do, not for a value. */
  readonly effects: readonly string[];
  /** Attributes that the caller passes to a polymorphic function. */
  readonly attrs: AttrMap;
  /** Number of calls around it. */
  readonly depth: number;
}

/** An input string taken apart. `argument` is the output argument's name in function bodies. */
export interface InputName {
  readonly node: string;
  readonly argument: string | undefined;
  readonly index: number;
}

/** Deepest nesting of calls; real models stay below ten. */
export const MAX_CALL_DEPTH = 64;

/** The scope of a graph's own nodes. */
export function mainScope(graph: GraphDef): Scope {
  return {
    name: "",
    path: "",
    isFunction: false,
    nodes: nodesByName(graph.node, "the graph"),
    args: new Map(),
    returns: [],
    effects: [],
    attrs: new Map(),
    depth: 0,
  };
}

/** The scope of one call of `definition`; `bindings` are the flat arguments. */
export function functionScope(
  definition: FunctionDef,
  bindings: readonly Binding[],
  path: string,
  attrs: AttrMap,
  depth: number,
): Scope {
  const name = definition.signature.name;
  if (depth > MAX_CALL_DEPTH) {
    throw new GraphError({
      where: `function "${name}"`,
      found: `calls nested more than ${MAX_CALL_DEPTH} deep`,
      expected: "a program without recursion",
      node: path,
    });
  }
  return {
    name,
    path,
    isFunction: true,
    nodes: nodesByName(definition.node_def, `function "${name}"`),
    args: bindArguments(definition, bindings, attrs),
    returns: returnsOf(definition),
    effects: [...definition.control_ret.values()],
    attrs,
    depth,
  };
}

/** Number of tensors of each argument of a function, in order. */
export function argumentLengths(definition: FunctionDef, attrs: AttrMap): number[] {
  return definition.signature.input_arg.map((arg) => {
    if (arg.number_attr === "" && arg.type_list_attr === "") return 1;
    const attrName = arg.number_attr === "" ? arg.type_list_attr : arg.number_attr;
    const message = attrs.get(attrName);
    const attr = message && toAttr(message, `function "${definition.signature.name}"`);
    const length =
      attr && argLength({ name: arg.name, ...lengthAttr(arg) }, new Map([[attrName, attr]]));
    if (length === undefined || length < 0) {
      throw malformed(definition, `argument "${arg.name}" of unknown length`);
    }
    return length;
  });
}

/** Takes `name`, `name:1`, `node:argument:1` or `^name` apart; undefined for control inputs. */
export function parseInput(
  input: string,
  isFunction: boolean,
  where: string,
): InputName | undefined {
  if (input.startsWith("^")) return undefined;
  const first = input.indexOf(":");
  if (first < 0) return { node: input, argument: undefined, index: 0 };
  const node = input.slice(0, first);
  const rest = input.slice(first + 1);
  const second = rest.indexOf(":");
  if (node === "" || rest.indexOf(":", second + 1) > second) throw badInput(input, where);
  if (second >= 0) {
    const index = parseIndex(rest.slice(second + 1), input, where);
    return { node, argument: rest.slice(0, second), index };
  }
  if (isFunction && !/^\d+$/.test(rest)) return { node, argument: rest, index: 0 };
  return { node, argument: undefined, index: parseIndex(rest, input, where) };
}

function lengthAttr(arg: ArgDef): {
  countAttr?: string;
  listAttr?: string;
} {
  return arg.number_attr === "" ? { listAttr: arg.type_list_attr } : { countAttr: arg.number_attr };
}

function parseIndex(text: string, input: string, where: string): number {
  if (!/^\d{1,6}$/.test(text)) throw badInput(input, where);
  return Number(text);
}

function badInput(input: string, where: string): FormatError {
  return new FormatError({
    format: "graph",
    where,
    found: `input "${input}"`,
    expected: "the name of a node, with an output number at most",
  });
}

function nodesByName(nodes: readonly NodeDef[], where: string): Map<string, NodeDef> {
  const byName = new Map<string, NodeDef>();
  for (const node of nodes) {
    if (byName.has(node.name)) {
      throw new GraphError({
        where,
        found: `two nodes named "${node.name}"`,
        expected: "names that are unique",
        node: node.name,
      });
    }
    byName.set(node.name, node);
  }
  return byName;
}

function bindArguments(
  definition: FunctionDef,
  bindings: readonly Binding[],
  attrs: AttrMap,
): Map<string, readonly Binding[]> {
  const lengths = argumentLengths(definition, attrs);
  const total = lengths.reduce((sum, length) => sum + length, 0);
  if (total !== bindings.length) {
    throw malformed(definition, `${bindings.length} values passed for ${total} arguments`);
  }
  const args = new Map<string, readonly Binding[]>();
  let next = 0;
  for (const [i, arg] of definition.signature.input_arg.entries()) {
    args.set(arg.name, bindings.slice(next, next + lengths[i]!));
    next += lengths[i]!;
  }
  return args;
}

function returnsOf(definition: FunctionDef): string[] {
  return definition.signature.output_arg.map(({ name }) => {
    const input = definition.ret.get(name);
    if (input === undefined) throw malformed(definition, `no value for its output "${name}"`);
    return input;
  });
}

function malformed(definition: FunctionDef, found: string): GraphError {
  const name = definition.signature.name;
  return new GraphError({ where: `function "${name}"`, found, node: name });
}

/** Names the node of an operation for messages. */
export function whereIs(scope: Scope, node: NodeDef): string {
  return `node "${scope.path}${node.name}" (${node.op})`;
}
