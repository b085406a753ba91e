/**
 * Simulated quantization of constants: what FakeQuant leaves of a weight that a network was trained with. Formula and
 * the order of its roundings: tensorflow/core/kernels/fake_quant_ops_functor.h.
 */
import { type NudgedGrid, nudgedGrid } from "../../base/nudged-grid.ts";
import { findAttr } from "../../graph/attrs.ts";
import type { GraphNode, TensorValue } from "../../graph/ir.ts";
import { flagAttr } from "../attributes.ts";
import { type Evaluator, numbersOf, one } from "./values.ts";

/**
 * The grids of a FakeQuant node: one, or one for each entry of the last dimension. Undefined where the range is not
 * known, or is none: TensorFlow wants min ≤ 0 ≤ max and 2 to 16 bits. An empty range makes everything 0: its grid has
 * the scale 0.
 */
export function gridsOf(
  node: GraphNode,
  min: TensorValue | undefined,
  max: TensorValue | undefined,
): NudgedGrid[] | undefined {
  const bits = findAttr(node, "num_bits", "int") ?? 8;
  const lows = limitsOf(node, "min", min);
  const highs = limitsOf(node, "max", max);
  if (lows === undefined || highs === undefined || lows.length !== highs.length) return undefined;
  if (bits < 2 || bits > 16) return undefined;
  const ranges = Array.from(lows, (low, i) => [low, highs[i] ?? Number.NaN] as const);
  if (!ranges.every(([low, high]) => low <= 0 && high >= 0)) return undefined;
  const narrow = flagAttr(node, "narrow_range");
  return ranges.map(([low, high]) =>
    low === high ? { scale: 0, min: 0, max: 0 } : nudgedGrid(low, high, bits, narrow),
  );
}

function limitsOf(
  node: GraphNode,
  name: "min" | "max",
  operand: TensorValue | undefined,
): ArrayLike<number> | undefined {
  const given = findAttr(node, name, "float");
  if (given !== undefined) return [Math.fround(given)];
  return operand?.dtype === "float32" ? numbersOf(operand) : undefined;
}

/** Rounds a value to its grid. */
export function snap(value: number, { scale, min, max }: NudgedGrid): number {
  if (scale === 0) return 0;
  const { fround } = Math;
  const inverse = fround(1 / scale);
  const zero = zeroStep({ scale, min, max });
  const clamped = Math.min(Math.max(value, min), max);
  const steps = fround(fround(fround(fround(clamped - min) * inverse) - zero) + 0.5);
  return fround(Math.floor(steps) * scale);
}

/** The step of the grid at which 0 is. */
export function zeroStep({ scale, min }: NudgedGrid): number {
  const { fround } = Math;
  return Math.floor(fround(fround(-min * fround(1 / scale)) + 0.5));
}

const fakeQuant: Evaluator = (node, [x, min, max]) => {
  const grids = gridsOf(node, min, max);
  if (grids === undefined || x?.dtype !== "float32") return undefined;
  const [first] = grids;
  if (first === undefined || (grids.length > 1 && x.shape.at(-1) !== grids.length))
    return undefined;
  const source = x.data as Float32Array;
  const data = source.map((value, i) => snap(value, grids[i % grids.length] ?? first));
  return one({ dtype: "float32", shape: x.shape, data });
};

export const FAKE_QUANT: ReadonlyMap<string, Evaluator> = new Map([
  ["FakeQuantWithMinMaxArgs", fakeQuant],
  ["FakeQuantWithMinMaxVars", fakeQuant],
  ["FakeQuantWithMinMaxVarsPerChannel", fakeQuant],
]);
