/** SimpleRNN, LSTM, GRU, RNN and Bidirectional. */
import type { Config } from "../config.ts";
import {
  inputOf,
  type LayerCall,
  type LayerWeights,
  type Translate,
  tensorArgument,
  tensorsOf,
  unsupported,
} from "../layer.ts";
import { readInnerLayer } from "../model-spec.ts";
import { type Attrs, type Symbolic, type, zeroData } from "../node-writer.ts";
import { type CellSpec, readCell } from "./cells.ts";
import { concat } from "./merge.ts";
import { type RecurrenceResult, writeLoop, zeros } from "./recurrent.ts";

/** A recurrent layer, alone or inside another. */
interface RecurrentLayer {
  readonly className: string;
  readonly config: Config;
  readonly weights: LayerWeights;
  readonly path: string;
}

export const recurrent: Translate = (call) => {
  const { layer, config, path } = call;
  const input = inputOf(call);
  const own = { className: layer.className, config, weights: call.weights.inner("cell"), path };
  const { result, outputs } = run(call, own, input, initialStates(call));
  return config.flag("return_state", false) ? [...outputs, ...result.states] : outputs;
};

/** States given in the call: as a keyword, or after the input. */
function initialStates(call: LayerCall): readonly Symbolic[] {
  const given = tensorsOf(call.kwargs.get("initial_state"));
  return given.length > 0 ? given : call.args.slice(1).flatMap(tensorsOf);
}

function run(
  call: LayerCall,
  layer: RecurrentLayer,
  input: Symbolic,
  given: readonly Symbolic[],
): { result: RecurrenceResult; outputs: Symbolic[] } {
  const { config, path } = layer;
  const { writer } = call;
  if (input.shape.length !== 3 || input.shape.some((size) => size < 0)) {
    throw unsupported(config, "a recurrent layer over an open shape", "Give the input's shape");
  }
  if (config.flag("time_major", false)) throw unsupported(config, "time_major");
  const { cell, units, stateCount } = cellOf(call, layer);
  const batch = input.shape[0]!;
  const kept = config.flag("stateful", false)
    ? stateVariables(call, path, stateCount, [batch, units])
    : undefined;
  const initial =
    given.length > 0
      ? given
      : (kept?.values ??
        Array.from({ length: stateCount }, (_, i) =>
          zeros(writer, `${path}/zeros_${i}`, [batch, units]),
        ));
  if (initial.length !== stateCount)
    throw config.wrong(`${initial.length} states`, `${stateCount}`);
  const result = writeLoop(writer, {
    path,
    input,
    initial,
    units,
    cell,
    goBackwards: config.flag("go_backwards", false),
    mask: tensorArgument(call, "mask") ?? input.mask,
    zeroOutputForMask: config.flag("zero_output_for_mask", false),
  });
  if (kept !== undefined) kept.assign(result.states);
  const output = config.flag("return_sequences", false) ? result.sequence : result.last;
  return { result, outputs: [output] };
}

/** The layer is its own cell, or holds one (RNN). */
function cellOf(call: LayerCall, { className, config, weights }: RecurrentLayer): CellSpec {
  const { kerasVersion } = call;
  if (className !== "RNN") return readCell({ className, config, weights, kerasVersion });
  const inner = readInnerLayer(config.get("cell"), config.where);
  return readCell({ className: inner.className, config: inner.config, weights, kerasVersion });
}

/** States that survive from call to call: variables that start as zeros. */
function stateVariables(
  { writer }: LayerCall,
  path: string,
  count: number,
  shape: readonly number[],
): { values: Symbolic[]; assign(states: readonly Symbolic[]): void } {
  const handles = Array.from({ length: count }, (_, i) => {
    const initial = { dtype: "float32", shape, data: zeroData(shape, path) } as const;
    const attrs: Attrs = {
      dtype: type("float32"),
      shape: { kind: "shape", value: shape },
      shared_name: { kind: "string", value: `${path}/state_${i}` },
      initial_value: { kind: "tensor", value: initial },
    };
    return writer.emit(
      `${path}/state_${i}`,
      "VarHandleOp",
      [],
      { shape: [], dtype: "resource" },
      attrs,
    );
  });
  const dtype = { dtype: type("float32") };
  const result = { shape, dtype: "float32" } as const;
  return {
    values: handles.map((handle, i) =>
      writer.emit(`${path}/ReadVariableOp_${i}`, "ReadVariableOp", [handle], result, dtype),
    ),
    assign(states) {
      for (const [i, state] of states.entries()) {
        writer.emitMany(
          `${path}/AssignVariableOp_${i}`,
          "AssignVariableOp",
          [handles[i]!, state],
          [],
          dtype,
        );
      }
    },
  };
}

/** Forward and backward, the backward sequence turned round again, then merged. */
export const bidirectional: Translate = (call) => {
  const { config, path, weights } = call;
  const input = inputOf(call);
  const forward = readInnerLayer(config.get("layer"), config.where);
  const given = config.get("backward_layer");
  const backward = given === undefined ? undefined : readInnerLayer(given, config.where);
  const part = (name: "forward" | "backward", from: typeof forward): RecurrentLayer => {
    const attribute = `${name}_layer`;
    const layerName = backward === undefined ? `${name}_${forward.name}` : from.name;
    return {
      className: from.className,
      config: from.config,
      weights: weights.inner(attribute, layerName).inner("cell"),
      path: `${path}/${name}`,
    };
  };
  const ahead = run(call, part("forward", forward), input, []);
  const backConfig = backward ?? { ...forward, config: backwards(forward.config) };
  const behind = run(call, part("backward", backConfig), input, []);
  const sequences = forward.config.flag("return_sequences", false);
  const turned = sequences ? reverseTime(call, behind.outputs[0]!) : behind.outputs[0]!;
  const merged = merge(call, ahead.outputs[0]!, turned);
  if (!forward.config.flag("return_state", false)) return merged;
  return [...[merged].flat(), ...ahead.result.states, ...behind.result.states];
};

function reverseTime({ writer, path }: LayerCall, x: Symbolic): Symbolic {
  const axis = writer.ints(`${path}/ReverseV2/axis`, [1]);
  return writer.emit(`${path}/ReverseV2`, "ReverseV2", [x, axis], { shape: x.shape });
}

/** The backward layer of files that describe the forward one only. */
function backwards(config: Config): Config {
  return config.with({ go_backwards: !config.flag("go_backwards", false) });
}

function merge(call: LayerCall, a: Symbolic, b: Symbolic): Symbolic | Symbolic[] {
  const { config, writer, path } = call;
  if (!config.has("merge_mode")) return [a, b];
  switch (config.text("merge_mode")) {
    case "concat":
      return concat(call, [a, b], -1);
    case "sum":
      return writer.binary(`${path}/add`, "AddV2", a, b);
    case "mul":
      return writer.binary(`${path}/mul`, "Mul", a, b);
    case "ave": {
      const sum = writer.binary(`${path}/add`, "AddV2", a, b);
      return writer.binary(`${path}/truediv`, "RealDiv", sum, writer.float(`${path}/two`, 2));
    }
    default:
      throw unsupported(config, `merge_mode ${config.text("merge_mode")}`);
  }
}
