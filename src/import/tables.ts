/**
 * Hash tables: what fills them. The initialization operation of a SavedModel imports tensors into each table, or has it
 * read a text file of the model's assets. A table in the graph is a HashTableV2 node with its keys and values as inputs.
 */
import { GraphError } from "../base/errors.ts";
import type { NodeDef } from "../formats/tensorflow/graph-messages.ts";
import {
  type AssetFileDef,
  type MetaGraphDef,
  readAssetFile,
} from "../formats/tensorflow/saved-model-messages.ts";
import { parseMessage } from "../formats/tensorflow/wire.ts";
import { intAttr, stringAttr } from "../graph/attrs.ts";
import type { Attr } from "../graph/ir.ts";
import { isVariable, type Resolver, type Value } from "./resolver.ts";
import { type Scope, whereIs } from "./scope.ts";
import type { VocabularyFormat } from "./vocabulary.ts";

/** Where the entries of a table come from. */
export type TableSource =
  | { readonly kind: "tensors"; readonly keys: Value; readonly values: Value }
  | {
      readonly kind: "file";
      /** Path in the model's folder. */
      readonly path: string;
      readonly format: VocabularyFormat;
    };

export type TableSources = ReadonlyMap<NodeDef, TableSource>;

const IMPORTS: ReadonlySet<string> = new Set([
  "LookupTableImportV2",
  "LookupTableImport",
  "InitializeTableV2",
  "InitializeTable",
]);
const FILE_IMPORTS: ReadonlySet<string> = new Set([
  "InitializeTableFromTextFileV2",
  "InitializeTableFromTextFile",
]);
const TABLES: ReadonlySet<string> = new Set(["HashTableV2", "HashTable"]);
const INIT_SIGNATURE = "__saved_model_init_op";
const INIT_COLLECTIONS = ["saved_model_main_op", "legacy_init_op", "table_initializer"] as const;
const ASSET_COLLECTION = "saved_model_assets";

export function isTable(node: NodeDef): boolean {
  return TABLES.has(node.op);
}

/**
 * Finds what fills the tables of a SavedModel: follows its initialization operation.
 *
 * @throws {GraphError} when the operation breaks the graph's rules, or a file of entries is no asset.
 */
export function savedModelTables(resolver: Resolver, metaGraph: MetaGraphDef): TableSources {
  const signature = metaGraph.signature_def.get(INIT_SIGNATURE)?.outputs.get(INIT_SIGNATURE);
  const names = [
    ...(signature === undefined ? [] : [signature.name]),
    ...INIT_COLLECTIONS.flatMap((key) => metaGraph.collection_def.get(key)?.node_list ?? []),
  ];
  const assets = assetsOf(metaGraph).map(
    ({ tensor_info, filename }) => [baseName(tensor_info.name), filename] as const,
  );
  return findTables(resolver, names, new Map(assets));
}

/** The same of a graph that says nothing of its initialization: whatever fills a table in it does. */
export function graphTables(resolver: Resolver): TableSources {
  const fills = [...resolver.program.main.nodes.values()].filter(
    ({ op }) => IMPORTS.has(op) || FILE_IMPORTS.has(op),
  );
  const names = fills.map(({ name }) => name);
  return findTables(resolver, names, new Map());
}

function findTables(
  resolver: Resolver,
  names: readonly string[],
  assets: ReadonlyMap<string, string>,
): TableSources {
  const sources = new Map<NodeDef, TableSource>();
  const steps = initialization(resolver, names);
  for (const { scope, node } of steps) {
    const isFile = FILE_IMPORTS.has(node.op);
    if (!isFile && !IMPORTS.has(node.op)) continue;
    const table = resolver.resolve(scope, node.input[0] ?? "");
    if (table?.kind !== "node" || !isTable(table.node)) continue;
    const [first, second] = node.input.slice(1).map((input) => resolver.resolve(scope, input));
    if (isFile) {
      const asset = first && assetOf(first, steps, resolver);
      const filename = asset && assets.get(asset);
      if (filename === undefined) throw noAsset(scope, node);
      const format = formatOf(resolver, scope, node, table.node);
      sources.set(table.node, { kind: "file", path: `assets/${filename}`, format });
    } else if (first !== undefined && second !== undefined) {
      sources.set(table.node, { kind: "tensors", keys: first, values: second });
    }
  }
  return sources;
}

