/**
 * Times of runs as a mergeable histogram: its buckets grow by one percent, so that a median is right to half a percent
 * however many runs there are and however they were divided.
 */

const BUCKET_GROWTH = 1.01;

export interface LatencyCount {
  readonly runs: number;
  readonly sumMs: number;
  readonly leastMs: number;
  /** Runs by bucket; bucket b holds times around 1.01^b ms. */
  readonly buckets: ReadonlyMap<number, number>;
}

/** Milliseconds. */
export interface LatencySummary {
  readonly mean: number;
  readonly median: number;
  readonly p90: number;
  readonly least: number;
}

/** The count of no runs. */
export const NO_RUNS: LatencyCount = {
  runs: 0,
  sumMs: 0,
  leastMs: Number.POSITIVE_INFINITY,
  buckets: new Map(),
};

/** Counts one run. */
export function addLatency(count: LatencyCount, ms: number): LatencyCount {
  // The clock of a page may be as coarse as 0.1 ms; a run of no time at all falls into the bucket of a nanosecond.
  const bucket = Math.round(Math.log(Math.max(ms, 1e-6)) / Math.log(BUCKET_GROWTH));
  return mergeLatency(count, {
    runs: 1,
    sumMs: ms,
    leastMs: ms,
    buckets: new Map([[bucket, 1]]),
  });
}

/** The count of both. */
export function mergeLatency(a: LatencyCount, b: LatencyCount): LatencyCount {
  const buckets = new Map(a.buckets);
  for (const [bucket, runs] of b.buckets) buckets.set(bucket, (buckets.get(bucket) ?? 0) + runs);
  return {
    runs: a.runs + b.runs,
    sumMs: a.sumMs + b.sumMs,
    leastMs: Math.min(a.leastMs, b.leastMs),
    buckets,
  };
}

/** Mean, median, 90th percentile and least time; undefined without runs. */
export function summarizeLatency(count: LatencyCount): LatencySummary | undefined {
  if (count.runs === 0) return undefined;
  const sorted = [...count.buckets].sort(([a], [b]) => a - b);
  return {
    mean: count.sumMs / count.runs,
    median: percentile(sorted, count.runs, 0.5),
    p90: percentile(sorted, count.runs, 0.9),
    least: count.leastMs,
  };
}

/** The time that `share` of the runs stay within. */
function percentile(sorted: readonly [number, number][], runs: number, share: number): number {
  let seen = 0;
  for (const [bucket, count] of sorted) {
    seen += count;
    if (seen >= share * runs) return BUCKET_GROWTH ** bucket;
  }
  return Number.NaN;
}
