/**
 * Resource variables and hash tables: VAR_HANDLE, READ_VARIABLE, ASSIGN_VARIABLE, HASHTABLE, HASHTABLE_IMPORT,
 * HASHTABLE_FIND, HASHTABLE_SIZE. A handle is an int32 that names the resource within one interpreter.
 * TensorFlow Lite 2.21 kernels/var_handle.cc, read_variable.cc, assign_variable.cc, hashtable*.cc.
 */
import type { TensorData } from "../../base/dtype.ts";
import { elementCount, isStatic, type Shape, sameShape } from "../../base/shape.ts";
import type { KernelNode, KernelTable, ResourceStore, TensorView } from "../kernel.ts";
import { optionsOf } from "../options.ts";
import {
  badValue,
  inputAt,
  misshapen,
  outputAt,
  requireOperands,
  requireType,
  unsupported,
} from "../require.ts";
import { int32, int64, present } from "../views.ts";

/** What a variable holds. */
interface VariableValue {
  readonly shape: Shape;
  readonly data: TensorData;
}

/** Keys as text: decimal digits, or the bytes of a string as characters. */
type HashTable = Map<string, bigint | Uint8Array>;

function copyOf(data: TensorData): TensorData {
  return data.slice();
}

function variableAt(
  node: KernelNode,
  resources: ResourceStore,
  view: TensorView | undefined,
): VariableValue {
  const value = resources.get(int32(view)[0]) as VariableValue | undefined;
  if (value !== undefined) return value;
  throw badValue(node, "a variable without a value", "an assignment before it is read");
}

function tableAt(resources: ResourceStore, view: TensorView | undefined): HashTable {
  const handle = int32(view)[0];
  let table = resources.get(handle) as HashTable | undefined;
  if (table === undefined) {
    table = new Map();
    resources.set(handle, table);
  }
  return table;
}

function keyOf(element: bigint | Uint8Array): string {
  if (typeof element === "bigint") return element.toString();
  return String.fromCharCode(...element);
}

/** Elements of a table's keys or values: int64 or strings. */
function entriesOf(view: TensorView | undefined): readonly (bigint | Uint8Array)[] {
  const { data } = present(view);
  return Array.isArray(data) ? data : [...int64(view)];
}

function requireResource(node: KernelNode): void {
  requireType(node, inputAt(node, 0), ["resource"], "handle");
}

function requireEntryTypes(node: KernelNode, key: string, value: string): void {
  const fits = [key, value].every((dtype) => dtype === "int64" || dtype === "string");
  if (!fits) throw unsupported(node, `from ${key} to ${value}`);
}

/**
 * The shape that the file gives an output, where it leaves nothing open. A shape without elements says nothing: it is
 * also what an output of unknown shape has before it is resized.
 */
function declaredShape(node: KernelNode): Shape | undefined {
  const { shape, shapeSignature } = outputAt(node, 0);
  const isFixed = shapeSignature === undefined ? shape.length > 0 : isStatic(shapeSignature);
  return isFixed && shape.length > 0 && elementCount(shape) > 0 ? shape : undefined;
}

const VARIABLES: KernelTable = {
  VAR_HANDLE: {
    stateful: true,
    check(node) {
      requireOperands(node, [0, 0]);
      requireType(node, outputAt(node, 0), ["resource"], "output");
    },
    shapes: () => [[]],
    create(node, { resources }) {
      const { container, shared_name } = optionsOf(node, "VarHandleOptions");
      const handle = resources.handleOf("variable", JSON.stringify([container, shared_name]));
      return (_, [out]) => {
        int32(out)[0] = handle;
      };
    },
  },
  READ_VARIABLE: {
    stateful: true,
    check(node) {
      requireOperands(node, [1, 1]);
      requireResource(node);
    },
    shapes: (node) => [declaredShape(node)],
    create(node, { resources }) {
      const isFixed = declaredShape(node) !== undefined;
      return ([view], [out]) => {
        const { shape, data } = variableAt(node, resources, view);
        if (isFixed && !sameShape(shape, out.shape)) {
          throw badValue(
            node,
            `a variable of shape [${shape.join(", ")}]`,
            `[${out.shape.join(", ")}]`,
          );
        }
        store(node, data, isFixed ? out.data : out.resize(shape));
      };
    },
  },
  ASSIGN_VARIABLE: {
    stateful: true,
    check(node) {
      requireOperands(node, [2, 2], 0);
      requireResource(node);
      inputAt(node, 1);
    },
    shapes: () => [],
    create(_, { resources }) {
      return ([view, value]) => {
        const { shape, data } = present(value);
        resources.set(int32(view)[0], { shape, data: copyOf(data) } satisfies VariableValue);
      };
    },
  },
};