interface Step {
  readonly scope: Scope;
  readonly node: NodeDef;
}

/** All that runs with the operations of these names. */
function initialization(resolver: Resolver, names: readonly string[]): Step[] {
  const { main } = resolver.program;
  const steps: Step[] = [];
  const seen = new Set<NodeDef | Scope>();
  const queue: Step[] = [];
  const visit = (scope: Scope, name: string): void => {
    const node = scope.nodes.get(baseName(name));
    if (node === undefined || (scope === main && seen.has(node))) return;
    seen.add(node);
    queue.push({ scope, node });
  };
  for (const name of names) visit(main, name);
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    steps.push(next);
    const callee = resolver.callee(next.scope, next.node);
    if (callee !== undefined && !seen.has(callee)) {
      seen.add(callee);
      for (const node of callee.nodes.values()) queue.push({ scope: callee, node });
    }
    if (next.scope === main) for (const input of next.node.input) visit(main, input);
  }
  return steps;
}

function baseName(tensorName: string): string {
  return tensorName.replace(/^\^/, "").replace(/:.*$/, "");
}

/** Models from before TensorFlow 2 keep their assets in a collection. */
function assetsOf({ asset_file_def, collection_def }: MetaGraphDef): readonly AssetFileDef[] {
  const collected = collection_def.get(ASSET_COLLECTION)?.bytes_list ?? [];
  return [
    ...asset_file_def,
    ...collected.map((bytes) => parseMessage(readAssetFile, bytes, ASSET_COLLECTION)),
  ];
}

/** Name of the node that stands for a file's path: the value itself, or what initializes the variable that holds it. */
function assetOf(value: Value, steps: readonly Step[], resolver: Resolver): string | undefined {
  if (value.kind !== "node") return undefined;
  if (!isVariable(value.node)) return value.node.name;
  for (const { scope, node } of steps) {
    if (node.op !== "AssignVariableOp") continue;
    const target = resolver.resolve(scope, node.input[0] ?? "");
    if (target?.kind !== "node" || target.node !== value.node) continue;
    const path = resolver.resolve(scope, node.input[1] ?? "");
    if (path?.kind === "node") return path.node.name;
  }
  return undefined;
}

function formatOf(
  resolver: Resolver,
  scope: Scope,
  node: NodeDef,
  table: NodeDef,
): VocabularyFormat {
  const attrs = new Map<string, Attr>();
  for (const name of ["key_index", "value_index", "vocab_size", "delimiter", "offset"]) {
    const attr = resolver.attr(scope, node, name);
    if (attr !== undefined) attrs.set(name, attr);
  }
  for (const name of ["key_dtype", "value_dtype"]) {
    const attr = resolver.attr(resolver.program.main, table, name);
    if (attr !== undefined) attrs.set(name, attr);
  }
  const from = { name: node.name, op: node.op, inputs: [], attrs, outputCount: 0 };
  const column = (side: "key" | "value") => {
    const dtype = attrs.get(`${side}_dtype`);
    return {
      index: intAttr(from, `${side}_index`),
      isText: dtype?.kind === "type" && dtype.value === "string",
    };
  };
  return {
    key: column("key"),
    value: column("value"),
    size: intAttr(from, "vocab_size"),
    delimiter: stringAttr(from, "delimiter"),
    offset: intAttr(from, "offset"),
  };
}

function noAsset(scope: Scope, node: NodeDef): GraphError {
  return new GraphError({
    where: whereIs(scope, node),
    found: "a table that is read from a file outside the model",
    expected: "a file among the model's assets",
    remedy: "Save the model again with tf.saved_model.save, which copies such files",
    node: node.name,
  });
}
