// Measures two forms of one model in alternation, so that a busy machine slows both.
import { Interpreter } from "../dist/index.js";
import { quantizeModel } from "../dist/quantize/quantize-model.js";
import { LayerModel, uniform } from "./layer-models.mjs";
import { median } from "./record.mjs";

/** Wall time that one model may take. */
const BUDGET_MS = 12_000;
const MIN_PAIRS = 7;
const MAX_PAIRS = 60;
/** Until the engine has optimized what calls the kernels, which is most of what a call of microseconds does. */
const WARM_UP_MS = 500;

async function open(model, options = { threads: 1 }) {
  const interpreter = await Interpreter.create(model, options);
  const next = uniform(7);
  for (const { index, shape, dtype } of interpreter.getInputDetails()) {
    const length = shape.reduce((product, size) => product * size, 1);
    const data =
      dtype === "int32" ? Int32Array.of(17) : Float32Array.from({ length }, () => next());
    interpreter.setTensor(index, data);
  }
  await interpreter.invoke();
  await interpreter.invoke();
  return interpreter;
}

async function timeOf(interpreter) {
  const startedAt = performance.now();
  await interpreter.invoke();
  return performance.now() - startedAt;
}

function weightBytes(model) {
  const [{ tensors }] = model.subgraphs;
  const elements = (shape) => shape.reduce((product, size) => product * size, 1);
  const floats = tensors.filter((tensor) => tensor.buffer !== 0 && tensor.dtype === "float32");
  return floats.reduce((sum, { shape }) => sum + 4 * elements(shape), 0);
}

const quantile = (values, share) =>
  [...values].sort((a, b) => a - b)[Math.round((values.length - 1) * share)];
const round = (value) => Number(value.toFixed(3));

/**
 * Float weights against the same ones quantized as `options` say, on emitted kernels and one thread: times, and float
 * over quantized. `make` lays out the model and returns its output.
 */
export async function measureAgainstFloat(make, options) {
  const net = new LayerModel();
  const model = net.build(make(net));
  const { model: quantized } = await quantizeModel(model, options);
  const samples = await alternate([await open(model), await open(quantized)]);
  const least = [0, 1].map((form) => Math.min(...samples.map((pair) => pair[form])));
  const ratios = samples.map(([a, b]) => a / b);
  return {
    floatWeightBytes: weightBytes(model),
    pairs: samples.length,
    floatMsMin: round(least[0]),
    quantizedMsMin: round(least[1]),
    ratioOfMinima: round(least[0] / least[1]),
    floatMsMedian: round(median(samples.map(([a]) => a))),
    quantizedMsMedian: round(median(samples.map(([, b]) => b))),
    ratioMedian: round(median(ratios)),
    ratioLowerQuartile: round(quantile(ratios, 0.25)),
    ratioUpperQuartile: round(quantile(ratios, 0.75)),
  };
}

/** Runs all in turns until there are enough samples or the time is over; times of each turn. Disposes of all. */
async function alternate(interpreters) {
  const samples = [];
  const warmFrom = performance.now();
  while (performance.now() - warmFrom < WARM_UP_MS) {
    for (const interpreter of interpreters) await timeOf(interpreter);
  }
  const startedAt = performance.now();
  while (samples.length < MAX_PAIRS) {
    const isOver = performance.now() - startedAt > BUDGET_MS;
    if (isOver && samples.length >= MIN_PAIRS) break;
    const turn = [];
    for (const interpreter of interpreters) turn.push(await timeOf(interpreter));
    samples.push(turn);
  }
  for (const interpreter of interpreters) interpreter.dispose();
  return samples;
}

/** A network in float, or quantized as `options` say. */
export async function network(make, options) {
  const net = new LayerModel();
  const model = net.build(make(net));
  return options === undefined ? model : (await quantizeModel(model, options)).model;
}

/**
 * One model opened in several ways, in turns: times of each, and the first one's time over each other's. `ways`:
 * interpreter options by name.
 */
export async function measureWays(model, ways) {
  const names = Object.keys(ways);
  const interpreters = [];
  for (const name of names) interpreters.push(await open(model, ways[name]));
  const samples = await alternate(interpreters);
  const least = names.map((_, way) => Math.min(...samples.map((turn) => turn[way])));
  return Object.fromEntries(
    names.map((name, way) => {
      const ratios = samples.map((turn) => turn[0] / turn[way]);
      return [
        name,
        {
          turns: samples.length,
          msMin: round(least[way]),
          msMedian: round(median(samples.map((turn) => turn[way]))),
          ratioOfMinima: round(least[0] / least[way]),
          ratioMedian: round(median(ratios)),
          ratioLowerQuartile: round(quantile(ratios, 0.25)),
          ratioUpperQuartile: round(quantile(ratios, 0.75)),
        },
      ];
    }),
  );
}
