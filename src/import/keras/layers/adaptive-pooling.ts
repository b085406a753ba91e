/** Pooling to a given size: output i of `count` looks at elements floor(i · n / count) … ceil((i + 1) · n / count). */
import { describe } from "../config.ts";
import { inputOf, type LayerCall, type Translate, unsupported } from "../layer.ts";
import { madeVector, type Symbolic } from "../node-writer.ts";
import { concat } from "./merge.ts";
import { overWindows } from "./pooling.ts";
import { channelsLast } from "./resizing.ts";

/** Where the windows along one dimension begin, and how long each is. */
interface Windows {
  readonly begins: readonly number[];
  readonly lengths: readonly number[];
}

function windowsOf(size: number, count: number, where: string): Windows {
  const begins = madeVector(count, where, (i) => Math.floor((i * size) / count));
  const lengths = begins.map((begin, i) => Math.ceil(((i + 1) * size) / count) - begin);
  return { begins, lengths };
}

/** The step between windows, where they have one length and one step. */
function stepOf({ begins, lengths }: Windows): number | undefined {
  const step = (begins[1] ?? lengths[0]!) - begins[0]!;
  const isEven = lengths.every((length, i) => length === lengths[0] && begins[i] === i * step);
  return isEven && step > 0 ? step : undefined;
}

export const adaptivePool =
  (op: "MaxPool" | "AvgPool"): Translate =>
  (call) => {
    const { config } = call;
    const given = inputOf(call);
    const rank = given.shape.length - 2;
    const counts = config.sizes("output_size", rank);
    return channelsLast(call, given, (x) => {
      const sizes = x.shape.slice(1, -1);
      if (sizes.some((size) => size < 0) || counts.some((count) => count < 1))
        throw unsupported(config, `adaptive pooling of [${x.shape}] to ${describe(counts)}`);
      const windows = sizes.map((size, i) => windowsOf(size, counts[i]!, config.where));
      const steps = windows.map(stepOf);
      if (steps.every((step) => step !== undefined)) {
        const lengths = windows.map(({ lengths: [length] }) => length!);
        return overWindows(call, op, x, lengths, steps);
      }
      return windows.reduce((y, each, i) => alongOne(call, op, y, i, each), x);
    });
  };

/** Along one dimension: for each length of window all places, of which those that are wanted are taken. */
function alongOne(
  call: LayerCall,
  op: string,
  x: Symbolic,
  dimension: number,
  windows: Windows,
): Symbolic {
  const { writer, path } = call;
  const rank = x.shape.length - 2;
  const axis = dimension + 1;
  const lengths = [...new Set(windows.lengths)];
  const ones = new Array<number>(rank).fill(1);
  const pooled = lengths.map((length) =>
    overWindows(call, op, x, ones.with(dimension, length), ones),
  );
  const offsets = pooled.map((_, i) =>
    pooled.slice(0, i).reduce((sum, { shape }) => sum + shape[axis]!, 0),
  );
  const places = windows.begins.map(
    (begin, i) => begin + offsets[lengths.indexOf(windows.lengths[i]!)]!,
  );
  const all = pooled.length === 1 ? pooled[0]! : concat(call, pooled, axis);
  return writer.gather(`${path}/GatherV2`, all, axis, places);
}
