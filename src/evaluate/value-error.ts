/** How far one row of numbers lies from the row that it should be, as a mergeable count. */

export interface ValueError {
  readonly elements: number;
  /** Largest |value − wanted|; NaN once one of the two was NaN where the other was not. */
  readonly largest: number;
  /** Largest |wanted|. */
  readonly largestWanted: number;
  /** Sums of (value − wanted)² and of wanted². */
  readonly squaredError: number;
  readonly squaredWanted: number;
}

/** The error over no elements. */
export const NO_ERROR: ValueError = {
  elements: 0,
  largest: 0,
  largestWanted: 0,
  squaredError: 0,
  squaredWanted: 0,
};

/** Measures rows of equal length. Equal infinities, and NaN for NaN, are no error. */
export function measureError(values: Float32Array, wanted: Float32Array): ValueError {
  let largest = 0;
  let largestWanted = 0;
  let squaredError = 0;
  let squaredWanted = 0;
  for (let index = 0; index < wanted.length; index++) {
    const value = values[index]!;
    const target = wanted[index]!;
    if (Number.isFinite(target)) {
      largestWanted = Math.max(largestWanted, Math.abs(target));
      squaredWanted += target * target;
    }
    if (Object.is(value, target) || value === target) continue;
    const error = Math.abs(value - target);
    largest = Math.max(largest, error);
    squaredError += error * error;
  }
  return { elements: wanted.length, largest, largestWanted, squaredError, squaredWanted };
}

/** The error over both. */
export function mergeError(a: ValueError, b: ValueError): ValueError {
  return {
    elements: a.elements + b.elements,
    largest: Math.max(a.largest, b.largest),
    largestWanted: Math.max(a.largestWanted, b.largestWanted),
    squaredError: a.squaredError + b.squaredError,
    squaredWanted: a.squaredWanted + b.squaredWanted,
  };
}

/** Signal-to-noise ratio in decibels, 10 log10(Σ wanted² / Σ error²); undefined where there is no error at all. */
export function signalToNoise({ squaredError, squaredWanted }: ValueError): number | undefined {
  return squaredError === 0 ? undefined : 10 * Math.log10(squaredWanted / squaredError);
}
