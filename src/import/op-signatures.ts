/**
 * Signatures of the operations that one file uses: TensorFlow's own from the op table, refined by the list that the
 * file brings along (its defaults are the ones that were stripped), and the functions of its library, which may be
 * called like operations.
 */

import { isDataType, toDType } from "../formats/tensorflow/data-type.ts";
import type { ArgDef, FunctionDef, OpDef } from "../formats/tensorflow/graph-messages.ts";
import type { Records } from "../formats/tensorflow/named-records.ts";
import type { Attr } from "../graph/ir.ts";
import { type OpArg, type OpDefinition, opDefinition } from "../graph/op-table.ts";
import { toAttr } from "./attr-values.ts";

export class OpSignatures {
  readonly #functions: Records<FunctionDef>;
  readonly #brought: Records<OpDef>;
  readonly #known = new Map<string, OpDefinition | undefined>();

  constructor(functions: Records<FunctionDef>, brought: Records<OpDef>) {
    this.#functions = functions;
    this.#brought = brought;
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
  for (const { name, default_value } of op.attr) {
    if (default_value === undefined) continue;
    defaults.set(name, toAttr(default_value, `operation ${op.name}, default of "${name}"`));
  }
  return {
    name: op.name,
    inputs: op.input_arg.map(toOpArg),
    outputs: op.output_arg.map(toOpArg),
    defaults,
  };
}

function toOpArg(arg: ArgDef): OpArg {
  if (arg.type_list_attr !== "") return { name: arg.name, listAttr: arg.type_list_attr };
  const type =
    arg.type_attr !== "" || !isDataType(arg.type) ? arg.type_attr : toDType(arg.type, arg.name);
  return arg.number_attr === ""
    ? { name: arg.name, type }
    : { name: arg.name, type, countAttr: arg.number_attr };
}
