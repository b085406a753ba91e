/** Rounding laws that JavaScript does not have: `Math.round` sends ties up, the C library's `round` away from zero. */

/** Nearest integer, ties away from zero (C `round`). Exact for every double; keeps NaN and infinities. */
export function roundHalfAway(value: number): number {
  const whole = Math.trunc(value);
  return Math.abs(value - whole) >= 0.5 ? whole + Math.sign(value) : whole;
}

/** Nearest integer, ties to even (C `rint` in the default mode). Exact for every double; keeps NaN and infinities. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const fraction = value - floor;
  if (fraction !== 0.5) return fraction > 0.5 ? floor + 1 : fraction >= 0 ? floor : value;
  return floor % 2 === 0 ? floor : floor + 1;
}
