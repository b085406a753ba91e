/** Attention and AdditiveAttention: one head, no projections. */
import {
  type CallArgument,
  type LayerCall,
  type Translate,
  unsupported,
  weightOf,
} from "../layer.ts";
import { flag, type Symbolic } from "../node-writer.ts";
import { isFlagged, maskScores } from "./attention-masks.ts";

/** softmax(scores)·v, the scores q·kᵀ · scale or, concatenated, weight · Σ tanh(scale · (q + k)). */
export const attention: Translate = (call) => {
  const { config, writer, path } = call;
  const operands = operandsOf(call);
  const scale = config.flag("use_scale", false) ? weightOf(call, "scale", 0) : undefined;
  if (config.text("score_mode", "dot") === "concat") {
    const sum = everyPair(call, operands);
    const scaled = scale === undefined ? sum : writer.binary(`${path}/mul`, "Mul", scale, sum);
    const tanh = writer.unary(`${path}/Tanh`, "Tanh", scaled);
    const total = writer.reduce(`${path}/Sum`, "Sum", tanh, [-1], false);
    const weight = weightOf(call, "concat_score_weight", scale === undefined ? 0 : 1);
    return weighted(call, writer.binary(`${path}/mul_1`, "Mul", weight, total), operands);
  }
  const { query, key } = operands;
  const shape = [...query.shape.slice(0, -1), key.shape.at(-2)!];
  const attrs = { adj_x: flag(false), adj_y: flag(true) };
  const scores = writer.emit(`${path}/MatMul`, "BatchMatMulV2", [query, key], { shape }, attrs);
  if (scale === undefined) return weighted(call, scores, operands);
  return weighted(call, writer.binary(`${path}/mul`, "Mul", scores, scale), operands);
};

/** softmax(Σ scale · tanh(q + k))·v, of every query with every key. */
export const additiveAttention: Translate = (call) => {
  const { config, writer, path } = call;
  const operands = operandsOf(call);
  const tanh = writer.unary(`${path}/Tanh`, "Tanh", everyPair(call, operands));
  const scaled = config.flag("use_scale", true)
    ? writer.binary(`${path}/mul`, "Mul", weightOf(call, "scale", 0, 1), tanh)
    : tanh;
  return weighted(call, writer.reduce(`${path}/Sum`, "Sum", scaled, [-1], false), operands);
};

/** q + k of every query with every key: float[batch, from, to, features]. */
function everyPair({ writer, path }: LayerCall, { query, key }: Operands): Symbolic {
  const wide = (name: string, x: Symbolic, added: number) =>
    writer.reshape(`${path}/${name}`, x, [...x.shape.slice(0, added), 1, ...x.shape.slice(added)]);
  const rank = query.shape.length;
  const rows = wide("Reshape", query, rank - 1);
  return writer.binary(`${path}/add`, "AddV2", rows, wide("Reshape_1", key, rank - 2));
}

interface Operands {
  readonly query: Symbolic;
  readonly value: Symbolic;
  readonly key: Symbolic;
}

function operandsOf(call: LayerCall): Operands {
  const { config, inputs, kwargs, layer } = call;
  const [query, value, key] = inputs;
  if (query === undefined || value === undefined) throw config.wrong("no query or value", "both");
  const rank = query.shape.length;
  if (rank < 3 || inputs.some(({ shape }) => shape.length !== rank))
    throw unsupported(config, `${layer.className} of [${query.shape.join(", ")}]`);
  const masks = kwargs.get("mask");
  if (masks?.kind === "tensor") throw config.wrong("one mask", "a list of two");
  const [ofQuery, ofValue] = masksOf(masks);
  return { query: withMask(query, ofQuery), value: withMask(value, ofValue), key: key ?? value };
}

/** A list of masks, of which each may be missing. */
function masksOf(argument: CallArgument | undefined): (Symbolic | undefined)[] {
  const items = argument?.kind === "list" ? argument.items : [];
  return items.map((item) => (item.kind === "tensor" ? item.tensor : undefined));
}

const withMask = (x: Symbolic, mask: Symbolic | undefined): Symbolic =>
  mask === undefined ? x : { ...x, mask };

function weighted(
  call: LayerCall,
  raw: Symbolic,
  { query, value }: Operands,
): Symbolic | Symbolic[] {
  const { writer, path, config } = call;
  const isMasked = query.mask !== undefined || value.mask !== undefined;
  if (isMasked && query.shape.length !== 3) throw unsupported(config, "masks in four dimensions");
  const { mask, ...plain } = query;
  const masking = { query: plain, values: value, keys: undefined, axes: 1, window: undefined };
  const { scores } = maskScores(call, raw, masking);
  const weights = writer.unary(`${path}/Softmax`, "Softmax", scores);
  const shape = [...scores.shape.slice(0, -1), value.shape.at(-1)!];
  const attrs = { adj_x: flag(false), adj_y: flag(false) };
  const name = `${path}/MatMul_1`;
  const mixed = writer.emit(name, "BatchMatMulV2", [weights, value], { shape }, attrs);
  const y = mask === undefined ? mixed : masked(call, mixed, mask);
  return isFlagged(call.kwargs.get("return_attention_scores")) ? [y, weights] : y;
}

/** Queries that do not count give 0. */
function masked({ writer, path }: LayerCall, x: Symbolic, mask: Symbolic): Symbolic {
  const counts = writer.reshape(`${path}/query_mask`, mask, [...mask.shape, 1]);
  return writer.select(`${path}/SelectV2`, counts, x, writer.float(`${path}/zero`, 0));
}
