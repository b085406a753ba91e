/** Choosing what to import: the graph with the wanted tags, and in it the signature. */
import { FormatError, UsageError } from "../base/errors.ts";
import type {
  MetaGraphDef,
  SavedModel,
  SignatureDef,
} from "../formats/tensorflow/saved-model-messages.ts";

const DEFAULT_TAGS: readonly string[] = ["serve"];
const DEFAULT_SIGNATURE = "serving_default";

/**
 * The graph whose tags are exactly these. Without tags: the only graph there is, or the one tagged "serve".
 *
 * @throws {UsageError} when there is none; the message lists those there are.
 */
export function chooseMetaGraph(
  model: SavedModel,
  tags: readonly string[] | undefined,
  where: string,
): MetaGraphDef {
  const graphs = model.meta_graphs;
  if (graphs.length === 0) {
    throw new FormatError({
      format: "saved_model",
      where,
      found: "no graph in it",
      expected: "a SavedModel",
      remedy: "Check that the file is complete and of this kind",
    });
  }
  const only = graphs.length === 1 ? graphs[0] : undefined;
  if (tags === undefined && only !== undefined) return only;
  const wanted = new Set(tags ?? DEFAULT_TAGS);
  const found = graphs.find((graph) => {
    const own = new Set(graph.meta_info_def.tags);
    return own.size === wanted.size && [...own].every((tag) => wanted.has(tag));
  });
  if (found !== undefined) return found;
  const known = graphs.map((graph) => `"${graph.meta_info_def.tags.join(",")}"`);
  throw new UsageError({
    where,
    found: `no graph with the tags "${[...wanted].join(",")}"`,
    expected: known.join(" or "),
    remedy: "Choose one with --tags",
    option: "tags",
  });
}

/** A signature and its key. */
export interface ChosenSignature {
  readonly key: string;
  readonly signature: SignatureDef;
}

/**
 * The signature with this key. Without a key: "serving_default", or the only one there is.
 *
 * @throws {UsageError} when there is none; the message lists those there are.
 */
export function chooseSignature(
  graph: MetaGraphDef,
  key: string | undefined,
  where: string,
): ChosenSignature {
  const signatures = graph.signature_def;
  const keys = [...signatures.keys()].filter((name) => !name.startsWith("__saved_model_"));
  if (keys.length === 0) {
    throw new FormatError({
      format: "saved_model",
      where,
      found: "no signature",
      expected: "at least one",
      remedy: "Save the model with its signatures (tf.saved_model.save(model, path, signatures=…))",
    });
  }
  const only = keys.length === 1 ? keys[0]! : DEFAULT_SIGNATURE;
  const wanted = key ?? (keys.includes(DEFAULT_SIGNATURE) ? DEFAULT_SIGNATURE : only);
  const signature = signatures.get(wanted);
  if (signature !== undefined) return { key: wanted, signature };
  throw new UsageError({
    where,
    found: key === undefined ? "several signatures" : `no signature "${wanted}"`,
    expected: keys.map((name) => `"${name}"`).join(" or "),
    remedy: "Choose one with --signature",
    option: "signature",
  });
}
