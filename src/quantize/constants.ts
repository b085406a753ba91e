/** Finds the float constants of a subgraph and who reads them: the raw material of every weight mode. */
import { elementCount } from "../base/shape.ts";
import type { Model, Subgraph, Tensor } from "../model/ir.ts";

/** One place where an operator reads a tensor. */
export interface Use {
  readonly operator: number;
  readonly operand: number;
}

/** A float32 tensor whose data is in the file. */
export interface FloatConstant {
  readonly subgraph: number;
  readonly index: number;
  readonly tensor: Tensor;
  readonly elements: number;
  readonly uses: readonly Use[];
  /** The subgraph returns it, or takes it as an input that has a default. */
  readonly isBoundary: boolean;
}

/** Whether the tensor's data is in the file. Variables may have none. */
export function isConstant(model: Model, tensor: Tensor): boolean {
  return !tensor.isVariable && (model.buffers[tensor.buffer]?.byteLength ?? 0) > 0;
}

/** The float32 constants of subgraph `subgraph`, by tensor index. Empty tensors do not count. */
export function findFloatConstants(model: Model, subgraph: number): Map<number, FloatConstant> {
  const graph = model.subgraphs[subgraph]!;
  const uses = usesByTensor(graph);
  const produced = new Set(graph.operators.flatMap((operator) => operator.outputs));
  const boundary = new Set([...graph.inputs, ...graph.outputs]);
  const constants = new Map<number, FloatConstant>();
  for (const [index, tensor] of graph.tensors.entries()) {
    if (tensor.dtype !== "float32" || !isConstant(model, tensor) || produced.has(index)) continue;
    constants.set(index, {
      subgraph,
      index,
      tensor,
      elements: elementCount(tensor.shape),
      uses: uses.get(index) ?? [],
      isBoundary: boundary.has(index),
    });
  }
  return constants;
}

function usesByTensor(graph: Subgraph): Map<number, Use[]> {
  const uses = new Map<number, Use[]>();
  for (const [operator, { inputs }] of graph.operators.entries()) {
    for (const [operand, tensor] of inputs.entries()) {
      if (tensor < 0) continue;
      const list = uses.get(tensor);
      if (list === undefined) uses.set(tensor, [{ operator, operand }]);
      else list.push({ operator, operand });
    }
  }
  return uses;
}
