/** Multi-head attention, with the equations of Keras (three dimensions: batch, position, features). */
import { softmax } from "../activations.ts";
import {
  type LayerCall,
  type Translate,
  tensorArgument,
  tensorsOf,
  unsupported,
} from "../layer.ts";
import { type Symbolic, text, type } from "../node-writer.ts";

/** What Keras adds to scores that are masked. */
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
  const keys = call.args.flatMap(tensorsOf)[2] ?? tensorArgument(call, "key") ?? values;
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
  const mask = maskOf(call, from, to);
  if (mask !== undefined) scores = writer.binary(`${path}/add`, "AddV2", scores, mask);
  const weights = softmax(writer, `${path}/softmax`, scores, -1);
  const mixed = einsum(call, "mixed", "acbe,aecd->abcd", weights, v, [
    batch,
    from,
    heads,
    v.shape[3]!,
  ]);
  return projectOut(call, mixed);
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

/** What is added to the scores: 0 where a position counts, a large negative number where it does not. */
function maskOf(call: LayerCall, from: number, to: number): Symbolic | undefined {
  const { config, writer, path } = call;
  const given = tensorArgument(call, "attention_mask");
  const flagged = call.kwargs.get("use_causal_mask");
  const causal = flagged?.kind === "value" && flagged.value === true;
  const parts: Symbolic[] = [];
  if (causal) {
    if (from < 0 || to < 0) throw unsupported(config, "a causal mask over an open dimension");
    const data = new Float32Array(from * to);
    for (let i = 0; i < from; i++) data.fill(LARGE_NEGATIVE, i * to + i + 1, (i + 1) * to);
    parts.push(
      writer.constant(`${path}/causal_mask`, { dtype: "float32", shape: [1, 1, from, to], data }),
    );
  }
  if (given !== undefined) parts.push(additive(call, given));
  for (const name of ["query_mask", "value_mask", "key_mask"]) {
    if (tensorArgument(call, name) !== undefined)
      throw unsupported(config, `MultiHeadAttention with ${name}`);
  }
  return parts.length === 2
    ? writer.binary(`${path}/masks`, "AddV2", parts[0]!, parts[1]!)
    : parts[0];
}

/** (1 - mask) · -1e9, with a dimension for the heads. */
function additive({ writer, path }: LayerCall, mask: Symbolic): Symbolic {
  const wide =
    mask.shape.length === 3
      ? writer.reshape(`${path}/mask/Reshape`, mask, [
          mask.shape[0]!,
          1,
          mask.shape[1]!,
          mask.shape[2]!,
        ])
      : mask;
  const result = { shape: wide.shape, dtype: "float32" } as const;
  const numeric = writer.emit(`${path}/mask/Cast`, "Cast", [wide], result, {
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
