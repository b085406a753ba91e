/**
 * The error function, where it stands alone and not inside a GELU: an odd rational function on [−4, 4], within 5e-7 of
 * the true value everywhere, from multiplications, additions and one division.
 */
import type { ValueRef } from "../../graph/ir.ts";
import type { NodeWriter } from "../node-writer.ts";

/** erf(x) ≈ x · P(x²) / Q(x²) on [−4, 4], beyond which float32 knows only ±1. Numerator, highest power first. */
const NUMERATOR = [
  -2.72614225801306e-10, 2.77068142495902e-8, -2.10102402082508e-6, -5.69250639462346e-5,
  -7.34990630326855e-4, -2.95459980854025e-3, -1.60960333262415e-2,
];
const DENOMINATOR = [
  -1.45660718464996e-5, -2.13374055278905e-4, -1.68282697438203e-3, -7.37332916720468e-3,
  -1.42647390514189e-2,
];
const BOUND = 4;

export function writeErf(x: ValueRef, w: NodeWriter): ValueRef {
  const clamped = w.binary("Maximum", w.binary("Minimum", x, BOUND), -BOUND);
  const square = w.mul(clamped, clamped);
  return w.div(w.mul(clamped, horner(square, NUMERATOR, w)), horner(square, DENOMINATOR, w));
}

/** 1 − erf(x): accurate to float32 relative to 1, not to itself, where x is large. */
export function writeErfc(x: ValueRef, w: NodeWriter): ValueRef {
  return w.sub(1, writeErf(x, w));
}

function horner(x: ValueRef, coefficients: readonly number[], w: NodeWriter): ValueRef {
  const [first = 0, second = 0, ...rest] = coefficients;
  return rest.reduce((sum, c) => w.add(w.mul(sum, x), c), w.add(w.mul(x, first), second));
}
