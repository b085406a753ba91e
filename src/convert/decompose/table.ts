/** Ops that TFLite has no operator for, and how they are put together from ops that it has. */
import { ALIASES } from "./aliases.ts";
import { BATCH_NORM } from "./batch-norm.ts";
import { DATA_MOVEMENT_DECOMPOSITIONS } from "./data-movement.ts";
import type { Decomposition } from "./decomposition.ts";
import { EINSUM } from "./einsum.ts";
import { ELEMENTWISE_DECOMPOSITIONS } from "./elementwise.ts";
import { FAKE_QUANT_DECOMPOSITIONS } from "./fake-quant.ts";
import { HASH_TABLES } from "./hash-tables.ts";
import { PARTITIONS } from "./partitions.ts";
import { SELECTION_DECOMPOSITIONS } from "./selection.ts";
import { VOLUME_DECOMPOSITIONS } from "./volumes.ts";

/** Ops that are others in disguise: taken apart before anything else looks at the graph. */
export const EARLY_DECOMPOSITIONS: ReadonlyMap<string, Decomposition> = new Map([
  ...ALIASES,
  ...PARTITIONS,
]);

export const DECOMPOSITIONS: ReadonlyMap<string, Decomposition> = new Map([
  ...BATCH_NORM,
  ...ELEMENTWISE_DECOMPOSITIONS,
  ...DATA_MOVEMENT_DECOMPOSITIONS,
  ...EINSUM,
  ...FAKE_QUANT_DECOMPOSITIONS,
  ...SELECTION_DECOMPOSITIONS,
  ...HASH_TABLES,
  ...VOLUME_DECOMPOSITIONS,
]);
