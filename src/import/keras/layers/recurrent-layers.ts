/** SimpleRNN, LSTM, GRU, ConvLSTM, RNN and Bidirectional. */
import type { Config } from "../config.ts";
import {
  type LayerCall,
  type LayerWeights,
  type Translate,
  tensorArgument,
  tensorsOf,
  unsupported,
} from "../layer.ts";
import { type LayerSpec, readInnerLayer } from "../model-spec.ts";
import { type Attrs, type Symbolic, type, zeroData } from "../node-writer.ts";
import type { CellSource } from "./cell.ts";
import { readCell } from "./cells.ts";
import { concat } from "./merge.ts";
import { type RecurrenceResult, writeLoop, zeros } from "./recurrent.ts";
import { channelTurn, type Turn } from "./shapes.ts";

/** A recurrent layer, alone or inside another. */
interface RecurrentLayer {
  readonly className: string;
  readonly config: Config;
  readonly weights: LayerWeights;
  readonly path: string;
}

export const recurrent: Translate = (call) => {
  const { layer, config, path } = call;
  const { input, states: given } = inputAndStates(call);
  const own = { className: layer.className, config, weights: call.weights.inner("cell"), path };
  const { output, states } = channelsLast(call, own, input, given);
  const mask = tensorArgument(call, "mask") ?? input.mask;
  const isSequence = config.flag("return_sequences", false);
  const first = isSequence && mask !== undefined ? { ...output, mask } : output;
  return config.flag("return_state", false) ? [first, ...states] : first;
};

/** The input, and states given in the call: as a keyword, after the input, or, in Keras 2, in one list with it. */
function inputAndStates(call: LayerCall): { input: Symbolic; states: readonly Symbolic[] } {
  const [input, ...inList] = call.inputs;
  if (input === undefined) throw call.config.wrong("no input", "one");
  const given = tensorsOf(call.kwargs.get("initial_state"));
  const after = call.args.slice(1).flatMap(tensorsOf);
  return { input, states: given.length > 0 ? given : [...inList, ...after] };
}

/** Runs a layer over images that have their channels first as over others, and turns them there and back. */
function channelsLast(
  call: LayerCall,
  layer: RecurrentLayer,
  input: Symbolic,
  given: readonly Symbolic[],
): { output: Symbolic; states: readonly Symbolic[] } {
  const { config, path } = layer;
  if (config.text("data_format", "channels_last") !== "channels_first")
    return run(call, layer, input, given);
  const rank = input.shape.length;
  const steps = channelTurn(rank, 2);
  const images = channelTurn(rank - 1);
  const turn = (name: string, x: Symbolic, { toLast }: Turn) => ({
    ...call.writer.transpose(`${path}/${name}`, x, toLast),
    ...(x.mask === undefined ? {} : { mask: x.mask }),
  });
  const result = run(
    call,
    layer,
    turn("to_last", input, steps),
    given.map((state, i) => turn(`state_${i}/to_last`, state, images)),
  );
  const back = (name: string, x: Symbolic) =>
    call.writer.transpose(name, x, (x.shape.length === rank ? steps : images).toFirst);
  return {
    output: back(`${path}/to_first`, result.output),
    states: result.states.map((state, i) => back(`${path}/state_${i}/to_first`, state)),
  };
}

/** Outputs and states of a recurrent layer. The cells of a stack run one after the other, each over the whole sequence. */
function run(
  call: LayerCall,
  layer: RecurrentLayer,
  input: Symbolic,
  given: readonly Symbolic[],
): { output: Symbolic; states: Symbolic[] } {
  const { config, path } = layer;
  if (input.shape.length < 3 || input.shape.some((size) => size < 0)) {
    throw unsupported(config, "a recurrent layer over an open shape", "Give the input's shape");
  }
  if (config.flag("time_major", false)) throw unsupported(config, "time_major");
  const sources = cellsOf(call, layer);
  const isStack = sources.length > 1;
  const goBackwards = config.flag("go_backwards", false);
  const turns = isStack && goBackwards;
  const mask = tensorArgument(call, "mask") ?? input.mask;
  const stepMask = turns && mask !== undefined ? reverseTime(call, mask) : mask;
  let steps = turns ? reverseTime(call, input) : input;
  let last = input;
  const states: Symbolic[] = [];
  for (const [i, source] of sources.entries()) {
    const result = runCell(call, source, {
      layer: isStack ? { ...layer, path: `${path}/cell_${i}` } : layer,
      input: steps,
      given: given.slice(states.length),
      mask: stepMask,
      goBackwards: goBackwards && !turns,
    });
    ({ sequence: steps, last } = result);
    states.push(...result.states);
  }
  if (given.length > 0 && given.length !== states.length)
    throw config.wrong(`${given.length} states`, `${states.length}`);
  return { output: config.flag("return_sequences", false) ? steps : last, states };
}

