// Seeded inputs: the same logical values for every contender, whatever the layout it wants them in.

const ARRAYS = {
  float32: Float32Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  bool: Uint8Array,
};

/**
 * Elements by a linear congruential generator: x ← 1664525 x + 1013904223 (mod 2³²), started at 1234567 + 7919 × input.
 * float32 lies in [-1, 1), 8-bit integers use their whole range, other integers are below 100.
 */
export function inputValues({ dtype, shape }, input) {
  const ArrayType = ARRAYS[dtype];
  if (ArrayType === undefined) throw new Error(`no input values for ${dtype}`);
  const values = new ArrayType(shape.reduce((product, size) => product * Math.abs(size), 1));
  let state = 1234567 + 7919 * input;
  for (let at = 0; at < values.length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    values[at] = elementOf(dtype, state);
  }
  return values;
}

function elementOf(dtype, state) {
  const top = state >>> 24;
  switch (dtype) {
    case "float32":
      return ((state >>> 8) / 2 ** 24) * 2 - 1;
    case "uint8":
      return top;
    case "int8":
      return top - 128;
    case "bool":
      return state >>> 31;
    case "int64":
      return BigInt(top % 100);
    default:
      return top % 100;
  }
}

/** [n, h, w, c] → [n, c, h, w], for a file that wants channels first; `shape` is the file's. */
export function channelsFirst(values, [batch, channels, height, width]) {
  const result = new values.constructor(values.length);
  const area = height * width;
  for (let n = 0; n < batch; n++) {
    for (let at = 0; at < area; at++) {
      for (let c = 0; c < channels; c++) {
        result[(n * channels + c) * area + at] = values[(n * area + at) * channels + c];
      }
    }
  }
  return result;
}
