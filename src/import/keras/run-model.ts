/** Follows the data through a model: each call of each layer in turn, models inside models included. */
import { FormatError, LimitError, UnsupportedError } from "../../base/errors.ts";
import { orderByDependency } from "../../graph/order.ts";
import {
  bindArgument,
  type CallArgument,
  inputOf,
  type LayerCall,
  type LayerWeights,
  tensorArgument,
  tensorsOf,
  unsupported,
} from "./layer.ts";
import { findTranslation, kindOf, passesMask } from "./layer-table.ts";
import {
  type Argument,
  type Call,
  isModel,
  type LayerSpec,
  type ModelSpec,
  readInnerLayer,
  readModelSpec,
  type TensorId,
  tensorsOfCall,
} from "./model-spec.ts";
import type { NodeWriter, Symbolic } from "./node-writer.ts";
import type { ModelWeights } from "./weights.ts";

/** Models inside models; real ones are two or three deep. */
const MAX_DEPTH = 16;

export interface ModelRun {
  readonly writer: NodeWriter;
  readonly kerasVersion: number;
  readonly path: string;
  readonly depth: number;
}

/**
 * Writes a model's nodes for these inputs.
 *
 * @throws {UnsupportedError} that lists every class of layer for which there is no translation.
 */
export function runModel(
  spec: ModelSpec,
  weights: ModelWeights,
  inputs: readonly Symbolic[],
  run: ModelRun,
): Symbolic[] {
  if (run.depth > MAX_DEPTH) {
    throw new LimitError({
      where: `model "${spec.name}"`,
      found: `models nested more than ${MAX_DEPTH} deep`,
      expected: `at most ${MAX_DEPTH}`,
      limit: "nested models",
      value: run.depth,
      max: MAX_DEPTH,
    });
  }
  const layers = new Map(spec.layers.map((layer) => [layer.name, layer]));
  const values = new Map<string, readonly Symbolic[]>();
  if (inputs.length !== spec.inputs.length) {
    throw malformed(spec, `${inputs.length} inputs given`, `${spec.inputs.length}`);
  }
  for (const [i, id] of spec.inputs.entries()) values.set(keyOf(id), [inputs[i]!]);
  for (const { layer, call, index } of orderedCalls(spec, layers)) {
    const key = keyOf({ layer: layer.name, call: index, tensor: 0 });
    if (values.has(key)) continue;
    const bind = (argument: Argument): CallArgument =>
      bindArgument(argument, ({ id }) => lookUp(spec, values, id));
    const args = call.args.map(bind);
    const kwargs = new Map([...call.kwargs].map(([name, value]) => [name, bind(value)]));
    values.set(key, callLayer(layer, args, kwargs, weights, run));
  }
  return spec.outputs.map((id) => lookUp(spec, values, id));
}

interface PendingCall {
  readonly name: string;
  readonly after: readonly string[];
  readonly layer: LayerSpec;
  readonly call: Call;
  readonly index: number;
}

/** The calls that the outputs need, each after those whose tensors it takes. */
function orderedCalls(spec: ModelSpec, layers: ReadonlyMap<string, LayerSpec>): PendingCall[] {
  const calls = new Map<string, PendingCall>();
  const queue = spec.outputs.map(keyOf);
  const wanted = new Map(spec.outputs.map((id) => [keyOf(id), id]));
  for (let key = queue.pop(); key !== undefined; key = queue.pop()) {
    if (calls.has(key)) continue;
    const id = wanted.get(key)!;
    const layer = layers.get(id.layer);
    const call = layer?.calls[id.call];
    if (layer === undefined || (call === undefined && layer.className !== "InputLayer")) {
      throw malformed(
        spec,
        `a use of call ${id.call} of layer "${id.layer}"`,
        "a call that is there",
      );
    }
    if (call === undefined) continue;
    const before = tensorsOfCall(call);
    for (const each of before) wanted.set(keyOf(each), each);
    const after = before.map(keyOf);
    calls.set(key, { name: key, after, layer, call, index: id.call });
    queue.push(...after);
  }
  return orderByDependency([...calls.values()]);
}

function keyOf({ layer, call }: TensorId): string {
  return `${call} ${layer}`;
}

function lookUp(
  spec: ModelSpec,
  values: ReadonlyMap<string, readonly Symbolic[]>,
  id: TensorId,
): Symbolic {
  const value = values.get(keyOf(id))?.[id.tensor];
  if (value !== undefined) return value;
  throw malformed(
    spec,
    `a use of output ${id.tensor} of layer "${id.layer}"`,
    "an output that is there",
  );
}

