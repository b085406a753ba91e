/** The normal distribution, and what clipping makes of its mean and variance. */

export interface Moments {
  readonly mean: number;
  readonly variance: number;
}

/** Below this deviation a value counts as constant. */
const SMALLEST_DEVIATION = 1e-9;

/**
 * Mean and variance of min(max(X, low), high) for a normal X; `low` and `high` may be infinite. With α and β the
 * standardized limits, φ the density and Φ the distribution function:
 * E = µ·(Φ(β) − Φ(α)) + σ·(φ(α) − φ(β)) + low·Φ(α) + high·(1 − Φ(β)).
 */
export function clipNormal({ mean, variance }: Moments, low: number, high: number): Moments {
  const deviation = Math.sqrt(variance);
  if (deviation < SMALLEST_DEVIATION) {
    return { mean: Math.min(Math.max(mean, low), high), variance: 0 };
  }
  const alpha = (low - mean) / deviation;
  const beta = (high - mean) / deviation;
  const [below, above] = [distribution(alpha), 1 - distribution(beta)];
  const inside = 1 - below - above;
  const [densityLow, densityHigh] = [density(alpha), density(beta)];
  const first =
    mean * inside +
    deviation * (densityLow - densityHigh) +
    weighted(low, below) +
    weighted(high, above);
  const second =
    (mean * mean + variance) * inside +
    2 * mean * deviation * (densityLow - densityHigh) +
    variance * (weighted(alpha, densityLow) - weighted(beta, densityHigh)) +
    weighted(low * low, below) +
    weighted(high * high, above);
  return { mean: first, variance: Math.max(0, second - first * first) };
}

/** value × weight, where a weight of 0 wins over an infinite value. */
function weighted(value: number, weight: number): number {
  return weight === 0 ? 0 : value * weight;
}

function density(x: number): number {
  return Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
}

/** Φ(x), within 1e-7 (Abramowitz and Stegun, Handbook of Mathematical Functions, formula 26.2.17). */
function distribution(x: number): number {
  if (x === Number.POSITIVE_INFINITY) return 1;
  if (x === Number.NEGATIVE_INFINITY) return 0;
  const t = 1 / (1 + 0.2316419 * Math.abs(x));
  const series =
    t *
    (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  const tail = density(x) * series;
  return x < 0 ? tail : 1 - tail;
}
