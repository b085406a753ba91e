/**
 * Finds for each variable of a SavedModel its place in the checkpoint: first by following the model's own restore
 * operation, then the copies that Keras 3 makes of its variables, then by the object graph that TensorFlow 2 stores in
 * the checkpoint, then by the variable's name.
 */
import { FormatError } from "../base/errors.ts";
import { readObjectGraph } from "../formats/tensorflow/checkpoint-messages.ts";
import type { NodeDef } from "../formats/tensorflow/graph-messages.ts";
import type { SliceExtent } from "../formats/tensorflow/ordered-code.ts";
import { decodeTensor, type TensorRecord } from "../formats/tensorflow/tensor.ts";
import type { TensorBundle } from "../formats/tensorflow/tensor-bundle.ts";
import { takeSlice } from "../formats/tensorflow/tensor-slice.ts";
import { parseMessage } from "../formats/tensorflow/wire.ts";
import { isVariable, type NodeValue, type Resolver } from "./resolver.ts";
import type { Scope } from "./scope.ts";

/** Key in the checkpoint, and the part of the tensor there that the variable holds. */
export interface VariableSource {
  readonly key: string;
  readonly slice?: readonly SliceExtent[];
}

export type VariableSources = ReadonlyMap<NodeDef, VariableSource>;

const OBJECT_GRAPH_KEY = "_CHECKPOINTABLE_OBJECT_GRAPH";
const ASSIGNS: ReadonlySet<string> = new Set(["AssignVariableOp", "Assign"]);
/** What may stand between the restored tensor and its variable. */
const PASSES: ReadonlySet<string> = new Set(["Identity", "Reshape", "Cast"]);

/** Follows the restore operation: variable ← Assign ← RestoreV2 ← key. */
export function followRestore(resolver: Resolver, restoreOpName: string): VariableSources {
  const reader = new RestoreReader(resolver);
  const { main } = resolver.program;
  const root = main.nodes.get(restoreOpName.replace(/^\^/, "").replace(/:\d+$/, ""));
  if (root === undefined) return reader.sources;
  const queue: { scope: Scope; node: NodeDef }[] = [{ scope: main, node: root }];
  const seen = new Set<NodeDef | Scope>([root]);
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    const { scope, node } = next;
    if (ASSIGNS.has(node.op)) reader.recordAssign(scope, node);
    const callee = resolver.callee(scope, node);
    if (callee !== undefined && !seen.has(callee)) {
      seen.add(callee);
      for (const inner of callee.nodes.values()) queue.push({ scope: callee, node: inner });
    }
    if (scope !== main) continue;
    for (const input of node.input) {
      const before = main.nodes.get(input.replace(/^\^/, "").replace(/:\d+$/, ""));
      if (before === undefined || seen.has(before)) continue;
      seen.add(before);
      queue.push({ scope: main, node: before });
    }
  }
  reader.followCopies(main);
  return reader.sources;
}

/**
 * Keys by the variables' full names, from the object graph in the checkpoint; empty when there is none. A name that
 * several variables have says nothing: layers of different models may be called the same.
 */
export async function readObjectGraphKeys(bundle: TensorBundle): Promise<Map<string, string>> {
  const keys = new Map<string, string>();
  const ambiguous = new Set<string>();
  if (!bundle.has(OBJECT_GRAPH_KEY)) return keys;
  const { data } = await bundle.read(OBJECT_GRAPH_KEY);
  const bytes = data[0];
  if (!(bytes instanceof Uint8Array)) return keys;
  const where = `${bundle.name}, object graph`;
  for (const { full_name, checkpoint_key } of parseMessage(readObjectGraph, bytes, where)) {
    const known = keys.get(full_name);
    if (known !== undefined && known !== checkpoint_key) ambiguous.add(full_name);
    if (full_name !== "") keys.set(full_name, checkpoint_key);
  }
  for (const name of ambiguous) keys.delete(name);
  return keys;
}

/** Reads the values of variables. Sources and object graph keys are looked up once for all of them. */
export class VariableReader {
  readonly #bundle: TensorBundle;
  readonly #sources: VariableSources;
  #objectGraphKeys: Promise<Map<string, string>> | undefined;

  constructor(bundle: TensorBundle, sources: VariableSources) {
    this.#bundle = bundle;
    this.#sources = sources;
  }

  /** The variable's value; undefined when the checkpoint has no entry for it. */
  async read(variable: NodeDef): Promise<TensorRecord | undefined> {
    const source = await this.#sourceOf(variable);
    if (source === undefined) return undefined;
    const tensor = await this.#bundle.read(source.key);
    if (source.slice === undefined) return tensor;
    return takeSlice(tensor, source.slice, `variable "${variable.name}"`);
  }

