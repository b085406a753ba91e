/** Inputs and outputs of a graph, from what a signature says of them. */
import type { Diagnostic } from "../base/errors.ts";
import { FormatError } from "../base/errors.ts";
import { toDType } from "../formats/tensorflow/data-type.ts";
import type { SignatureDef, TensorInfo } from "../formats/tensorflow/saved-model-messages.ts";
import { toShape } from "../formats/tensorflow/tensor.ts";
import { compareByFingerprint } from "./fingerprint64.ts";
import type { InputPlan, OutputPlan } from "./graph-plan.ts";
import { decideShapes, type ShapeOptions } from "./input-shapes.ts";
import type { Resolver } from "./resolver.ts";

/**
 * How TensorFlow's converter orders and names what a signature lists. Of a TensorFlow 2 model: by Fingerprint64 of the
 * keys, under the tensors' full names ("serving_default_x:0"). Of a TensorFlow 1 model: by the tensors' names, bare
 * where it is output 0 ("x").
 */
export type Convention = "tensorflow1" | "tensorflow2";

/** Plans the inputs; their shapes are decided here. */
export function planInputs(
  signature: SignatureDef,
  convention: Convention,
  options: ShapeOptions,
  diagnostics: Diagnostic[],
  where: string,
): InputPlan[] {
  const described = ordered(signature.inputs, convention, `${where}, input`).map((entry) => ({
    key: entry.key,
    tensorName: entry.name,
    node: placeholderName(entry.name),
    dtype: toDType(entry.info.dtype, entry.where),
    signatureShape: toShape(entry.info.tensor_shape, entry.where),
  }));
  const names = new Set(described.map(({ node }) => node));
  if (names.size < described.length)
    throw malformed(where, "two inputs for one tensor", "one each");
  const shapes = decideShapes(described, options, diagnostics);
  return described.map((input, i) => ({ ...input, shape: shapes[i] }));
}

/** Plans the outputs and finds the values behind them. */
export function planOutputs(
  signature: SignatureDef,
  convention: Convention,
  resolver: Resolver,
  where: string,
): OutputPlan[] {
  if (signature.outputs.size === 0) throw malformed(where, "no outputs", "at least one");
  return ordered(signature.outputs, convention, `${where}, output`).map((entry) => {
    const value = resolver.resolve(resolver.program.main, entry.name);
    if (value === undefined) throw malformed(entry.where, `tensor "${entry.name}"`, "a value");
    return { key: entry.key, tensorName: entry.name, value };
  });
}

/** Where a graph is cut: full tensor name to the Placeholder that stands for it. */
export function cutsOf(inputs: readonly InputPlan[]): Map<string, string> {
  return new Map(
    inputs.map(({ tensorName, node }) => [
      tensorName.includes(":") ? tensorName : `${tensorName}:0`,
      node,
    ]),
  );
}

/** Placeholders are named after the node that they replace; further outputs of a node need names of their own. */
export function placeholderName(tensorName: string): string {
  return tensorName.replace(/:0$/, "").replace(":", "_");
}

interface Entry {
  readonly key: string;
  readonly name: string;
  readonly info: TensorInfo;
  readonly where: string;
}

function ordered(
  infos: ReadonlyMap<string, TensorInfo>,
  convention: Convention,
  place: string,
): Entry[] {
  const entries = [...infos].map(([key, info]): Entry => {
    const where = `${place} "${key}"`;
    const name = tensorNameOf(info, where);
    return { key, info, where, name: convention === "tensorflow1" ? bareName(name) : name };
  });
  return convention === "tensorflow1"
    ? entries.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
    : entries.sort((a, b) => compareByFingerprint(a.key, b.key));
}

function bareName(tensorName: string): string {
  return tensorName.replace(/:0$/, "");
}

function tensorNameOf(info: TensorInfo, where: string): string {
  if (info.encoding === "name") return info.name;
  throw malformed(where, `a ${info.encoding ?? "tensor without a name"}`, "a plain tensor");
}

function malformed(where: string, found: string, expected: string): FormatError {
  return new FormatError({ format: "saved_model", where, found, expected });
}
