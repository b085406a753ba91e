/**
 * While, If, Case and calls that stay calls: their functions become graphs of their own. Handles of variables and tables are not passed as
 * operands; a body that reads one gets the constant, or the handle, inside.
 */
import type { DType } from "../base/dtype.ts";
import { toDType } from "../formats/tensorflow/data-type.ts";
import type {
  ArgDef,
  FunctionDef,
  NameAttrList,
  NodeDef,
} from "../formats/tensorflow/graph-messages.ts";
import type { Attr, Graph } from "../graph/ir.ts";
import { toAttr } from "./attr-values.ts";
import { compositeTags } from "./composites.ts";
import { type BuildContext, type InputPlan, nodeError, type OutputPlan } from "./graph-plan.ts";
import { argumentLengths, type Binding, functionScope, type Scope, whereIs } from "./scope.ts";

/** What building the functions of a node found out. */
export interface Branch {
  /** Per operand: whether it is left out. */
  readonly handles: readonly boolean[];
  /** Per element of the operand types: whether it stays. */
  readonly keptTypes: readonly boolean[];
  /** Attribute name to keys in `Graph.functions`. */
  readonly functions: ReadonlyMap<string, readonly string[]>;
  readonly isLoop: boolean;
  /** What the function of a call says of itself. */
  readonly tags: ReadonlyMap<string, Attr>;
  readonly outputCount: number;
}

const FUNCTION_ATTRS: ReadonlyMap<string, readonly string[]> = new Map([
  ["While", ["cond", "body"]],
  ["StatelessWhile", ["cond", "body"]],
  ["If", ["then_branch", "else_branch"]],
  ["StatelessIf", ["then_branch", "else_branch"]],
  ["Case", ["branches"]],
  ["StatelessCase", ["branches"]],
]);
const CALL_ATTRS = ["f"] as const;

type BuildGraph = (inputs: readonly InputPlan[], outputs: readonly OutputPlan[]) => Graph;

/** Builds the functions of such a node into `functions`; undefined for every other node. */
export function buildBranch(
  context: BuildContext,
  functions: Map<string, Graph>,
  scope: Scope,
  node: NodeDef,
  name: string,
  build: BuildGraph,
): Branch | undefined {
  const isCall = context.resolver.isComposite(node);
  const attrNames = isCall ? CALL_ATTRS : FUNCTION_ATTRS.get(node.op);
  if (attrNames === undefined) return undefined;
  const isLoop = attrNames[0] === "cond";
  const handleOperands = context.resolver.handleOperands(node);
  const operands = node.input.filter((input) => !input.startsWith("^"));
  const hasPredicate = !isLoop && !isCall;
  const passed = hasPredicate ? operands.slice(1) : operands;
  if (passed.length !== handleOperands.length) {
    const found = `${passed.length} operands for ${handleOperands.length} types`;
    throw nodeError(scope, node, found);
  }
  const built = new Map<string, readonly string[]>();
  let tags: ReadonlyMap<string, Attr> = new Map();
  let results = 0;
  for (const attrName of attrNames) {
    const keys: string[] = [];
    for (const callee of calleesOf(scope, node, attrName)) {
      const role = `${whereIs(scope, node)}, ${attrName}`;
      const definition = context.resolver.definition(callee.name, role);
      if (isCall) tags = compositeTags(definition);
      const body = bindBody(scope, definition, callee, passed, handleOperands);
      const leftOut = isLoop && attrName === "body" ? handleOperands : [];
      const graph = build(body.inputs, bodyOutputs(context, body, leftOut));
      const key = uniqueKey(functions, callee.name, name);
      functions.set(key, graph);
      keys.push(key);
      if (attrName !== "cond") results = graph.outputs.length;
    }
    built.set(attrName, keys);
  }
  return {
    handles: hasPredicate ? [false, ...handleOperands] : handleOperands,
    keptTypes: handleOperands.map((handle) => !handle),
    functions: built,
    isLoop,
    tags,
    outputCount: results,
  };
}

