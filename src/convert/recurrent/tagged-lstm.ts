/**
 * A call of a function that Keras 2 has tagged as an LSTM, as one operator. The tag says tanh and σ; the kernels
 * hold the gates i, f, c, o side by side: [d, 4u], [u, 4u] and [4u].
 */
import type { Diagnostic } from "../../base/errors.ts";
import { boolAttr } from "../../graph/attrs.ts";
import type { GraphNode, TensorValue, ValueRef } from "../../graph/ir.ts";
import type { GraphBuilder } from "../graph-builder.ts";
import { Matcher } from "../patterns/matcher.ts";
import { columnsOf } from "./affine.ts";
import type { Gate, LstmWeights } from "./cells.ts";
import { emitCell } from "./emit-cell.ts";
import { isZero, lastStep, stateRemark } from "./sequence-values.ts";

/** Results of the function, in order: last output, all outputs, h, c, the device. */
const FUSED_RESULTS = 3;

/**
 * Adds the operator and returns values for the first three results; undefined when the operator cannot say it: the
 * batch size or a weight is not known, a state does not start at zero, or c or the device is used.
 */
export function fuseTaggedLstm(
  node: GraphNode,
  isUsed: (output: number) => boolean,
  build: GraphBuilder,
  note: (diagnostic: Diagnostic) => void,
): readonly ValueRef[] | undefined {
  const [x, h, c] = node.inputs;
  const weights = lstmWeights(node, build);
  if (x === undefined || h === undefined || c === undefined || weights === undefined) {
    return undefined;
  }
  const timeMajor = boolAttr(node, "time_major");
  const shape = build.shape(x);
  const match = new Matcher(build);
  const fits =
    shape?.length === 3 &&
    (shape[timeMajor ? 1 : 0] ?? -1) >= 0 &&
    shape[2] === weights.input.x.rows &&
    isZero(h, match) &&
    isZero(c, match) &&
    !isUsed(FUSED_RESULTS) &&
    !isUsed(FUSED_RESULTS + 1);
  if (!fits) return undefined;
  const time = build.ints([timeMajor ? 0 : 1]);
  const input = boolAttr(node, "go_backwards")
    ? build.add(`${node.name}/reversed`, "ReverseV2", [x, time])
    : x;
  const sequence = emitCell(node.name, weights, input, timeMajor, build);
  const last = lastStep(node.name, sequence, timeMajor, build);
  note(stateRemark(node.name, ["LSTM"]));
  return [last, sequence, last];
}

function lstmWeights(node: GraphNode, build: GraphBuilder): LstmWeights | undefined {
  const [kernelValue, recurrentValue, biasValue] = node.inputs
    .slice(3)
    .map((ref) => build.value(ref));
  const units = (biasValue?.shape[0] ?? 0) / 4;
  const depth = kernelValue?.shape[0] ?? 0;
  const kernel = floatsOf(kernelValue, [depth, 4 * units]);
  const recurrent = floatsOf(recurrentValue, [units, 4 * units]);
  const bias = floatsOf(biasValue, [4 * units]);
  if (kernel === undefined || recurrent === undefined || bias === undefined) return undefined;
  const part = (data: Float32Array, rows: number, index: number) =>
    columnsOf({ rows, columns: 4 * units, data }, index * units, units);
  const gate = (index: number): Gate => ({
    x: part(kernel, depth, index),
    h: part(recurrent, units, index),
    bias: bias.slice(index * units, (index + 1) * units),
  });
  return {
    kind: "lstm",
    input: gate(0),
    forget: gate(1),
    cell: gate(2),
    output: gate(3),
    activation: "TANH",
    cellClip: 0,
    projectionClip: 0,
  };
}

/** The numbers of a float32 constant that has this shape and is not empty. */
function floatsOf(
  value: TensorValue | undefined,
  shape: readonly number[],
): Float32Array | undefined {
  if (value?.dtype !== "float32" || `${value.shape}` !== `${shape}`) return undefined;
  return value.data.length > 0 ? (value.data as Float32Array) : undefined;
}
