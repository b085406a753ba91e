/** Which positions attention may look at: masks of the call, of its inputs, causal ones and windows. */
import { type CallArgument, type LayerCall, tensorArgument, unsupported } from "../layer.ts";
import { type Symbolic, type, zeroData } from "../node-writer.ts";

/** What stands for minus infinity in scores. */
export const LARGE_NEGATIVE = -1e9;

/** Scores [batch, …, from, to] and what masks them. */
export interface Masking {
  readonly query: Symbolic;
  readonly values: Symbolic;
  /** Only where the call gives keys of their own. */
  readonly keys: Symbolic | undefined;
  /** How many axes `from` is, and `to`. */
  readonly axes: number;
  /** Positions that see each other are fewer than this apart. */
  readonly window: number | undefined;
}

/** Scores of which those that do not count are minus infinity. */
export interface MaskedScores {
  readonly scores: Symbolic;
  /** What counts, bool, where rows may be masked as a whole; undefined where none can. */
  readonly counts: Symbolic | undefined;
}

/** Takes positions that do not count out of the scores. */
export function maskScores(call: LayerCall, scores: Symbolic, masking: Masking): MaskedScores {
  const { writer, path, kerasVersion } = call;
  const parts = maskParts(call, scores, masking);
  const fixed = fixedMask(call, masking);
  if (fixed !== undefined && parts.length === 0 && everyRowCounts(fixed)) {
    const low = Float32Array.from(fixed.data, (counts) => (counts === 1 ? 0 : LARGE_NEGATIVE));
    const mask = fixedConstant(call, scores, fixed, low);
    return { scores: writer.binary(`${path}/add`, "AddV2", scores, mask), counts: undefined };
  }
  if (fixed !== undefined) parts.push(fixedConstant(call, scores, fixed, fixed.data));
  if (parts.length === 0) return { scores, counts: undefined };
  const counts = parts.reduce((a, b) =>
    writer.binary(`${path}/mask/and`, "LogicalAnd", a, b, "bool"),
  );
  if (kerasVersion < 3) {
    const sum = writer.binary(`${path}/add`, "AddV2", scores, additive(call, counts));
    return { scores: sum, counts };
  }
  const low = writer.float(`${path}/mask/large`, LARGE_NEGATIVE);
  return { scores: writer.select(`${path}/mask/SelectV2`, counts, scores, low), counts };
}

/** A softmax of masked scores with 0 where nothing counts, as Keras' Softmax layer gives it from 3.10 on. */
export function zeroWhereMasked(
  { writer, kerasVersion }: LayerCall,
  name: string,
  weights: Symbolic,
  counts: Symbolic,
): Symbolic {
  if (kerasVersion < MASKED_SOFTMAX_IS_ZERO) return weights;
  return writer.select(name, counts, weights, writer.float(`${name}/zero`, 0));
}

/** Before, the softmax of a row of which nothing counts was uniform. */
const MASKED_SOFTMAX_IS_ZERO = 3.1;

/** Masks of the call, bool, broadcastable to the scores. */
function maskParts(call: LayerCall, scores: Symbolic, masking: Masking): Symbolic[] {
  const { writer, path } = call;
  const parts: Symbolic[] = [];
  const add = (name: string, mask: Symbolic, shape: readonly number[]): void => {
    parts.push(writer.reshape(`${path}/mask/${name}`, mask, shape));
  };
  const given = tensorArgument(call, "attention_mask");
  if (given !== undefined) {
    const result = { shape: given.shape, dtype: "bool" } as const;
    const attrs = { DstT: type("bool") };
    const counts = writer.emit(`${path}/mask/Cast`, "Cast", [given], result, attrs);
    add("Reshape", counts, spread(given.shape, 2 * masking.axes, scores));
  }
  const own = (name: string, x: Symbolic | undefined): Symbolic | undefined =>
    tensorArgument(call, name) ?? x?.mask;
  const rows = own("query_mask", masking.query);
  const columns = [own("value_mask", masking.values), own("key_mask", masking.keys)];
  if (masking.axes !== 1 && [rows, ...columns].some((mask) => mask !== undefined)) {
    throw unsupported(call.config, "masks of steps in attention over several axes");
  }
  if (rows !== undefined) add("query", rows, spread([...rows.shape, 1], 2, scores));
  for (const mask of columns) {
    if (mask === undefined) continue;
    const [batch, steps] = mask.shape as [number, number];
    add("value", mask, spread([batch, 1, steps], 2, scores));
  }
  return parts;
}

/** The shape of a mask with as many dimensions as the scores: ones before its last `kept`. */
function spread(shape: readonly number[], kept: number, scores: Symbolic): number[] {
  const ones = new Array<number>(Math.max(0, scores.shape.length - shape.length)).fill(1);
  return [...shape.slice(0, -kept), ...ones, ...shape.slice(-kept)];
}

interface FixedMask {
  readonly from: number;
  readonly to: number;
  readonly data: Uint8Array;
}

/** Positions up to one's own, and those inside the window. */
function fixedMask(call: LayerCall, masking: Masking): FixedMask | undefined {
  const isCausal = isFlagged(call.kwargs.get("use_causal_mask"));
  const { window } = masking;
  if (!isCausal && window === undefined) return undefined;
  const [from, to] = [masking.query.shape[1]!, masking.values.shape[1]!];
  if (from < 0 || to < 0) throw unsupported(call.config, "a causal mask over an open dimension");
  if (masking.axes !== 1) throw unsupported(call.config, "a causal mask over several axes");
  const data = Uint8Array.from(zeroData([from, to], call.path), (_, i) => {
    const [row, column] = [Math.floor(i / to), i % to];
    const isNear = window === undefined || Math.abs(row - column) < window;
    return Number(isNear && (!isCausal || column <= row));
  });
  return { from, to, data };
}

const everyRowCounts = ({ from, to, data }: FixedMask): boolean =>
  Array.from({ length: from }, (_, row) => data.subarray(row * to, (row + 1) * to)).every((row) =>
    row.includes(1),
  );

function fixedConstant(
  call: LayerCall,
  scores: Symbolic,
  { from, to }: FixedMask,
  data: Uint8Array | Float32Array,
): Symbolic {
  if (scores.shape.at(-2) !== from || scores.shape.at(-1) !== to)
    throw unsupported(call.config, "a causal mask over another axis than the first");
  const dtype = data instanceof Uint8Array ? "bool" : "float32";
  const shape = spread([1, from, to], 2, scores);
  return call.writer.constant(`${call.path}/causal_mask`, { dtype, shape, data });
}

/** Whether an argument is true. */
export function isFlagged(argument: CallArgument | undefined): boolean {
  return argument?.kind === "value" && argument.value === true;
}

/** (1 - mask) · -1e9, as Keras 2 adds it. */
function additive({ writer, path }: LayerCall, counts: Symbolic): Symbolic {
  const result = { shape: counts.shape, dtype: "float32" } as const;
  const attrs = { DstT: type("float32") };
  const numeric = writer.emit(`${path}/mask/Cast_1`, "Cast", [counts], result, attrs);
  const one = writer.float(`${path}/mask/one`, 1);
  const inverted = writer.binary(`${path}/mask/sub`, "Sub", one, numeric);
  const large = writer.float(`${path}/mask/large`, LARGE_NEGATIVE);
  return writer.binary(`${path}/mask/mul`, "Mul", inverted, large);
}
