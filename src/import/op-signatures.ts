/**
 * Signatures of the operations that one file uses: TensorFlow's own from the op table, refined by the list that the
 * file brings along (its defaults are the ones that were stripped), and the functions of its library, which may be
 * called like operations.
 */

import { isDataType, toDType } from "../formats/tensorflow/data-type.ts";
import type { FunctionDef, OpDef, OpDef_ArgDef } from "../formats/tensorflow/graph_pb.ts";
import type { Attr } from "../graph/ir.ts";
import { type OpArg, type OpDefinition, opDefinition } from "../graph/op-table.ts";
import { toAttr } from "./attr-values.ts";

export class OpSignatures {
  readonly #functions: ReadonlyMap<string, FunctionDef>;
  readonly #brought: ReadonlyMap<string, OpDef>;
  readonly #known = new Map<string, OpDefinition | undefined>();

  constructor(functions: ReadonlyMap<string, FunctionDef>, brought: readonly OpDef[]) {
    this.#functions = functions;
    this.#brought = new Map(brought.map((op) => [op.name, op]));
  }

  /** The signature of an operation or library function; undefined when nobody says. */
  find(op: string): OpDefinition | undefined {
    if (this.#known.has(op)) return this.#known.get(op);
    const found = this.#resolve(op);
    this.#known.set(op, found);
    return found;
  }

  #resolve(op: string): OpDefinition | undefined {
    const call = this.#functions.get(op)?.signature;
    if (call !== undefined) return fromOpDef(call, undefined);
    const builtIn = opDefinition(op);
    const brought = this.#brought.get(op);
    return brought === undefined ? builtIn : fromOpDef(brought, builtIn);
  }
}

function fromOpDef(op: OpDef, base: OpDefinition | undefined): OpDefinition {
  const defaults = new Map<string, Attr>(base?.defaults);
  for (const { name, defaultValue } of op.attr) {
    if (defaultValue === undefined) continue;
    const attr = toAttr(defaultValue, `operation ${op.name}, default of "${name}"`);
    if (attr !== undefined) defaults.set(name, attr);
  }
  return {
    name: op.name,
    inputs: op.inputArg.map(toOpArg),
    outputs: op.outputArg.map(toOpArg),
    defaults,
  };
}

function toOpArg(arg: OpDef_ArgDef): OpArg {
  if (arg.typeListAttr !== "") return { name: arg.name, listAttr: arg.typeListAttr };
  const type =
    arg.typeAttr !== "" || !isDataType(arg.type) ? arg.typeAttr : toDType(arg.type, arg.name);
  return arg.numberAttr === ""
    ? { name: arg.name, type }
    : { name: arg.name, type, countAttr: arg.numberAttr };
}
