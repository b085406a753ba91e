/** Multi-head attention, with the equations of Keras (three dimensions: batch, position, features). */
import { softmax } from "../activations.ts";
import {
  type LayerCall,
  type Translate,
  tensorArgument,
  tensorsOf,
  unsupported,
} from "../layer.ts";
import { type Symbolic, text, type, zeroData } from "../node-writer.ts";

/** What stands for minus infinity in scores. */
const LARGE_NEGATIVE = -1e9;

export const multiHeadAttention: Translate = (call) => {
  const { config, writer, path } = call;
  const [query, value] = call.args.flatMap(tensorsOf) as [
    Symbolic | undefined,
    Symbolic | undefined,
  ];
  const values = value ?? tensorArgument(call, "value");
  if (query === undefined || values === undefined)
    throw config.wrong("no query or no value", "both");
  const givenKeys = call.args.flatMap(tensorsOf)[2] ?? tensorArgument(call, "key");
  const keys = givenKeys ?? values;
  if (query.shape.length !== 3 || config.flag("use_gate", false)) {
    throw unsupported(config, "MultiHeadAttention of this form");
  }
  const q = project(call, "query", query);
  const k = project(call, "key", keys);
  const v = project(call, "value", values);
  const root = writer.float(`${path}/scale`, 1 / Math.sqrt(config.number("key_dim")));
  const scaled = writer.binary(`${path}/Mul`, "Mul", q, root);
  const [batch, from, heads] = q.shape as [number, number, number];
  const to = k.shape[1]!;
  let scores = einsum(call, "scores", "aecd,abcd->acbe", k, scaled, [batch, heads, from, to]);
  scores = maskScores(call, scores, { query, values, keys: givenKeys });
  const weights = softmax(writer, `${path}/softmax`, scores, -1);
  const mixed = einsum(call, "mixed", "acbe,aecd->abcd", weights, v, [
    batch,
    from,
    heads,
    v.shape[3]!,
  ]);
  const output = projectOut(call, mixed);
  const asked = call.kwargs.get("return_attention_scores");
  return asked?.kind === "value" && asked.value === true ? [output, weights] : output;
};

function einsum(
  { writer, path }: LayerCall,
  name: string,
  equation: string,
  a: Symbolic,
  b: Symbolic,
  shape: readonly number[],
): Symbolic {
  return writer.emit(
    `${path}/${name}/Einsum`,
    "Einsum",
    [a, b],
    { shape },
    { equation: text(equation) },
  );
}

/** The parts' weights: their attribute (private in Keras 2) and their name. */
function project(call: LayerCall, name: string, x: Symbolic): Symbolic {
  const { config, writer, path } = call;
  const weights = call.weights.inner(`${name}_dense`, name);
  const kernel = writer.constant(`${path}/${name}/kernel`, weights.get("kernel", 0));
  const [heads, size] = kernel.shape.slice(1) as [number, number];
  const shape = [x.shape[0]!, x.shape[1]!, heads, size];
  const y = einsum(call, name, "abc,cde->abde", x, kernel, shape);
  if (!config.flag("use_bias", true)) return y;
  const bias = writer.constant(`${path}/${name}/bias`, weights.get("bias", 1));
  return writer.binary(`${path}/${name}/add`, "AddV2", y, bias);
}

function projectOut(call: LayerCall, x: Symbolic): Symbolic {
  const { config, writer, path } = call;
  const weights = call.weights.inner("output_dense", "attention_output");
  const kernel = writer.constant(`${path}/attention_output/kernel`, weights.get("kernel", 0));
  const shape = [x.shape[0]!, x.shape[1]!, kernel.shape[2]!];
  const y = einsum(call, "attention_output", "abcd,cde->abe", x, kernel, shape);
  if (!config.flag("use_bias", true)) return y;
  const bias = writer.constant(`${path}/attention_output/bias`, weights.get("bias", 1));
  return writer.binary(`${path}/attention_output/add`, "AddV2", y, bias);
}

interface Masked {
  readonly query: Symbolic;
  readonly values: Symbolic;
  /** Only where the call gives keys of their own. */
  readonly keys: Symbolic | undefined;
}

