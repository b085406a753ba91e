/**
 * The inner loop of convolutions and matrix products: dot products of one vector with many rows. Sums are kept in
 * doubles: exact for integers of any width that occurs here, and more exact than float32 for floats, whose products are
 * exact in a double. There is one copy of the loop per weight type because engines compile a loop best for one.
 */

/** results[at + r] = Σ_k vector[k]·weights[(row + r)·depth + k] for r in [0, rows). */
export function dotFloatRows(
  vector: Float64Array,
  depth: number,
  weights: Float32Array,
  row: number,
  rows: number,
  results: Float64Array,
  at: number,
): void {
  let r = 0;
  let base = row * depth;
  for (; r + 4 <= rows; r += 4, base += 4 * depth) {
    const [base1, base2, base3] = [base + depth, base + 2 * depth, base + 3 * depth];
    let [sum0, sum1, sum2, sum3] = [0, 0, 0, 0];
    for (let k = 0; k < depth; k++) {
      const value = vector[k];
      sum0 += value * weights[base + k];
      sum1 += value * weights[base1 + k];
      sum2 += value * weights[base2 + k];
      sum3 += value * weights[base3 + k];
    }
    results[at + r] = sum0;
    results[at + r + 1] = sum1;
    results[at + r + 2] = sum2;
    results[at + r + 3] = sum3;
  }
  for (; r < rows; r++, base += depth) {
    let sum = 0;
    for (let k = 0; k < depth; k++) sum += vector[k] * weights[base + k];
    results[at + r] = sum;
  }
}

/** The same for integer weights; exact as long as the sums stay below 2^53. */
export function dotIntegerRows(
  vector: Float64Array,
  depth: number,
  weights: Int8Array | Int16Array,
  row: number,
  rows: number,
  results: Float64Array,
  at: number,
): void {
  let r = 0;
  let base = row * depth;
  for (; r + 4 <= rows; r += 4, base += 4 * depth) {
    const [base1, base2, base3] = [base + depth, base + 2 * depth, base + 3 * depth];
    let [sum0, sum1, sum2, sum3] = [0, 0, 0, 0];
    for (let k = 0; k < depth; k++) {
      const value = vector[k];
      sum0 += value * weights[base + k];
      sum1 += value * weights[base1 + k];
      sum2 += value * weights[base2 + k];
      sum3 += value * weights[base3 + k];
    }
    results[at + r] = sum0;
    results[at + r + 1] = sum1;
    results[at + r + 2] = sum2;
    results[at + r + 3] = sum3;
  }
  for (; r < rows; r++, base += depth) {
    let sum = 0;
    for (let k = 0; k < depth; k++) sum += vector[k] * weights[base + k];
    results[at + r] = sum;
  }
}

/** Dot products with rows of either kind of weights. */
export function dotRows(
  vector: Float64Array,
  depth: number,
  weights: Float32Array | Int8Array | Int16Array,
  row: number,
  rows: number,
  results: Float64Array,
  at = 0,
): void {
  if (weights instanceof Float32Array) dotFloatRows(vector, depth, weights, row, rows, results, at);
  else dotIntegerRows(vector, depth, weights, row, rows, results, at);
}
