/**
 * What building a graph starts from, and what its helpers may ask of the builder.
 */
import type { DType } from "../base/dtype.ts";
import { GraphError } from "../base/errors.ts";
import type { NodeDef } from "../formats/tensorflow/graph-messages.ts";
import type { Attr, GraphNode, PartialShape, TensorValue, ValueRef } from "../graph/ir.ts";
import type { Resolver, Value } from "./resolver.ts";
import { type Scope, whereIs } from "./scope.ts";
import type { TableSource, TableSources } from "./tables.ts";
import type { VocabularyFormat } from "./vocabulary.ts";

/** A constant whose value is still to be read. */
export interface PendingConstant {
  readonly variable: NodeDef;
  fill(value: TensorValue): void;
}

/** A hash table whose entries are in a file that is still to be read. */
export interface PendingTable {
  readonly table: NodeDef;
  readonly path: string;
  readonly format: VocabularyFormat;
  fill(keys: TensorValue, values: TensorValue): void;
}

/** An input of the graph to build. */
export interface InputPlan {
  readonly key: string;
  readonly tensorName: string;
  /** Name of the Placeholder. */
  readonly node: string;
  readonly dtype: DType;
  readonly signatureShape: PartialShape;
  /** The shape that the conversion uses. */
  readonly shape: PartialShape;
}

export interface OutputPlan {
  readonly key: string;
  readonly tensorName: string;
  readonly value: Value;
}

/** Shared by a graph and the functions inside it. */
export interface BuildContext {
  readonly resolver: Resolver;
  readonly pending: PendingConstant[];
  readonly pendingTables: PendingTable[];
  /** What fills a hash table; undefined where the model does not say. */
  tableSource(table: NodeDef): TableSource | undefined;
  /** The number of a hash table, the same in all functions that use it. */
  tableId(table: NodeDef): number;
  nodeCount: number;
}

/** A context without anything in it yet. The tables' sources are looked for when the first table is met. */
export function buildContext(resolver: Resolver, findTables: () => TableSources): BuildContext {
  let sources: TableSources | undefined;
  const tables = new Map<NodeDef, number>();
  return {
    resolver,
    pending: [],
    pendingTables: [],
    tableSource(table) {
      sources ??= findTables();
      return sources.get(table);
    },
    tableId(table) {
      const id = tables.get(table) ?? tables.size;
      tables.set(table, id);
      return id;
    },
    nodeCount: 0,
  };
}

/** The builder as rewrites of single nodes see it. */
export interface NodeEmitter {
  readonly context: BuildContext;
  /** All attributes of a node: its own, then the operation's defaults. */
  attrsOf(scope: Scope, node: NodeDef): Map<string, Attr>;
  /** References to what a node's data inputs stand for. */
  inputsOf(scope: Scope, node: NodeDef): ValueRef[];
  add(node: GraphNode): void;
  /** Adds a constant and returns a reference to it. */
  addConstant(name: string, value: TensorValue): ValueRef;
}

export function constantNode(name: string, value: TensorValue): GraphNode {
  const attrs = new Map<string, Attr>([
    ["dtype", { kind: "type", value: value.dtype }],
    ["value", { kind: "tensor", value }],
  ]);
  return { name, op: "Const", inputs: [], attrs, outputCount: 1 };
}

/** An error about a node of a file. */
export function nodeError(
  scope: Scope,
  node: NodeDef,
  found: string,
  expected?: string,
): GraphError {
  return new GraphError({
    where: whereIs(scope, node),
    found,
    ...(expected === undefined ? {} : { expected }),
    node: `${scope.path}${node.name}`,
  });
}
