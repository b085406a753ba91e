/** Attention of several heads with projections, with the equations of Keras. */

import { softmax } from "../formulas.ts";
import {
  type LayerCall,
  type Translate,
  tensorArgument,
  tensorsOf,
  unsupported,
} from "../layer.ts";
import type { Symbolic } from "../node-writer.ts";
import { isFlagged, maskScores, zeroWhereMasked } from "./attention-masks.ts";

/** Over one axis or several of inputs with any number of dimensions: batch, positions, features. */
export const multiHeadAttention: Translate = (call) => {
  const { config } = call;
  const operands = operandsOf(call);
  const rank = operands.query.shape.length;
  const given = config.get("attention_axes");
  const axes = given === undefined ? positions(rank) : ([given].flat() as number[]);
  const own = axes.map((axis) => (axis < 0 ? axis + rank : axis));
  const known = own.every((axis) => Number.isInteger(axis) && axis > 0 && axis < rank - 1);
  if (!known || [operands.keys, operands.values].some(({ shape }) => shape.length !== rank)) {
    throw config.wrong(`attention over axes ${axes.join(", ")}`, "axes of all operands");
  }
  const projected = {
    q: project(call, "query", operands.query),
    k: project(call, "key", operands.keys),
    v: project(call, "value", operands.values),
  };
  const equations = equationsOf(rank + 1, own);
  return attend(call, operands, projected, { ...equations, axes: own.length }, "key_dim");
};

/** Of query heads in groups, each of which shares a head of keys and of values. */
export const groupedQueryAttention: Translate = (call) => {
  const { config, writer, path } = call;
  const operands = operandsOf(call);
  const shared = config.count("num_key_value_heads");
  const groups = config.count("num_query_heads") / shared;
  if (!Number.isInteger(groups)) throw config.wrong(`${groups} query heads a group`, "a count");
  if ([operands.query, operands.keys, operands.values].some(({ shape }) => shape.length !== 3))
    throw unsupported(config, "GroupQueryAttention of other than three dimensions");
  const query = project(call, "query", operands.query);
  const [batch, from, , size] = query.shape as [number, number, number, number];
  const projected = {
    q: writer.reshape(`${path}/query/groups`, query, [batch, from, shared, groups, size]),
    k: project(call, "key", operands.keys),
    v: project(call, "value", operands.values),
  };
  const equations = { dot: "aecg,abcdg->acdbe", combine: "acdbe,aecg->abcdg", axes: 1 };
  return attend(call, operands, projected, equations, "head_dim");
};

interface Operands {
  readonly query: Symbolic;
  readonly values: Symbolic;
  readonly keys: Symbolic;
  /** Only where the call gives keys of their own. */
  readonly givenKeys: Symbolic | undefined;
}

function operandsOf(call: LayerCall): Operands {
  const [query, value, key] = call.args.flatMap(tensorsOf) as (Symbolic | undefined)[];
  const values = value ?? tensorArgument(call, "value");
  if (query === undefined || values === undefined)
    throw call.config.wrong("no query or no value", "both");
  const givenKeys = key ?? tensorArgument(call, "key");
  return { query, values, keys: givenKeys ?? values, givenKeys };
}

interface Projected {
  readonly q: Symbolic;
  readonly k: Symbolic;
  readonly v: Symbolic;
}

interface Equations {
  /** Of keys and queries: the scores. */
  readonly dot: string;
  /** Of scores and values. */
  readonly combine: string;
  /** How many axes attention runs over. */
  readonly axes: number;
}

