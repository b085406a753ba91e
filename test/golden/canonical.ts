/**
 * Models as they are whatever the order of their tensors: every value is named by what computes it. Two models with the
 * same description hold the same constants, operators, versions, options and wiring.
 */
import { createHash } from "node:crypto";
import type { Model, Subgraph, Tensor } from "../../src/model/ir.ts";

export interface CanonicalModel {
  /** Sorted: shape, type, data, scales, zero points, axis of every constant that an operator or output reads. */
  readonly constants: readonly string[];
  /** Operators in file order, one list a subgraph: name, version. */
  readonly operators: readonly (readonly string[])[];
  /** Sorted: every operator with its version, options and what it reads, down to the inputs. */
  readonly wiring: readonly (readonly string[])[];
  /** What each output of each subgraph is. */
  readonly outputs: readonly (readonly string[])[];
}

export function canonicalModel(model: Model): CanonicalModel {
  const described = model.subgraphs.map((graph) => describeSubgraph(model, graph));
  return {
    constants: described.flatMap(({ constants }) => constants).sort(),
    operators: described.map(({ operators }) => operators),
    wiring: described.map(({ wiring }) => wiring),
    outputs: described.map(({ outputs }) => outputs),
  };
}

function describeSubgraph(model: Model, graph: Subgraph) {
  const values = new Map<number, string>();
  const constants: string[] = [];
  graph.inputs.forEach((tensor, position) => {
    values.set(tensor, `input ${position} ${typeOf(graph.tensors[tensor]!)}`);
  });
  const describe = (index: number): string => {
    if (index < 0) return "absent";
    let value = values.get(index);
    if (value === undefined) {
      const tensor = graph.tensors[index]!;
      const bytes = model.buffers[tensor.buffer]!.bytes!;
      if (bytes.byteLength === 0) value = `empty ${typeOf(tensor)} ${tensor.isVariable}`;
      else {
        value = `${typeOf(tensor)} ${hash(bytes)}`;
        constants.push(value);
      }
      values.set(index, value);
    }
    return value;
  };
  const wiring = graph.operators.map((operator) => {
    const { op, customCode, version, inputs, outputs, options, options2, customOptions } = operator;
    const what = JSON.stringify({
      op,
      customCode,
      version,
      options: options?.value,
      options2: options2?.value,
      customOptions: customOptions === undefined ? undefined : hash(customOptions),
      inputs: inputs.map(describe),
    });
    outputs.forEach((tensor, position) => {
      values.set(tensor, `${hash(what)}:${position} ${typeOf(graph.tensors[tensor]!)}`);
    });
    return what;
  });
  return {
    constants,
    operators: graph.operators.map(
      ({ op, customCode, version }) => `${customCode ?? op} ${version}`,
    ),
    wiring: wiring.sort(),
    outputs: graph.outputs.map(describe),
  };
}

function typeOf({ dtype, shape, shapeSignature, quantization }: Tensor): string {
  const scales = quantization?.scale ?? [];
  const { zeroPoint = [], quantizedDimension = 0 } = quantization ?? {};
  const scaled =
    scales.length === 0
      ? ""
      : ` scales ${scales.length} ${hash(Float32Array.from(scales))} zero ${new Set(zeroPoint).size === 1 ? zeroPoint[0] : zeroPoint} axis ${scales.length > 1 ? quantizedDimension : 0}`;
  return `${dtype}[${shape}]${shapeSignature === undefined ? "" : `(${shapeSignature})`}${scaled}`;
}

function hash(data: Uint8Array | Float32Array | string): string {
  return createHash("sha1").update(data).digest("hex").slice(0, 12);
}
