/**
 * The rules that a well-formed model keeps, checked before a model is run and before and after every pass. Beyond what
 * TensorFlow Lite's loader and core/tools/verifier.cc ask, nothing; shapes of operands are the kernels' business.
 */
import { GraphError } from "../base/errors.ts";
import type { Model, Operator, Signature, Subgraph } from "./ir.ts";
import { operatorInfo } from "./op-table.ts";
import { type Fail, verifyTensor } from "./verify-tensor.ts";

/**
 * Throws at the first broken rule. Constant data is looked at only where it is resident. `name` is for messages.
 *
 * @throws {GraphError} naming subgraph, operator and tensor
 */
export function verifyModel(model: Model, name = "model"): void {
  const fail = failer(name);
  if (model.subgraphs.length === 0) fail("", "no subgraph", "at least one");
  if (model.buffers[0] === undefined || model.buffers[0].byteLength > 0) {
    fail("buffer 0", model.buffers[0] === undefined ? "is missing" : "has data", "an empty buffer");
  }
  for (const [index, subgraph] of model.subgraphs.entries()) {
    verifySubgraph(subgraph, model, failer(`${name}, subgraph ${index}`));
  }
  verifyCalls(model, fail);
  for (const signature of model.signatures) {
    verifySignature(signature, model, failer(`${name}, signature "${signature.key}"`));
  }
  for (const { name: key, buffer } of model.metadata) {
    if (buffer >= model.buffers.length) {
      fail(`metadata "${key}"`, `buffer ${buffer}`, `less than ${model.buffers.length}`);
    }
  }
}

function failer(where: string): Fail {
  return (place, found, expected) => {
    throw new GraphError({
      where: place === "" ? where : `${where}, ${place}`,
      found,
      expected,
      remedy: "The model is damaged, or the tool that wrote it has a bug",
    });
  };
}

function verifySubgraph(subgraph: Subgraph, model: Model, fail: Fail): void {
  const { tensors, operators, inputs, outputs } = subgraph;
  for (const [index, tensor] of tensors.entries()) {
    verifyTensor(tensor, model, (place, found, expected) =>
      fail(`tensor ${index} "${tensor.name}"${place === "" ? "" : `, ${place}`}`, found, expected),
    );
  }
  verifyIndices([...inputs, ...outputs], tensors.length, 0, "inputs and outputs", fail);
  for (const [index, operator] of operators.entries()) {
    verifyOperator(operator, tensors.length, (place, found, expected) =>
      fail(
        `operator ${index} ${labelOf(operator)}${place === "" ? "" : `, ${place}`}`,
        found,
        expected,
      ),
    );
  }
  verifyOrder(subgraph, model, fail);
}

function labelOf({ op, customCode }: Operator): string {
  return op === "CUSTOM" ? `CUSTOM "${customCode ?? ""}"` : op;
}

function verifyIndices(
  indices: readonly number[],
  count: number,
  least: number,
  place: string,
  fail: Fail,
): void {
  const wrong = indices.find((index) => index < least || index >= count);
  if (wrong !== undefined) fail(place, `tensor ${wrong}`, `from ${least} to ${count - 1}`);
}

function verifyOperator(operator: Operator, tensorCount: number, fail: Fail): void {
  verifyIndices(operator.inputs, tensorCount, -1, "inputs", fail);
  verifyIndices(operator.outputs, tensorCount, -1, "outputs", fail);
  verifyIndices(operator.intermediates ?? [], tensorCount, -1, "intermediates", fail);
  const mutating = operator.mutatingVariableInputs?.length ?? 0;
  if (mutating !== 0 && mutating !== operator.inputs.length) {
    fail("mutating inputs", `${mutating} entries`, `0 or ${operator.inputs.length}`);
  }
  const wanted = operatorInfo(operator.op)?.options;
  const type = operator.options?.type ?? operator.options2?.type;
  if (wanted !== undefined && type !== undefined && type !== wanted) {
    fail("options", type, wanted);
  }
  if (operator.op === "CUSTOM" && operator.customCode === undefined) {
    fail("", "no name", "a custom operator with a name");
  }
}

