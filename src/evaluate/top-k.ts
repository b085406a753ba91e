/** Top-k accuracy as a mergeable count: counts of two shards add up to the count of both. */

/** How many of the labelled samples had their class among the 1, 2, … k highest scores. */
export interface TopKCount {
  readonly samples: number;
  /** `hits[i]`: samples whose class was among the i + 1 highest scores. */
  readonly hits: readonly number[];
}

/** The count of no samples. */
export function emptyTopK(k: number): TopKCount {
  return { samples: 0, hits: new Array<number>(k).fill(0) };
}

/** Counts one sample. */
export function addTopK(count: TopKCount, scores: ArrayLike<number>, label: number): TopKCount {
  const rank = rankOf(scores, label);
  return {
    samples: count.samples + 1,
    hits: count.hits.map((hits, index) => hits + (rank <= index ? 1 : 0)),
  };
}

/** The count of both shards; both count the same k. */
export function mergeTopK(a: TopKCount, b: TopKCount): TopKCount {
  return {
    samples: a.samples + b.samples,
    hits: a.hits.map((hits, index) => hits + (b.hits[index] ?? 0)),
  };
}

/** Share of samples with their class among the k highest scores; undefined without samples or for a k beyond the count's. */
export function topKShare({ samples, hits }: TopKCount, k: number): number | undefined {
  const hit = hits[k - 1];
  return samples === 0 || hit === undefined ? undefined : hit / samples;
}

/**
 * Position of `label` when scores are sorted from high to low; of equal scores the lower index comes first, as in a
 * stable sort. A score that is not a number comes last.
 */
export function rankOf(scores: ArrayLike<number>, label: number): number {
  const own = scores[label] ?? Number.NaN;
  if (Number.isNaN(own)) return scores.length;
  let rank = 0;
  for (let index = 0; index < scores.length; index++) {
    const score = scores[index]!;
    if (score > own || (score === own && index < label)) rank++;
  }
  return rank;
}

/** Index of the highest score, the first of several; 0 where no score is a number. */
export function bestOf(scores: ArrayLike<number>): number {
  let best = 0;
  for (let index = 1; index < scores.length; index++) {
    if (scores[index]! > scores[best]! || Number.isNaN(scores[best])) best = index;
  }
  return best;
}