  async #sourceOf(variable: NodeDef): Promise<VariableSource | undefined> {
    const known = this.#sources.get(variable);
    if (known !== undefined && this.#bundle.has(known.key)) return known;
    this.#objectGraphKeys ??= readObjectGraphKeys(this.#bundle);
    const byObject = await this.#objectGraphKeys;
    for (const name of namesOf(variable)) {
      const key = byObject.get(name) ?? name;
      if (this.#bundle.has(key)) return { key };
    }
    return undefined;
  }
}

/** Names by which a checkpoint may know a variable. */
function namesOf(variable: NodeDef): string[] {
  const shared = variable.attr.get("shared_name");
  const name = shared?.kind === "s" ? new TextDecoder().decode(shared.value) : "";
  return name === "" ? [variable.name] : [name, variable.name];
}

/** One walk through a restore operation: the variables found, and the constants that were decoded for them. */
class RestoreReader {
  readonly sources = new Map<NodeDef, VariableSource>();
  readonly #resolver: Resolver;
  /** Lists of all keys: as long as there are variables, and asked for by each of them. */
  readonly #strings = new Map<NodeDef, readonly string[]>();

  constructor(resolver: Resolver) {
    this.#resolver = resolver;
  }

  recordAssign(scope: Scope, assign: NodeDef): void {
    const target = followTo(this.#resolver, scope, assign.input[0], isVariable);
    const isRestore = ({ op }: NodeDef): boolean => op === "RestoreV2";
    const restore = followTo(this.#resolver, scope, assign.input[1], isRestore);
    if (target === undefined || restore === undefined || this.sources.has(target.node)) return;
    const key = this.#constantString(restore, 1);
    if (key === undefined) return;
    const slice = parseSlice(this.#constantString(restore, 2) ?? "", restore.node.name);
    this.sources.set(target.node, slice === undefined ? { key } : { key, slice });
  }

  /**
   * A variable of Keras 3 is saved twice: the model reads the one, the checkpoint restores the other, which starts with
   * the value of the first. What is restored is then the value of both.
   */
  followCopies(main: Scope): void {
    for (const assign of main.nodes.values()) {
      if (assign.op !== "AssignVariableOp") continue;
      const copy = followTo(this.#resolver, main, assign.input[0], isVariable);
      const source = copy && this.sources.get(copy.node);
      if (source === undefined) continue;
      const original = followTo(this.#resolver, main, assign.input[1], isVariable);
      if (original === undefined || this.sources.has(original.node)) continue;
      this.sources.set(original.node, source);
    }
  }

  /** Element `restore.output` of the constant string tensor at input `operand` of RestoreV2. */
  #constantString({ scope, node, output }: NodeValue, operand: number): string | undefined {
    const isConst = ({ op }: NodeDef): boolean => op === "Const";
    const constant = followTo(this.#resolver, scope, node.input[operand], isConst)?.node;
    if (constant === undefined) return undefined;
    const strings = this.#strings.get(constant) ?? decodeStrings(constant);
    this.#strings.set(constant, strings);
    return strings[output];
  }
}

function decodeStrings(constant: NodeDef): string[] {
  const message = constant.attr.get("value");
  if (message?.kind !== "tensor" || !(message.value instanceof Uint8Array)) return [];
  const { data } = decodeTensor(message.value, `node "${constant.name}"`);
  const decoder = new TextDecoder();
  return [...data].map((item) => (item instanceof Uint8Array ? decoder.decode(item) : ""));
}

/** Walks back through operations that only pass a value on, to one that `isWanted`. */
function followTo(
  resolver: Resolver,
  scope: Scope,
  input: string | undefined,
  isWanted: (node: NodeDef) => boolean,
): NodeValue | undefined {
  let place = scope;
  let text = input;
  for (let step = 0; step < 16 && text !== undefined; step++) {
    const value = resolver.resolve(place, text);
    if (value?.kind !== "node") return undefined;
    if (isWanted(value.node)) return value;
    if (!PASSES.has(value.node.op)) return undefined;
    place = value.scope;
    text = value.node.input[0];
  }
  return undefined;
}

/**
 * Parses a slice specification: the whole shape, then start,length for each dimension, "-" for all of it:
 * `10 20 0,5:-`. Empty means the whole tensor.
 */
export function parseSlice(text: string, where: string): SliceExtent[] | undefined {
  const spec = text.trim().split(" ").at(-1) ?? "";
  if (spec === "") return undefined;
  const extents = spec.split(":").map((part): SliceExtent => {
    if (part === "-") return { start: 0, length: -1 };
    const match = /^(\d+),(\d+)$/.exec(part);
    if (match !== null) return { start: Number(match[1]), length: Number(match[2]) };
    throw new FormatError({
      format: "checkpoint",
      where: `node "${where}"`,
      found: `slice "${text}"`,
      expected: "start,length for each dimension",
    });
  });
  return extents.every(({ length }) => length < 0) ? undefined : extents;
}
