/** Simulated quantization with a range for each channel, which TFLite's operator does not have, of values that are computed. */
import { gridsOf, zeroStep } from "../fold/fake-quant.ts";
import { NodeWriter } from "../node-writer.ts";
import type { Decomposition } from "./decomposition.ts";

/** floor((clamp(x) − min) / scale − zero + ½) · scale, with a constant vector for each of the four. */
const perChannel: Decomposition = (node, build) => {
  const [x, min, max] = node.inputs;
  const grids = gridsOf(node, min && build.value(min), max && build.value(max));
  if (x === undefined || grids === undefined) return undefined;
  const w = new NodeWriter(build, node.name);
  // Everything becomes 0 where the range is empty: any scale will do.
  const scales = grids.map(({ scale }) => (scale === 0 ? 1 : scale));
  const vector = (name: string, values: readonly number[]) => {
    const data = Float32Array.from(values);
    return build.constant(`${node.name}/${name}`, { dtype: "float32", shape: [data.length], data });
  };
  const lowest = vector(
    "lowest",
    grids.map((grid) => grid.min),
  );
  const highest = vector(
    "highest",
    grids.map((grid) => grid.max),
  );
  const inverse = vector(
    "inverse",
    scales.map((scale) => 1 / scale),
  );
  const zero = vector(
    "zero",
    grids.map((grid, i) => zeroStep({ ...grid, scale: scales[i] ?? 1 })),
  );
  const clamped = w.binary("Maximum", w.binary("Minimum", x, highest), lowest);
  const steps = w.sub(w.mul(w.sub(clamped, lowest), inverse), zero);
  return [w.mul(w.unary("Floor", w.add(steps, 0.5)), vector("scale", scales))];
};

export const FAKE_QUANT_DECOMPOSITIONS: ReadonlyMap<string, Decomposition> = new Map([
  ["FakeQuantWithMinMaxVarsPerChannel", perChannel],
]);
