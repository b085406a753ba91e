/**
 * Variables that a model changes while it runs: a recurrent state, a counter. They stay variables. Here is found which
 * they are, and in which order the program reads and writes them, which data alone does not say.
 */
import { type Diagnostic, LimitError, UnsupportedError } from "../base/errors.ts";
import type { FunctionDef, NodeDef } from "../formats/tensorflow/graph-messages.ts";
import { isVariable, type Resolver } from "./resolver.ts";
import { type Scope, whereIs } from "./scope.ts";

/** A read or write of a variable that is written at all. */
export interface Access {
  readonly scope: Scope;
  readonly node: NodeDef;
  readonly variable: NodeDef;
  readonly writes: boolean;
}

const WRITES: ReadonlySet<string> = new Set([
  "AssignVariableOp",
  "AssignAddVariableOp",
  "AssignSubVariableOp",
]);
const OTHER_WRITES: ReadonlySet<string> = new Set([
  "ResourceScatterUpdate",
  "ResourceScatterAdd",
  "ResourceScatterNdUpdate",
  "ResourceStridedSliceAssign",
]);
const READS: ReadonlySet<string> = new Set([
  "ReadVariableOp",
  "ResourceGather",
  "ResourceGatherNd",
]);
const REFERENCE_WRITES: ReadonlySet<string> = new Set(["Assign", "AssignAdd", "AssignSub"]);
/** Most nodes looked at. */
const MAX_NODES = 1_000_000;

/**
 * The reads and writes of variables that are written, in the order of execution. Walks through everything that runs when
 * `outputs` (tensor names of the main graph) are computed, control inputs included.
 *
 * @throws {UnsupportedError} when a variable is written in a way or place that TensorFlow Lite has nothing for.
 */
export function findState(
  resolver: Resolver,
  outputs: readonly string[],
  diagnostics: Diagnostic[],
): Access[] {
  const walk = new Walk(resolver);
  walk.visit(resolver.program.main, outputs);
  const mutable = new Set(walk.accesses.filter(({ writes }) => writes).map((a) => a.variable));
  if (walk.ignored.length > 0) {
    diagnostics.push({
      id: "writes-ignored",
      text: `The graph writes to reference variables besides computing its outputs; that was left out: ${walk.ignored.slice(0, 4).join(", ")}.`,
    });
  }
  return walk.accesses.filter(({ variable }) => mutable.has(variable));
}

class Walk {
  readonly accesses: Access[] = [];
  readonly ignored: string[] = [];
  readonly #resolver: Resolver;
  readonly #writers = new Map<string, boolean>();
  #count = 0;

  constructor(resolver: Resolver) {
    this.#resolver = resolver;
  }

  /** Visits the nodes behind `inputs` in an order in which each follows what it depends on. */
  visit(scope: Scope, inputs: readonly string[]): void {
    const seen = new Set<NodeDef>();
    for (const input of inputs) {
      const root = this.#nodeOf(scope, input);
      if (root === undefined || seen.has(root)) continue;
      seen.add(root);
      const stack = [{ node: root, next: 0 }];
      for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
        const name = top.node.input[top.next++];
        if (name === undefined) {
          stack.pop();
          this.#leave(scope, top.node);
          continue;
        }
        const before = this.#nodeOf(scope, name);
        if (before === undefined || seen.has(before)) continue;
        seen.add(before);
        stack.push({ node: before, next: 0 });
      }
    }
  }

  #nodeOf(scope: Scope, input: string): NodeDef | undefined {
    const start = input.startsWith("^") ? 1 : 0;
    const colon = input.indexOf(":");
    const name = input.slice(start, colon < 0 ? undefined : colon);
    return scope.args.has(name) ? undefined : scope.nodes.get(name);
  }

  #leave(scope: Scope, node: NodeDef): void {
    if (++this.#count > MAX_NODES) {
      throw new LimitError({
        where: whereIs(scope, node),
        found: "functions that unfold to ever more nodes",
        expected: `at most ${MAX_NODES} nodes`,
        limit: "nodes after inlining",
        value: this.#count,
        max: MAX_NODES,
      });
    }
    const callee = this.#resolver.callee(scope, node);
    if (callee !== undefined) {
      this.visit(callee, [...callee.returns, ...callee.effects]);
      return;
    }
    if (OTHER_WRITES.has(node.op)) throw unsupported(scope, node, node.op);
    if (REFERENCE_WRITES.has(node.op)) this.ignored.push(`"${scope.path}${node.name}"`);
    this.#refuseWritesInside(scope, node);
    const writes = WRITES.has(node.op);
    if (!writes && !READS.has(node.op)) return;
    const handle = this.#resolver.resolve(scope, node.input[0] ?? "");
    if (handle?.kind !== "node" || !isVariable(handle.node)) return;
    this.accesses.push({ scope, node, variable: handle.node, writes });
  }

  /** Loops and branches run any number of times: their writes have no place in a fixed order. */
  #refuseWritesInside(scope: Scope, node: NodeDef): void {
    if (functionsOf(node).some((name) => this.#writesAnywhere(name))) {
      throw unsupported(scope, node, "variables written inside loops and branches");
    }
  }

  #writesAnywhere(name: string): boolean {
    const known = this.#writers.get(name);
    if (known !== undefined) return known;
    // Until it is known, a function that calls itself does not write.
    this.#writers.set(name, false);
    const definition = this.#resolver.program.functions.get(name);
    const writes = definition !== undefined && this.#bodyWrites(definition);
    this.#writers.set(name, writes);
    return writes;
  }

  #bodyWrites(definition: FunctionDef): boolean {
    return definition.node_def.some((node) => {
      if (WRITES.has(node.op) || OTHER_WRITES.has(node.op)) return true;
      return functionsOf(node).some((name) => this.#writesAnywhere(name));
    });
  }
}

/** Attributes that name functions: of calls, loops and branches. */
const FUNCTION_ATTRS = ["f", "cond", "body", "then_branch", "else_branch", "branches"] as const;

function functionsOf(node: NodeDef): string[] {
  return FUNCTION_ATTRS.flatMap((name) => {
    const attr = node.attr.get(name);
    if (attr?.kind === "func") return [attr.value.name];
    return attr?.kind === "list" ? attr.value.func.map((each) => each.name) : [];
  });
}

function unsupported(scope: Scope, node: NodeDef, feature: string): UnsupportedError {
  return new UnsupportedError({
    where: whereIs(scope, node),
    found: feature,
    expected: "variables that are read and assigned as a whole, outside of loops and branches",
    remedy: "Pass the state in and out as tensors instead",
    features: [feature],
  });
}
