/**
 * Emits what an LSTM does with one row of gates once their sums are complete (`reference/lstm-cell.ts` has the formulas):
 * activations, cell state and hidden vector. Gates lie one behind the other in the order input, forget, cell, output;
 * without an input gate (CIFG) the forget gate is first.
 *
 * Activations are computed in float64 and rounded once, as the reference does, because the hidden vector may be
 * quantized next.
 */
import { assert } from "../../../base/errors.ts";
import type { FunctionBuilder, Local } from "../../../wasm/function-builder.ts";
import type { ModuleBuilder } from "../../../wasm/module-builder.ts";
import {
  emitAddTo,
  emitCopy,
  emitCountdown,
  emitSplat,
  emitSplatConstant,
} from "../emit-basics.ts";
import {
  emitPreciseLogistic,
  emitPreciseTanh,
  type PreciseScratch,
  preciseScratch,
} from "../math/emit-precise.ts";

export interface LstmCellVariant {
  /** The activation of cell gate and cell state: tangent, or limits. */
  readonly activation: "tanh" | "clamp";
  readonly hasInputGate: boolean;
  readonly hasPeepholes: boolean;
  /** "basic": input, cell, forget, output, as the basic kernel has them. */
  readonly order?: "basic";
}

export function lstmCellName(variant: LstmCellVariant): string {
  const { activation, hasInputGate, hasPeepholes, order = "" } = variant;
  const parts = [activation, order, hasInputGate ? "" : "cifg", hasPeepholes ? "peepholes" : ""];
  return `f32-lstm-cell-${parts.filter((part) => part !== "").join("-")}`;
}

/**
 * Addresses in bytes. gates: float32[gates, cells]. cell: float32[cells], replaced. hidden: float32[cells].
 * peepholes: float32[gates without the cell gate, cells], in the order of the gates. clip: limit of the cell state.
 * low, high: limits of the activation, where it is a clamp.
 */
export type LstmCellFunction = (
  gates: number,
  cell: number,
  hidden: number,
  cells: number,
  peepholes: number,
  clip: number,
  low: number,
  high: number,
) => void;

type GateName = "input" | "forget" | "candidate" | "output";

interface Frame {
  readonly f: FunctionBuilder;
  readonly variant: LstmCellVariant;
  readonly precise: PreciseScratch;
  readonly limits: readonly [low: Local, high: Local];
  readonly gates: ReadonlyMap<GateName, Local>;
  readonly peepholes: ReadonlyMap<GateName, Local>;
  readonly lanes: 1 | 4;
}

function gateOrder({ hasInputGate, order }: LstmCellVariant): readonly GateName[] {
  if (order === "basic") return ["input", "candidate", "forget", "output"];
  const others = ["forget", "candidate", "output"] as const;
  return hasInputGate ? ["input", ...others] : others;
}

/** Adds the function to `module`. */
export function emitLstmCell(module: ModuleBuilder, variant: LstmCellVariant): void {
  const params = [...Array<"i32">(5).fill("i32"), ...Array<"f32">(3).fill("f32")] as const;
  const f = module.function(params, [], lstmCellName(variant));
  const [gates, cell, hidden, cells, peepholes] = [0, 1, 2, 3, 4].map((index) =>
    f.param(index),
  ) as Local[];
  const clip = emitSplat(f, f.param(5));
  const names = gateOrder(variant);
  const frame: Omit<Frame, "lanes"> = {
    f,
    variant,
    precise: preciseScratch(f),
    limits: [emitSplat(f, f.param(6)), emitSplat(f, f.param(7))],
    gates: emitPointers(f, names, gates, cells),
    peepholes: variant.hasPeepholes
      ? emitPointers(
          f,
          names.filter((name) => name !== "candidate"),
          peepholes,
          cells,
        )
      : new Map(),
  };
  const pointers = [...frame.gates.values(), ...frame.peepholes.values(), cell, hidden];
  for (const lanes of [4, 1] as const) {
    emitCountdown(f, cells, lanes, () => {
      emitTurn({ ...frame, lanes }, cell, hidden, clip);
      for (const pointer of pointers) emitAddTo(f, pointer, 4 * lanes);
    });
  }
}

/** Pointers to vectors of `cells` floats that follow each other. */
function emitPointers(
  f: FunctionBuilder,
  names: readonly GateName[],
  start: Local,
  cells: Local,
): ReadonlyMap<GateName, Local> {
  const pointers = new Map<GateName, Local>();
  for (const name of names) {
    const pointer = f.local("i32");
    emitCopy(f, start, pointer);
    f.get(start);
    f.get(cells);
    f.i32(2);
    f.op("i32.shl");
    f.op("i32.add");
    f.set(start);
    pointers.set(name, pointer);
  }
  return pointers;
}

/** c = clip(f·c + i·g), h = o·act(c) for some cells. */
function emitTurn(frame: Frame, cell: Local, hidden: Local, clip: Local): void {
  const { f, variant } = frame;
  const [state, forget, added] = [f.local("v128"), f.local("v128"), f.local("v128")];
  emitLoad(frame, cell);
  f.set(state);
  emitGate(frame, "forget", state);
  f.set(forget);
  if (variant.hasInputGate) emitGate(frame, "input", state);
  else {
    emitSplatConstant(f, 1);
    f.get(forget);
    f.op("f32x4.sub");
  }
  emitGate(frame, "candidate", state);
  f.op("f32x4.mul");
  f.set(added);
  f.get(forget);
  f.get(state);
  f.op("f32x4.mul");
  f.get(added);
  f.op("f32x4.add");
  f.get(clip);
  f.op("f32x4.pmin");
  f.get(clip);
  f.op("f32x4.neg");
  f.op("f32x4.pmax");
  f.set(state);
  emitStore(frame, cell, state);
  emitGate(frame, "output", state);
  f.get(state);
  emitActivation(frame);
  f.op("f32x4.mul");
  f.set(added);
  emitStore(frame, hidden, added);
}

/** Emits [] → the activated gate; `state` is the cell state that its peephole sees. */
function emitGate(frame: Frame, name: GateName, state: Local): void {
  const { f, gates, peepholes, precise } = frame;
  const address = gates.get(name);
  assert(address !== undefined, `a gate ${name}`);
  emitLoad(frame, address);
  const peephole = peepholes.get(name);
  if (peephole !== undefined) {
    emitLoad(frame, peephole);
    f.get(state);
    f.op("f32x4.mul");
    f.op("f32x4.add");
  }
  if (name === "candidate") emitActivation(frame);
  else emitPreciseLogistic(f, precise);
}

/** Emits [x] → act(x). */
function emitActivation({ f, variant, precise, limits }: Frame): void {
  if (variant.activation === "tanh") {
    emitPreciseTanh(f, precise);
    return;
  }
  f.get(limits[0]);
  f.op("f32x4.pmax");
  f.get(limits[1]);
  f.op("f32x4.pmin");
}

function emitLoad({ f, lanes }: Frame, address: Local): void {
  f.get(address);
  if (lanes === 4) f.mem("v128.load", 0, 2);
  else f.mem("v128.load32_zero");
}

function emitStore({ f, lanes }: Frame, address: Local, value: Local): void {
  f.get(address);
  f.get(value);
  if (lanes === 4) f.mem("v128.store", 0, 2);
  else f.memLane("v128.store32_lane", 0);
}
