// Measures how much faster models with int8 weights run than the same models in float, on emitted kernels, one thread.
// Runs of both alternate, so that a busy machine slows both. Weights are random: only speed is looked at.
// usage: node bench/hybrid-over-float.mjs [NAME]...      (Node 24, after `npm run build`)
import { loadavg } from "node:os";
import { Interpreter } from "../dist/index.js";
import { quantizeModel } from "../dist/quantize/quantize-model.js";
import { LayerModel, uniform } from "./layer-models.mjs";
import { median, recordResult } from "./record.mjs";

/** Wall time that one model may take. */
const BUDGET_MS = 12_000;
const MIN_PAIRS = 7;
const MAX_PAIRS = 60;

const MODELS = {
  fully_connected_4x4096: (net) => {
    let x = net.input([1, 4096]);
    for (let layer = 0; layer < 4; layer++) x = net.fullyConnected(x, 4096);
    return x;
  },
  lstm_2048: (net) => net.lstm(net.input([1, 4, 2048]), 2048),
  lstm_1024: (net) => net.lstm(net.input([1, 8, 1024]), 1024),
  lstm_512: (net) => net.lstm(net.input([1, 16, 512]), 512),
  lstm_128: (net) => net.lstm(net.input([1, 50, 128]), 128),
  lstm_32: (net) => net.lstm(net.input([1, 50, 32]), 32),
  embedding_fully_connected: (net) => {
    const rows = net.embedding(net.input([1], "int32"), 20_000, 1024);
    return net.fullyConnected(net.fullyConnected(rows, 4096), 4096);
  },
  resnet50: (net) => {
    let x = net.maxPool(net.conv(net.input([1, 224, 224, 3]), 64, 7, 2, "RELU"));
    for (const [channels, blocks, stride] of [
      [64, 3, 1],
      [128, 4, 2],
      [256, 6, 2],
      [512, 3, 2],
    ]) {
      for (let block = 0; block < blocks; block++) {
        const step = block === 0 ? stride : 1;
        const shortcut = block === 0 ? net.conv(x, 4 * channels, 1, step, "NONE") : x;
        const narrow = net.conv(net.conv(x, channels, 1, step, "RELU"), channels, 3, 1, "RELU");
        x = net.add(net.conv(narrow, 4 * channels, 1, 1, "NONE"), shortcut, "RELU");
      }
    }
    return net.fullyConnected(net.globalMean(x), 1000, "NONE");
  },
  mobilenet_v1: (net) => {
    let x = net.conv(net.input([1, 224, 224, 3]), 32, 3, 2);
    for (const [channels, stride] of [
      ...[
        [64, 1],
        [128, 2],
        [128, 1],
        [256, 2],
        [256, 1],
        [512, 2],
      ],
      ...Array(5).fill([512, 1]),
      ...[
        [1024, 2],
        [1024, 1],
      ],
    ]) {
      x = net.conv(net.depthwise(x, stride), channels, 1, 1);
    }
    return net.fullyConnected(net.globalMean(x), 1000, "NONE");
  },
  mobilenet_v2: (net) => {
    let [x, depth] = [net.conv(net.input([1, 224, 224, 3]), 32, 3, 2), 32];
    for (const [factor, channels, repeats, stride] of [
      ...[
        [1, 16, 1, 1],
        [6, 24, 2, 2],
        [6, 32, 3, 2],
        [6, 64, 4, 2],
      ],
      ...[
        [6, 96, 3, 1],
        [6, 160, 3, 2],
        [6, 320, 1, 1],
      ],
    ]) {
      for (let block = 0; block < repeats; block++) {
        const step = block === 0 ? stride : 1;
        const wide = factor === 1 ? x : net.conv(x, factor * depth, 1, 1);
        const narrow = net.conv(net.depthwise(wide, step), channels, 1, 1, "NONE");
        x = step === 1 && depth === channels ? net.add(narrow, x) : narrow;
        depth = channels;
      }
    }
    return net.fullyConnected(net.globalMean(net.conv(x, 1280, 1, 1)), 1000, "NONE");
  },
};

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

async function measure(make) {
  const net = new LayerModel();
  const model = net.build(make(net));
  const { model: quantized } = await quantizeModel(model, { mode: "dynamic_range" });
  const [float, hybrid] = [await open(model), await open(quantized)];
  const samples = [];
  const startedAt = performance.now();
  while (samples.length < MAX_PAIRS) {
    const isOver = performance.now() - startedAt > BUDGET_MS;
    if (isOver && samples.length >= MIN_PAIRS) break;
    const first = await timeOf(float);
    samples.push([first, await timeOf(hybrid)]);
  }
  for (const interpreter of [float, hybrid]) interpreter.dispose();
  const ratios = samples.map(([a, b]) => a / b);
  return {
    floatWeightBytes: weightBytes(model),
    pairs: samples.length,
    floatMsMedian: round(median(samples.map(([a]) => a))),
    hybridMsMedian: round(median(samples.map(([, b]) => b))),
    ratioMedian: round(median(ratios)),
    ratioLowerQuartile: round(quantile(ratios, 0.25)),
    ratioUpperQuartile: round(quantile(ratios, 0.75)),
  };
}

const names = process.argv.slice(2);
const wanted = names.length === 0 ? Object.keys(MODELS) : names;
const [loadAverage] = loadavg();
const models = {};
for (const name of wanted) {
  models[name] = await measure(MODELS[name]);
  console.log(name, JSON.stringify(models[name]));
}
if (names.length === 0) console.log(recordResult("hybrid-over-float", { models, loadAverage }));