/** Attributes with the graph's own function names and without what handles had in the lists. */
export function functionAttrs(
  attrs: Map<string, Attr>,
  branch: Branch | undefined,
): ReadonlyMap<string, Attr> {
  if (branch === undefined) {
    // Functions of any other operation stay outside the graph: all that is left of them is the name.
    for (const [name, attr] of attrs) {
      if (attr.kind === "func") attrs.set(name, { kind: "string", value: attr.value });
    }
    return attrs;
  }
  for (const [name, keys] of branch.functions) {
    const items = keys.map((value): Attr => ({ kind: "func", value }));
    attrs.set(name, name === "branches" ? { kind: "list", value: items } : items[0]!);
  }
  for (const [name, tag] of branch.tags) attrs.set(name, tag);
  const lists = branch.isLoop ? ["T", "output_shapes"] : ["Tin"];
  for (const name of lists) {
    const list = attrs.get(name);
    if (list?.kind !== "list" || list.value.length !== branch.keptTypes.length) continue;
    attrs.set(name, { kind: "list", value: list.value.filter((_, i) => branch.keptTypes[i]) });
  }
  return attrs;
}

interface Body {
  readonly scope: Scope;
  readonly inputs: readonly InputPlan[];
  readonly outputNames: readonly string[];
}

function calleesOf(scope: Scope, node: NodeDef, attrName: string): NameAttrList[] {
  const attr = node.attr.get(attrName);
  if (attr?.kind === "func") return [attr.value];
  if (attr?.kind === "list" && attr.value.func.length > 0) return attr.value.func;
  throw nodeError(scope, node, `no function in attribute "${attrName}"`);
}

/** A scope for the function in which handles lead outside and every other argument is an input. */
function bindBody(
  scope: Scope,
  definition: FunctionDef,
  callee: NameAttrList,
  passed: readonly string[],
  handles: readonly boolean[],
): Body {
  const inputs: InputPlan[] = [];
  const bindings: Binding[] = [];
  const types = argumentTypes(definition, callee);
  for (const [i, { name, dtype }] of types.entries()) {
    if (handles[i] === true) {
      bindings.push({ kind: "value", scope, input: passed[i]! });
      continue;
    }
    bindings.push({ kind: "input", name });
    inputs.push({
      key: name,
      tensorName: name,
      node: name,
      dtype,
      signatureShape: undefined,
      shape: undefined,
    });
  }
  const inner = functionScope(definition, bindings, "", callee.attr, scope.depth + 1);
  const outputNames = definition.signature.output_arg.map(({ name }) => name);
  return { scope: inner, inputs, outputNames };
}

function argumentTypes(
  definition: FunctionDef,
  callee: NameAttrList,
): { name: string; dtype: DType }[] {
  const where = `function "${definition.signature.name}"`;
  const lengths = argumentLengths(definition, callee.attr);
  return definition.signature.input_arg.flatMap((arg, i) => {
    const length = lengths[i]!;
    return Array.from({ length }, (_, k) => {
      const name = length === 1 ? arg.name : `${arg.name}_${k}`;
      return { name, dtype: argumentType(arg, k, callee, where) };
    });
  });
}

function argumentType(arg: ArgDef, index: number, callee: NameAttrList, where: string): DType {
  const attrName = arg.type_attr === "" ? arg.type_list_attr : arg.type_attr;
  if (attrName === "") return toDType(arg.type, where);
  const message = callee.attr.get(attrName);
  const attr = message && toAttr(message, where);
  const type = attr?.kind === "list" ? attr.value[index] : attr;
  return type?.kind === "type" ? type.value : toDType(0, where);
}

/** Results of a loop's body in the order of its operands, without the handles. */
function bodyOutputs(
  { resolver }: BuildContext,
  { scope, outputNames }: Body,
  leftOut: readonly boolean[],
): OutputPlan[] {
  const outputs: OutputPlan[] = [];
  for (const [i, input] of scope.returns.entries()) {
    const key = outputNames[i]!;
    const value = leftOut[i] === true ? undefined : resolver.resolve(scope, input);
    if (value !== undefined) outputs.push({ key, tensorName: key, value });
  }
  return outputs;
}

/** A function used by several loops has one graph for each, because each may read other variables. */
function uniqueKey(functions: ReadonlyMap<string, Graph>, wanted: string, owner: string): string {
  return functions.has(wanted) ? `${owner}/${wanted}` : wanted;
}
