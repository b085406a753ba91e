/** Attention and AdditiveAttention: one head, no projections. */
import { softmax } from "../activations.ts";
import { type LayerCall, type Translate, unsupported, weightOf } from "../layer.ts";
import { flag, type Symbolic } from "../node-writer.ts";

/** softmax(q·kᵀ · scale)·v. */
export const attention: Translate = (call) => {
  const { config, writer, path } = call;
  if (config.text("score_mode", "dot") !== "dot") {
    throw unsupported(config, "Attention with concatenated scores");
  }
  const { query, value, key } = operandsOf(call);
  const shape = [query.shape[0]!, query.shape[1]!, key.shape[1]!];
  const attrs = { adj_x: flag(false), adj_y: flag(true) };
  const scores = writer.emit(`${path}/MatMul`, "BatchMatMulV2", [query, key], { shape }, attrs);
  if (!config.flag("use_scale", false)) return weighted(call, scores, value);
  const scale = weightOf(call, "scale", 0);
  return weighted(call, writer.binary(`${path}/mul`, "Mul", scores, scale), value);
};

/** softmax(Σ scale · tanh(q + k))·v, of every query with every key. */
export const additiveAttention: Translate = (call) => {
  const { config, writer, path } = call;
  const { query, value, key } = operandsOf(call);
  const [batch, from, depth] = query.shape as [number, number, number];
  const rows = writer.reshape(`${path}/Reshape`, query, [batch, from, 1, depth]);
  const columns = writer.reshape(`${path}/Reshape_1`, key, [batch, 1, key.shape[1]!, depth]);
  const sum = writer.binary(`${path}/add`, "AddV2", rows, columns);
  const tanh = writer.unary(`${path}/Tanh`, "Tanh", sum);
  const scaled = config.flag("use_scale", true)
    ? writer.binary(`${path}/mul`, "Mul", weightOf(call, "scale", 0, 1), tanh)
    : tanh;
  return weighted(call, writer.reduce(`${path}/Sum`, "Sum", scaled, [-1], false), value);
};

function operandsOf(call: LayerCall): { query: Symbolic; value: Symbolic; key: Symbolic } {
  const { config, inputs, kwargs, layer } = call;
  const [query, value, key] = inputs;
  if (query === undefined || value === undefined) throw config.wrong("no query or value", "both");
  const options = ["mask", "use_causal_mask", "return_attention_scores"];
  const isPlain = options.every((name) => {
    const given = kwargs.get(name);
    return given === undefined || (given.kind === "value" && !given.value);
  });
  if (!isPlain || inputs.some(({ mask, shape }) => mask !== undefined || shape.length !== 3)) {
    throw unsupported(config, `${layer.className} of this form`);
  }
  return { query, value, key: key ?? value };
}

function weighted({ writer, path }: LayerCall, scores: Symbolic, value: Symbolic): Symbolic {
  const weights = softmax(writer, `${path}/softmax`, scores, -1);
  const shape = [scores.shape[0]!, scores.shape[1]!, value.shape[2]!];
  const attrs = { adj_x: flag(false), adj_y: flag(false) };
  return writer.emit(`${path}/MatMul_1`, "BatchMatMulV2", [weights, value], { shape }, attrs);
}
