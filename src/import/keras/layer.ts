/** What a layer's translation is given, and what it gives back. */
import { FormatError, UnsupportedError } from "../../base/errors.ts";
import type { TensorValue } from "../../graph/ir.ts";
import type { Config, Json } from "./config.ts";
import type { Argument, LayerSpec } from "./model-spec.ts";
import type { NodeWriter, Symbolic } from "./node-writer.ts";

/** Weights of one layer. */
export interface LayerWeights {
  /**
   * A weight by its name ("kernel") and its position among the layer's weights. Files know one or the other.
   *
   * @throws {FormatError} when the file does not have it.
   */
  get(name: string, index: number): TensorValue;
  /** The number of weights that are there. */
  readonly count: number;
  /** Weights of an object inside the layer: attribute name ("cell", "forward_layer") and, where it has one, name. */
  inner(attribute: string, name?: string): LayerWeights;
  /** Weights of object `i` of a list that the layer has as an attribute. */
  member(attribute: string, objects: readonly LayerSpec[], i: number): LayerWeights;
}

/** Arguments of a call with tensors in place of their names. */
export type CallArgument =
  | { readonly kind: "tensor"; readonly tensor: Symbolic }
  | { readonly kind: "list"; readonly items: readonly CallArgument[] }
  | { readonly kind: "value"; readonly value: Json };

export interface LayerCall {
  readonly layer: LayerSpec;
  readonly config: Config;
  readonly weights: LayerWeights;
  readonly writer: NodeWriter;
  /** Prefix of the names of nodes: the path of the layer. */
  readonly path: string;
  /** Major + minor / 100, as 3.1 for Keras 3.10: some defaults and formulas differ. */
  readonly kerasVersion: number;
  readonly args: readonly CallArgument[];
  readonly kwargs: ReadonlyMap<string, CallArgument>;
  /** All tensors of the first argument. */
  readonly inputs: readonly Symbolic[];
}

/** Translates one call of a layer; several outputs come as a list. */
export type Translate = (call: LayerCall) => Symbolic | readonly Symbolic[];

/** The only input of a layer that takes one. */
export function inputOf({ inputs, config }: LayerCall): Symbolic {
  const [only] = inputs;
  if (only !== undefined && inputs.length === 1) return only;
  throw config.wrong(`${inputs.length} inputs`, "one");
}

/** A keyword argument that is a tensor. */
export function tensorArgument(
  call: Pick<LayerCall, "kwargs">,
  name: string,
): Symbolic | undefined {
  const argument = call.kwargs.get(name);
  return argument?.kind === "tensor" ? argument.tensor : undefined;
}

/** A constant with a weight's value. */
export function weightOf(call: LayerCall, name: string, index: number, rank?: number): Symbolic {
  const value = call.weights.get(name, index);
  if (rank !== undefined && value.shape.length !== rank) {
    throw new FormatError({
      format: "keras",
      where: call.config.where,
      found: `weight "${name}" of shape [${value.shape.join(", ")}]`,
      expected: `${rank} dimensions`,
    });
  }
  return call.writer.constant(`${call.path}/${name}`, value);
}

export function unsupported(config: Config, feature: string, remedy?: string): UnsupportedError {
  return new UnsupportedError({
    where: config.where,
    found: feature,
    expected: "what has an equivalent in TensorFlow Lite",
    remedy: remedy ?? "Export the model with model.export(path), and convert the SavedModel",
    features: [feature],
  });
}

/** Translates argument trees: `tensorOf` finds the tensor behind an id. */
export function bindArgument(
  argument: Argument,
  tensorOf: (argument: Extract<Argument, { kind: "tensor" }>) => Symbolic,
): CallArgument {
  switch (argument.kind) {
    case "tensor":
      return { kind: "tensor", tensor: tensorOf(argument) };
    case "list":
      return { kind: "list", items: argument.items.map((item) => bindArgument(item, tensorOf)) };
    case "value":
      return argument;
  }
}

/** All tensors of an argument, in order. */
export function tensorsOf(argument: CallArgument | undefined): Symbolic[] {
  if (argument?.kind === "tensor") return [argument.tensor];
  if (argument?.kind === "list") return argument.items.flatMap(tensorsOf);
  return [];
}