/** softmax(q·kᵀ / √size, masked)·v, gated where the layer has a gate, and projected. */
function attend(
  call: LayerCall,
  { query, values, givenKeys }: Operands,
  { q, k, v }: Projected,
  { dot, combine, axes }: Equations,
  sizeKey: string,
): Symbolic | Symbolic[] {
  const { config, writer, path } = call;
  const root = writer.float(`${path}/scale`, 1 / Math.sqrt(config.number(sizeKey)));
  const scaled = writer.binary(`${path}/Mul`, "Mul", q, root);
  const raw = writer.einsum(`${path}/scores/Einsum`, dot, [k, scaled]);
  const window = config.has("sliding_window") ? config.count("sliding_window") : undefined;
  const masking = { query, values, keys: givenKeys, axes, window };
  const { scores, counts } = maskScores(call, raw, masking);
  const last = Array.from({ length: axes }, (_, i) => i - axes);
  const soft = softmax(writer, `${path}/softmax`, scores, last);
  if (soft === undefined) throw unsupported(config, "attention over open dimensions", GIVE_SHAPE);
  const isAsked = isFlagged(call.kwargs.get("return_attention_scores"));
  const isLayer = isAsked || config.number("dropout", 0) > 0 || query.shape.length !== 3;
  // Without its Softmax layer, Keras leaves rows of which nothing counts uniform.
  const weights =
    isLayer && counts !== undefined
      ? zeroWhereMasked(call, `${path}/mask/SelectV2_1`, soft, counts)
      : soft;
  const mixed = writer.einsum(`${path}/mixed/Einsum`, combine, [weights, v]);
  const [batch, ...rest] = query.shape.slice(0, -1) as [number, ...number[]];
  const heads = mixed.shape.slice(rest.length + 1, -1).reduce((product, n) => product * n, 1);
  const joined = [batch, ...rest, heads, mixed.shape.at(-1)!];
  const merged =
    mixed.shape.length === joined.length
      ? mixed
      : writer.reshape(`${path}/mixed/heads`, mixed, joined);
  const output = projectOut(call, gated(call, query, merged));
  if (!isAsked) return output;
  const shape = [batch, heads, ...scores.shape.slice(-2)];
  const isGrouped = scores.shape.length !== query.shape.length + axes;
  return [output, isGrouped ? writer.reshape(`${path}/scores/heads`, weights, shape) : weights];
}

const GIVE_SHAPE = "Give the input's shape";

function gated(call: LayerCall, query: Symbolic, mixed: Symbolic): Symbolic {
  const { config, writer, path } = call;
  if (!config.flag("use_gate", false)) return mixed;
  const gate = writer.unary(`${path}/gate/Sigmoid`, "Sigmoid", project(call, "gate", query));
  return writer.binary(`${path}/gate/mul`, "Mul", mixed, gate);
}

/** The axes between batch and features. */
const positions = (rank: number): number[] => Array.from({ length: rank - 2 }, (_, i) => i + 1);

const LETTERS = "abcdefghijklmnopqrstuvwxyz";

/**
 * Of projected operands with `rank` dimensions [batch, …, heads, features]: scores [batch…, heads, from…, to…]. The axes of
 * keys and values that attention runs over have letters of their own.
 */
function equationsOf(rank: number, axes: readonly number[]): { dot: string; combine: string } {
  const target = LETTERS.slice(0, rank);
  const source = [...target];
  for (const [i, axis] of [...axes].sort((a, b) => a - b).entries())
    source[axis] = LETTERS[rank + i]!;
  const batch = [...target].filter((_, axis) => axis !== rank - 1 && !axes.includes(axis));
  const pick = (letters: readonly string[]) => axes.map((axis) => letters[axis]!);
  const scores = [...batch, ...pick([...target]), ...pick(source)].join("");
  const from = source.join("");
  return { dot: `${from},${target}->${scores}`, combine: `${scores},${from}->${target}` };
}

/** The features of each position by a kernel [features, heads, size]: attributes private in Keras 2, and names. */
function project(call: LayerCall, name: string, x: Symbolic): Symbolic {
  return contract(call, call.weights.inner(`${name}_dense`, name), name, x, 1);
}

/** Heads and features of each position by a kernel [heads, size, …]. */
function projectOut(call: LayerCall, x: Symbolic): Symbolic {
  return contract(
    call,
    call.weights.inner("output_dense", "attention_output"),
    "attention_output",
    x,
    2,
  );
}

/** The last `bound` dimensions by the first ones of a kernel, and a bias. */
function contract(
  call: LayerCall,
  weights: LayerCall["weights"],
  name: string,
  x: Symbolic,
  bound: number,
): Symbolic {
  const { config, writer, path } = call;
  const kernel = writer.constant(`${path}/${name}/kernel`, weights.get("kernel", 0));
  const rank = x.shape.length;
  const input = LETTERS.slice(0, rank);
  const free = input.slice(0, -bound);
  const outputs = LETTERS.slice(rank, rank + kernel.shape.length - bound);
  const equation = `${input},${input.slice(-bound)}${outputs}->${free}${outputs}`;
  const y = writer.einsum(`${path}/${name}/Einsum`, equation, [x, kernel]);
  if (!config.flag("use_bias", true)) return y;
  const bias = writer.constant(`${path}/${name}/bias`, weights.get("bias", 1));
  return writer.binary(`${path}/${name}/add`, "AddV2", y, bias);
}
