/**
 * Moves DEQUANTIZE behind operators that only pick values, when fewer values come out than go in: the rows that a
 * lookup returns are scaled instead of its whole table (compiler/mlir/lite/transforms/optimize_op_order.cc).
 */
import { elementCount } from "../base/shape.ts";
import type { Operator, Subgraph, Tensor } from "../model/ir.ts";

/** Operators whose output has the scale of their input and that have int8 kernels. */
const SAME_SCALE: ReadonlySet<string> = new Set([
  "AVERAGE_POOL_2D",
  "BATCH_TO_SPACE_ND",
  "DEPTH_TO_SPACE",
  "GATHER",
  "GATHER_ND",
  "MAX_POOL_2D",
  "REDUCE_MAX",
  "REDUCE_MIN",
  "RESIZE_BILINEAR",
  "RESIZE_NEAREST_NEIGHBOR",
  "SLICE",
  "STRIDED_SLICE",
]);

interface Draft {
  readonly tensors: Tensor[];
  readonly operators: Operator[];
}

/** `dequantize` are operators of `graph`: DEQUANTIZE of constants, whose outputs may be given new meanings. */
export function sinkDequantize(graph: Subgraph, dequantize: readonly Operator[]): Subgraph {
  const draft: Draft = { tensors: [...graph.tensors], operators: [...graph.operators] };
  for (const operator of dequantize) {
    let current: Operator | undefined = operator;
    while (current !== undefined) current = sinkOnce(graph, draft, current);
  }
  return { ...graph, ...draft };
}

/** Moves one DEQUANTIZE past its only reader. Returns it as it is then; undefined where it must stay. */
function sinkOnce(graph: Subgraph, draft: Draft, dequantize: Operator): Operator | undefined {
  const [quantized, floats] = [dequantize.inputs[0]!, dequantize.outputs[0]!];
  const position = onlyReader(graph, draft, floats);
  if (position === undefined) return undefined;
  const reader = draft.operators[position]!;
  const result = reader.outputs[0]!;
  const { tensors } = draft;
  if (!shrinks(reader, floats, tensors)) return undefined;
  const { quantization: _, ...shape } = tensors[result]!;
  const { quantization, dtype } = tensors[quantized]!;
  // The reader's result takes the slot of the dequantized values, and keeps its own for what comes out at the end.
  tensors[floats] = {
    ...shape,
    name: `${shape.name}_${dtype}`,
    dtype,
    ...(quantization === undefined ? {} : { quantization }),
  };
  const inputs = reader.inputs.map((input) => (input === floats ? quantized : input));
  const moved: Operator = { ...dequantize, inputs: [floats], outputs: [result] };
  draft.operators[position] = { ...reader, inputs, outputs: [floats] };
  draft.operators.splice(position + 1, 0, moved);
  draft.operators.splice(draft.operators.indexOf(dequantize), 1);
  return moved;
}

/** Position of the one operator that reads the tensor, once. */
function onlyReader(graph: Subgraph, draft: Draft, tensor: number): number | undefined {
  if (graph.outputs.includes(tensor)) return undefined;
  let found: number | undefined;
  for (const [position, { inputs }] of draft.operators.entries()) {
    for (const input of inputs) {
      if (input !== tensor) continue;
      if (found !== undefined) return undefined;
      found = position;
    }
  }
  return found;
}

function shrinks(reader: Operator, floats: number, tensors: readonly Tensor[]): boolean {
  if (!SAME_SCALE.has(reader.op) || reader.outputs.length !== 1) return false;
  const others = reader.inputs.filter((input) => input >= 0 && input !== floats);
  if (others.some((input) => tensors[input]!.dtype === "float32")) return false;
  const before = elementCount(tensors[floats]!.shape);
  return elementCount(tensors[reader.outputs[0]!]!.shape) < before;
}