function store(node: KernelNode, from: TensorData, to: TensorData): void {
  if (from.constructor !== to.constructor) {
    throw badValue(node, `a variable of ${from.constructor.name}`, to.constructor.name);
  }
  for (let i = 0; i < to.length; i++) to[i] = from[i];
}

const TABLES: KernelTable = {
  HASHTABLE: {
    stateful: true,
    check(node) {
      requireOperands(node, [0, 0]);
      requireType(node, outputAt(node, 0), ["resource"], "output");
      const { key_dtype, value_dtype } = optionsOf(node, "HashtableOptions");
      requireEntryTypes(node, key_dtype.toLowerCase(), value_dtype.toLowerCase());
    },
    shapes: () => [[1]],
    create(node, { resources }) {
      const { table_id } = optionsOf(node, "HashtableOptions");
      const handle = resources.handleOf("table", `${table_id}`);
      return (_, [out]) => {
        int32(out)[0] = handle;
      };
    },
  },
  HASHTABLE_IMPORT: {
    stateful: true,
    check(node) {
      requireOperands(node, [3, 3], 0);
      requireResource(node);
      requireEntryTypes(node, inputAt(node, 1).dtype, inputAt(node, 2).dtype);
    },
    shapes(node) {
      const [keys, values] = [inputAt(node, 1).shape, inputAt(node, 2).shape];
      if (elementCount(keys) !== elementCount(values)) {
        throw misshapen(node, "keys and values of different number", "one value for each key");
      }
      return [];
    },
    create(_, { resources }) {
      return ([view, keys, values]) => {
        const table = tableAt(resources, view);
        if (table.size > 0) return;
        const entries = entriesOf(values);
        for (const [at, key] of entriesOf(keys).entries()) table.set(keyOf(key), entries[at]);
      };
    },
  },
  HASHTABLE_FIND: {
    stateful: true,
    check(node) {
      requireOperands(node, [3, 3]);
      requireResource(node);
      requireEntryTypes(node, inputAt(node, 1).dtype, inputAt(node, 2).dtype);
      requireType(node, outputAt(node, 0), [inputAt(node, 2).dtype], "output");
    },
    shapes: (node) => [inputAt(node, 1).shape],
    create(node, { resources }) {
      return ([view, keys, fallback], [out]) => {
        const table = tableAt(resources, view);
        const missing = entriesOf(fallback)[0];
        if (missing === undefined) throw badValue(node, "no default value", "one");
        const found = entriesOf(keys).map((key) => table.get(keyOf(key)) ?? missing);
        for (const [at, value] of found.entries())
          (out.data as (bigint | Uint8Array)[])[at] = value;
      };
    },
  },
  HASHTABLE_SIZE: {
    stateful: true,
    check(node) {
      requireOperands(node, [1, 1]);
      requireResource(node);
      requireType(node, outputAt(node, 0), ["int64"], "output");
    },
    shapes: () => [[1]],
    create(_, { resources }) {
      return ([view], [out]) => {
        int64(out)[0] = BigInt(tableAt(resources, view).size);
      };
    },
  },
};

export const RESOURCES: KernelTable = { ...VARIABLES, ...TABLES };
