// Measures two forms of one model in alternation, so that a busy machine slows both.
import { Interpreter } from "../dist/index.js";
import { quantizeModel } from "../dist/quantize/quantize-model.js";
import { LayerModel, uniform } from "./layer-models.mjs";
import { median } from "./record.mjs";

/** Wall time that one model may take. */
const BUDGET_MS = 12_000;
const MIN_PAIRS = 7;
const MAX_PAIRS = 60;

async function open(model) {
  const interpreter = await Interpreter.create(model, { threads: 1 });
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
  const [float, small] = [await open(model), await open(quantized)];
  const samples = [];
  const startedAt = performance.now();
  while (samples.length < MAX_PAIRS) {
    const isOver = performance.now() - startedAt > BUDGET_MS;
    if (isOver && samples.length >= MIN_PAIRS) break;
    const first = await timeOf(float);
    samples.push([first, await timeOf(small)]);
  }
  for (const interpreter of [float, small]) interpreter.dispose();
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