function callLayer(
  layer: LayerSpec,
  args: readonly CallArgument[],
  kwargs: ReadonlyMap<string, CallArgument>,
  weights: ModelWeights,
  run: ModelRun,
): readonly Symbolic[] {
  const { writer, kerasVersion } = run;
  const path = `${run.path}${layer.name}`;
  const inputs = tensorsOf(args[0]);
  if (isModel(layer.className)) {
    const inner = readModelSpec(serialized(layer), layer.config.where);
    const given = args.flatMap(tensorsOf);
    return runModel(inner, weights.model(layer, inner), given, {
      ...run,
      path: `${path}/`,
      depth: run.depth + 1,
    });
  }
  const call = { layer, config: layer.config, writer, path, kerasVersion, args, kwargs, inputs };
  if (layer.className === "TimeDistributed") {
    return [timeDistributed({ ...call, weights: weights.layer(layer) }, weights, run)];
  }
  if (layer.className === "SpectralNormalization") {
    // The kernel is divided by its norm while a model is trained; what was saved is the quotient.
    const inner = readInnerLayer(layer.config.get("layer"), layer.config.where);
    return callLayer(inner, args, kwargs, innerWeights(layer, weights), {
      ...run,
      path: `${path}/`,
    });
  }
  const translate = findTranslation(layer);
  if (translate === undefined) throw unsupported(layer.config, `layer ${layer.className}`);
  const own = weights.layer(layer);
  refuseAdapters(layer, own);
  return passMask(call, [translate({ ...call, weights: own })].flat());
}

/** Legacy files keep the kernel of a LoRA layer and its low-rank factors apart; archives have their sum. */
function refuseAdapters({ config }: LayerSpec, { count }: LayerWeights): void {
  if (!config.has("lora_rank") || count < 3) return;
  throw unsupported(config, "LoRA weights beside the kernel", "Save the model as a .keras file");
}

/**
 * Which steps count is known to every layer after an Embedding or Masking, through layers that leave steps where they
 * are; the others forget it, as in Keras.
 */
function passMask(
  call: Omit<LayerCall, "weights">,
  outputs: readonly Symbolic[],
): readonly Symbolic[] {
  const mask = tensorArgument(call, "mask") ?? call.inputs.find((input) => input.mask)?.mask;
  const [first, ...rest] = outputs;
  if (mask === undefined || first === undefined || first.mask !== undefined) return outputs;
  if (!passesMask(call.layer) || first.shape.length < 3) return outputs;
  return [{ ...first, mask }, ...rest];
}

/** A nested model keeps its serialized form as its configuration. */
function serialized(layer: LayerSpec) {
  return { class_name: layer.className, config: layer.config.get("config") ?? null };
}

/** Time folded into the batch, the layer inside, and back. */
function timeDistributed(call: LayerCall, weights: ModelWeights, run: ModelRun): Symbolic {
  const { config, writer, path } = call;
  const x = inputOf(call);
  const inner = readInnerLayer(config.get("layer"), config.where);
  const [batch, steps, ...rest] = x.shape as [number, number, ...number[]];
  const rows = batch < 0 || steps < 0 ? -1 : batch * steps;
  if (rows < 0)
    throw unsupported(config, "TimeDistributed over open dimensions", "Give the input's shape");
  const flat = writer.reshape(`${path}/Reshape`, x, [rows, ...rest]);
  const args: CallArgument[] = [{ kind: "tensor", tensor: flat }];
  const own = innerWeights(call.layer, weights);
  const [y] = callLayer(inner, args, new Map(), own, { ...run, path: `${path}/` });
  return writer.reshape(`${path}/Reshape_1`, y!, [batch, steps, ...y!.shape.slice(1)]);
}

/** Weights of the layer, or model, that a layer wraps. */
function innerWeights(layer: LayerSpec, weights: ModelWeights): ModelWeights {
  return {
    layer: () => weights.layer(layer).inner("layer"),
    model: (_, spec) => weights.inside(layer, ["layer"], spec),
    inside: (_, attributes, spec) => weights.inside(layer, ["layer", ...attributes], spec),
  };
}

/** Layers around another, which follow the data into it. */
const WRAPPERS: ReadonlySet<string> = new Set(["SpectralNormalization", "TimeDistributed"]);

/** Lists the classes of all layers that cannot be translated, of inner models too. */
export function refuseUnknownLayers(spec: ModelSpec, where: string): void {
  const unknown = new Map<string, string[]>();
  const visit = (model: ModelSpec, depth: number): void => {
    for (const layer of model.layers) {
      if (isModel(layer.className)) {
        if (depth < MAX_DEPTH) visit(readModelSpec(serialized(layer), where), depth + 1);
        continue;
      }
      const known = layer.className === "InputLayer" || WRAPPERS.has(layer.className);
      if (known || findTranslation(layer) !== undefined) continue;
      const kind = kindOf(layer);
      unknown.set(kind, [...(unknown.get(kind) ?? []), layer.name]);
    }
  };
  visit(spec, 0);
  if (unknown.size === 0) return;
  const list = [...unknown].map(([name, users]) => `${name} ("${users.slice(0, 3).join('", "')}")`);
  throw new UnsupportedError({
    where,
    found: `layers that have no translation: ${list.join(", ")}`,
    expected: "built-in layers",
    remedy: "Export the model with model.export(path), and convert the SavedModel",
    features: [...unknown.keys()].map((name) => `layer ${name}`),
  });
}

function malformed(spec: ModelSpec, found: string, expected: string): FormatError {
  return new FormatError({ format: "keras", where: `model "${spec.name}"`, found, expected });
}