/** Every operand is there before it is used, and nothing is computed twice or over given data. */
function verifyOrder(subgraph: Subgraph, model: Model, fail: Fail): void {
  const { tensors, operators, inputs } = subgraph;
  const given = new Set<number>(inputs);
  for (const [index, { buffer, isVariable, externalBuffer }] of tensors.entries()) {
    const isConstant = (model.buffers[buffer]?.byteLength ?? 0) > 0 || externalBuffer !== undefined;
    if (isConstant || isVariable) given.add(index);
  }
  const computed = new Set<number>();
  for (const [position, operator] of operators.entries()) {
    const place = `operator ${position} ${labelOf(operator)}`;
    for (const tensor of operator.inputs) {
      if (
        tensor >= 0 &&
        !given.has(tensor) &&
        !computed.has(tensor) &&
        !isEmpty(subgraph, tensor)
      ) {
        fail(
          place,
          `tensor ${tensor} "${tensors[tensor]?.name}" read before anything computes it`,
          "operators in order",
        );
      }
    }
    for (const tensor of operator.outputs) {
      if (tensor < 0) continue;
      if (computed.has(tensor) || (given.has(tensor) && tensors[tensor]?.isVariable !== true)) {
        fail(
          place,
          `tensor ${tensor} "${tensors[tensor]?.name}" written again`,
          "tensors that are written once, constants and inputs never",
        );
      }
      computed.add(tensor);
    }
  }
}

/** Constants without elements have no data either. */
function isEmpty({ tensors }: Subgraph, index: number): boolean {
  return tensors[index]?.shape.includes(0) === true;
}

/** Subgraphs that an operator runs. */
export function calledSubgraphs({ options, options2 }: Operator): readonly number[] {
  switch (options?.type) {
    case "IfOptions":
      return [options.value.then_subgraph_index, options.value.else_subgraph_index];
    case "WhileOptions":
      return [options.value.cond_subgraph_index, options.value.body_subgraph_index];
    case "CallOnceOptions":
      return [options.value.init_subgraph_index];
    case "CallOptions":
      return [options.value.subgraph];
  }
  switch (options2?.type) {
    case "StablehloReduceWindowOptions":
    case "StablehloReduceOptions":
      return [options2.value.body_subgraph_index];
    case "StablehloWhileOptions":
      return [options2.value.cond_subgraph_index, options2.value.body_subgraph_index];
    case "StablehloSortOptions":
      return [options2.value.comparator_subgraph_index];
    case "StablehloScatterOptions":
      return [options2.value.update_computation_subgraph_index];
    case "StableHLOCompositeOptions":
      return [options2.value.decomposition_subgraph_index];
    case "StablehloCaseOptions":
      return options2.value.branch_subgraph_indices ?? [];
  }
  return [];
}

/** Called subgraphs exist, and none calls itself, directly or through others. */
function verifyCalls(model: Model, fail: Fail): void {
  const calls = model.subgraphs.map(({ operators }, subgraph) => {
    const called = operators.flatMap((operator) => calledSubgraphs(operator));
    const wrong = called.find((index) => index < 0 || index >= model.subgraphs.length);
    if (wrong !== undefined) {
      fail(
        `subgraph ${subgraph}`,
        `a call of subgraph ${wrong}`,
        `0 to ${model.subgraphs.length - 1}`,
      );
    }
    return [...new Set(called)];
  });
  // Takes away, again and again, the subgraphs whose callees are all gone; a cycle is what stays.
  const remaining = new Set(calls.keys());
  const pending = calls.map((called) => called.length);
  const callers = new Map<number, number[]>();
  for (const [caller, called] of calls.entries()) {
    for (const callee of called) callers.set(callee, [...(callers.get(callee) ?? []), caller]);
  }
  const free = [...remaining].filter((index) => pending[index] === 0);
  for (let index = free.pop(); index !== undefined; index = free.pop()) {
    remaining.delete(index);
    for (const caller of callers.get(index) ?? []) {
      const left = (pending[caller] ?? 0) - 1;
      pending[caller] = left;
      if (left === 0) free.push(caller);
    }
  }
  const [first] = remaining;
  if (first !== undefined) fail(`subgraph ${first}`, "calls itself", "calls without a cycle");
}

function verifySignature(signature: Signature, model: Model, fail: Fail): void {
  const subgraph = model.subgraphs[signature.subgraphIndex];
  if (subgraph === undefined) {
    fail("", `subgraph ${signature.subgraphIndex}`, `0 to ${model.subgraphs.length - 1}`);
  }
  for (const { name, tensorIndex } of [...signature.inputs, ...signature.outputs]) {
    verifyIndices([tensorIndex], subgraph.tensors.length, 0, `"${name}"`, fail);
  }
}
