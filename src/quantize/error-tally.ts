/** What rounding did to one tensor: sums that a pass over the data fills, and the figures made of them. */

export interface ErrorTally {
  /** Σ v². */
  signal: number;
  /** Σ (v − v̂)². */
  noise: number;
  /** max |v − v̂|. */
  largestError: number;
  /** Values outside the representable range by half a step or more. */
  clipped: number;
}

export function newErrorTally(): ErrorTally {
  return { signal: 0, noise: 0, largestError: 0, clipped: 0 };
}

/** Adds the figures of a part to those of the whole. */
export function addTally(whole: ErrorTally, part: ErrorTally): void {
  whole.signal += part.signal;
  whole.noise += part.noise;
  whole.largestError = Math.max(whole.largestError, part.largestError);
  whole.clipped += part.clipped;
}

/** Signal-to-quantization-noise ratio 10·log10(Σ v² / Σ (v − v̂)²) in decibels; Infinity when nothing was lost. */
export function sqnrDecibels({ signal, noise }: ErrorTally): number {
  return noise === 0 ? Number.POSITIVE_INFINITY : 10 * Math.log10(signal / noise);
}