interface CellRun {
  readonly layer: RecurrentLayer;
  readonly input: Symbolic;
  /** States to start with, those of later cells among them; zeros, or what is kept, where there are none. */
  readonly given: readonly Symbolic[];
  readonly mask: Symbolic | undefined;
  readonly goBackwards: boolean;
}

function runCell(
  call: LayerCall,
  source: CellSource,
  { layer: { config, path }, input, given, mask, goBackwards }: CellRun,
): RecurrenceResult {
  const { writer } = call;
  const [batch, , ...rest] = input.shape as [number, number, ...number[]];
  const { cell, outputShape, stateCount } = readCell(source, [batch, ...rest]);
  const shape = [batch, ...outputShape];
  const kept = config.flag("stateful", false)
    ? stateVariables(call, path, stateCount, shape)
    : undefined;
  const zero = (i: number) => zeros(writer, `${path}/zeros_${i}`, shape);
  const start = kept?.values ?? Array.from({ length: stateCount }, (_, i) => zero(i));
  const initial = given.length > 0 ? given.slice(0, stateCount) : start;
  if (initial.length !== stateCount)
    throw config.wrong(`${initial.length} states`, `${stateCount}`);
  const result = writeLoop(writer, {
    path,
    input,
    initial,
    outputShape,
    cell,
    goBackwards,
    mask,
    zeroOutputForMask: config.flag("zero_output_for_mask", false),
  });
  kept?.assign(result.states);
  return result;
}

/** The layer is its own cell, or holds one (RNN), which may be a stack of several. */
function cellsOf(
  { kerasVersion }: LayerCall,
  { className, config, weights }: RecurrentLayer,
): CellSource[] {
  if (className !== "RNN") return [{ className, config, weights, kerasVersion }];
  return stackedCells(readInnerLayer(config.get("cell"), config.where), weights, kerasVersion);
}

function stackedCells(
  { className, config }: LayerSpec,
  weights: LayerWeights,
  kerasVersion: number,
): CellSource[] {
  if (className !== "StackedRNNCells") return [{ className, config, weights, kerasVersion }];
  if (config.flag("reverse_state_order", false)) throw unsupported(config, "reverse_state_order");
  const cells = config.list("cells").map((cell) => readInnerLayer(cell, config.where));
  if (cells.length === 0) throw config.wrong("no cells", "one or more");
  return cells.flatMap((cell, i) =>
    stackedCells(cell, weights.member("cells", cells, i), kerasVersion),
  );
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
  const { input, states: initial } = inputAndStates(call);
  const forward = readInnerLayer(config.get("layer"), config.where);
  const other = config.get("backward_layer");
  const backward = other === undefined ? undefined : readInnerLayer(other, config.where);
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
  // The first half of the states is the forward layer's.
  const half = initial.length / 2;
  const ahead = channelsLast(call, part("forward", forward), input, initial.slice(0, half));
  const backConfig = backward ?? { ...forward, config: backwards(forward.config) };
  const behind = channelsLast(call, part("backward", backConfig), input, initial.slice(half));
  const sequences = forward.config.flag("return_sequences", false);
  const turned = sequences ? reverseTime(call, behind.output) : behind.output;
  const merged = merge(call, ahead.output, turned);
  if (!forward.config.flag("return_state", false)) return merged;
  return [...[merged].flat(), ...ahead.states, ...behind.states];
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
