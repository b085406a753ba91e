// How far the outputs of one contender are from another's.

/**
 * `largest` is the largest difference over all outputs, divided by the largest value of the output it is in, to three
 * digits; `sameArgmax` whether the largest value of the first output is at the same place. Outputs in another number, size
 * or order are told as such.
 */
export function compareOutputs(outputs, expected) {
  const sizes = (arrays) => arrays.map(({ length }) => length).join(", ");
  if (sizes(outputs) !== sizes(expected)) {
    const isOther = sizes(outputs.toSorted(bySize)) !== sizes(expected.toSorted(bySize));
    if (isOther) return { mismatch: `sizes ${sizes(outputs)}, Octavo has ${sizes(expected)}` };
    return { order: "other", ...differences(outputs.toSorted(bySize), expected.toSorted(bySize)) };
  }
  return differences(outputs, expected);
}

function bySize(a, b) {
  return a.length - b.length;
}

function differences(outputs, expected) {
  const largest = Math.max(...outputs.map((output, at) => difference(output, expected[at])));
  return {
    largest: Number(largest.toPrecision(3)),
    sameArgmax: argmax(outputs[0]) === argmax(expected[0]),
  };
}

function difference(output, expected) {
  let [largest, scale] = [0, 0];
  for (let at = 0; at < output.length; at++) {
    const [found, wanted] = [Number(output[at]), Number(expected[at])];
    if (Number.isNaN(found) !== Number.isNaN(wanted)) return Number.POSITIVE_INFINITY;
    largest = Math.max(largest, Math.abs(found - wanted));
    scale = Math.max(scale, Math.abs(wanted));
  }
  return largest === 0 ? 0 : largest / scale;
}

function argmax(values) {
  let best = 0;
  for (let at = 1; at < values.length; at++) if (values[at] > values[best]) best = at;
  return best;
}
