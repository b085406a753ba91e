/** A Keras model, wherever its description and weights came from, to a graph. */

import type { DType } from "../base/dtype.ts";
import { type Diagnostic, FormatError } from "../base/errors.ts";
import type { Graph } from "../graph/ir.ts";
import { topologicalOrder } from "../graph/order.ts";
import { decideShapes, type ShapeOptions } from "./input-shapes.ts";
import { type Config, isObject } from "./keras/config.ts";
import type { LayerSpec, ModelSpec } from "./keras/model-spec.ts";
import { NodeWriter, type Symbolic } from "./keras/node-writer.ts";
import { refuseUnknownLayers, runModel } from "./keras/run-model.ts";
import type { ModelWeights } from "./keras/weights.ts";

export interface KerasModel {
  readonly spec: ModelSpec;
  readonly weights: ModelWeights;
  /** 1, 2 or 3: some defaults and formulas differ. */
  readonly kerasVersion: number;
}

/**
 * Writes the graph of a Keras model.
 *
 * @throws {UnsupportedError} that lists all layers without a translation.
 */
export function buildKerasGraph(
  { spec, weights, kerasVersion }: KerasModel,
  options: ShapeOptions,
  diagnostics: Diagnostic[],
  where: string,
): Graph {
  refuseUnknownLayers(spec, where);
  const writer = new NodeWriter();
  const described = spec.inputs.map((id) => {
    const layer = spec.layers.find(({ name }) => name === id.layer);
    if (layer?.className !== "InputLayer") throw noInput(where, id.layer);
    return describeInput(layer);
  });
  const shapes = decideShapes(described, options, diagnostics);
  const inputs = described.map(({ node, dtype, key }, i): Symbolic => {
    const shape = shapes[i];
    if (shape === undefined) throw noInput(where, key);
    return writer.placeholder(node, dtype, shape);
  });
  const results = runModel(spec, weights, inputs, { writer, kerasVersion, path: "", depth: 0 });
  const outputs = results.map(({ ref }, i) => ({
    key: spec.outputKeys?.[i] ?? `output_${i}`,
    tensorName: `StatefulPartitionedCall:${i}`,
    value: ref,
  }));
  return {
    signatureKey: "serving_default",
    inputs: described.map(({ key, tensorName, node, dtype, signatureShape }) => ({
      key,
      tensorName,
      node,
      dtype,
      signatureShape,
    })),
    outputs,
    nodes: topologicalOrder(writer.nodes),
    functions: writer.functions,
  };
}

interface DescribedInput {
  readonly key: string;
  readonly tensorName: string;
  readonly node: string;
  readonly dtype: DType;
  readonly signatureShape: readonly number[];
}

/** Names are those of an exported model, so that all sources of one model look alike. */
function describeInput(layer: LayerSpec): DescribedInput {
  const { config, name } = layer;
  const shape = config.get("batch_shape") ?? config.get("batch_input_shape");
  if (!Array.isArray(shape)) throw config.wrong("no shape", "batch_shape");
  return {
    key: name,
    node: `serving_default_${name}`,
    tensorName: `serving_default_${name}:0`,
    dtype: inputType(config),
    signatureShape: shape.map((size) => (typeof size === "number" ? size : -1)),
  };
}

/** A name, or a policy that has one. */
function inputType(config: Config): DType {
  const given = config.get("dtype") ?? "float32";
  const policy = isObject(given) ? given["config"] : undefined;
  const name = isObject(policy) ? policy["name"] : given;
  switch (name) {
    case "float32":
    case "int32":
    case "int64":
    case "uint8":
    case "int8":
    case "bool":
      return name;
    default:
      throw config.wrong(
        `input type ${JSON.stringify(given)}`,
        "float32, int32, int64, uint8, int8 or bool",
      );
  }
}

function noInput(where: string, layer: string): FormatError {
  return new FormatError({
    format: "keras",
    where,
    found: `input "${layer}", which is no input layer with a shape`,
    expected: "an InputLayer",
  });
}