/** Takes positions that do not count out of float[batch, heads, from, to]. */
function maskScores(call: LayerCall, scores: Symbolic, masked: Masked): Symbolic {
  const { writer, path, kerasVersion } = call;
  const parts = maskParts(call, masked);
  const flagged = call.kwargs.get("use_causal_mask");
  const isCausal = flagged?.kind === "value" && flagged.value === true;
  if (parts.length === 0) {
    if (!isCausal) return scores;
    return writer.binary(`${path}/add`, "AddV2", scores, causalConstant(call, scores, "float32"));
  }
  if (isCausal) parts.push(causalConstant(call, scores, "bool"));
  const counts = parts.reduce((a, b) =>
    writer.binary(`${path}/mask/and`, "LogicalAnd", a, b, "bool"),
  );
  if (kerasVersion >= 3) {
    const low = writer.float(`${path}/mask/large`, LARGE_NEGATIVE);
    const result = { shape: scores.shape, dtype: scores.dtype };
    return writer.emit(`${path}/mask/SelectV2`, "SelectV2", [counts, scores, low], result);
  }
  return writer.binary(`${path}/add`, "AddV2", scores, additive(call, counts));
}

/** Masks of the call, bool, broadcastable to the scores. */
function maskParts(call: LayerCall, { query, values, keys }: Masked): Symbolic[] {
  const { writer, path } = call;
  const parts: Symbolic[] = [];
  const given = tensorArgument(call, "attention_mask");
  if (given !== undefined) {
    const shape = [given.shape[0]!, 1, ...given.shape.slice(-2)];
    const counts = writer.emit(
      `${path}/mask/Cast`,
      "Cast",
      [given],
      { shape: given.shape, dtype: "bool" },
      { DstT: type("bool") },
    );
    parts.push(writer.reshape(`${path}/mask/Reshape`, counts, shape));
  }
  const own = (name: string, x: Symbolic | undefined): Symbolic | undefined =>
    tensorArgument(call, name) ?? x?.mask;
  const rows = own("query_mask", query);
  if (rows !== undefined) {
    parts.push(writer.reshape(`${path}/mask/query`, rows, [rows.shape[0]!, 1, rows.shape[1]!, 1]));
  }
  for (const columns of [own("value_mask", values), own("key_mask", keys)]) {
    if (columns === undefined) continue;
    parts.push(
      writer.reshape(`${path}/mask/value`, columns, [columns.shape[0]!, 1, 1, columns.shape[1]!]),
    );
  }
  return parts;
}

/** Positions up to one's own: true and false, or 0 and a large negative number. */
function causalConstant(call: LayerCall, scores: Symbolic, dtype: "bool" | "float32"): Symbolic {
  const [from, to] = scores.shape.slice(2) as [number, number];
  if (from < 0 || to < 0) throw unsupported(call.config, "a causal mask over an open dimension");
  const zeros = zeroData([from, to], call.path);
  const data = dtype === "bool" ? new Uint8Array(zeros.length).fill(1) : zeros;
  const masked = dtype === "bool" ? 0 : LARGE_NEGATIVE;
  for (let i = 0; i < from; i++) data.fill(masked, i * to + i + 1, (i + 1) * to);
  return call.writer.constant(`${call.path}/causal_mask`, { dtype, shape: [1, 1, from, to], data });
}

/** (1 - mask) · -1e9, as Keras 2 adds it. */
function additive({ writer, path }: LayerCall, counts: Symbolic): Symbolic {
  const result = { shape: counts.shape, dtype: "float32" } as const;
  const numeric = writer.emit(`${path}/mask/Cast_1`, "Cast", [counts], result, {
    DstT: type("float32"),
  });
  const inverted = writer.binary(
    `${path}/mask/sub`,
    "Sub",
    writer.float(`${path}/mask/one`, 1),
    numeric,
  );
  return writer.binary(
    `${path}/mask/mul`,
    "Mul",
    inverted,
    writer.float(`${path}/mask/large`, LARGE_NEGATIVE),
  );
}
