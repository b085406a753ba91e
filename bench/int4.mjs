// Measures how much faster fully connected layers and 1×1 convolutions with int4 weights run than the same in float.
// usage: node bench/int4.mjs [NAME]...      (Node 24, after `npm run build`)
import { loadavg } from "node:os";
import { measureAgainstFloat } from "./paired.mjs";
import { recordResult } from "./record.mjs";

/** Three fully connected layers of so many units, on so many rows. */
const connected = (rows, units) => (net) => {
  let x = net.input([rows, units]);
  for (let layer = 0; layer < 3; layer++) x = net.fullyConnected(x, units);
  return x;
};

/** Three 1×1 convolutions of so many channels, on a square image. */
const pointwise = (size, channels) => (net) => {
  let x = net.input([1, size, size, channels]);
  for (let layer = 0; layer < 3; layer++) x = net.conv(x, channels, 1, 1);
  return x;
};

const MODELS = {
  fully_connected_1x512: connected(1, 512),
  fully_connected_1x2048: connected(1, 2048),
  fully_connected_1x4096: connected(1, 4096),
  fully_connected_16x1024: connected(16, 1024),
  pointwise_7x7x1024: pointwise(7, 1024),
  pointwise_14x14x512: pointwise(14, 512),
  pointwise_28x28x256: pointwise(28, 256),
  pointwise_56x56x128: pointwise(56, 128),
};

const names = process.argv.slice(2);
const wanted = names.length === 0 ? Object.keys(MODELS) : names;
const [loadAverage] = loadavg();
const models = {};
for (const name of wanted) {
  models[name] = await measureAgainstFloat(MODELS[name], {
    mode: "dynamic_range",
    weightType: "int4",
  });
  console.log(name, JSON.stringify(models[name]));
}
if (names.length === 0) console.log(recordResult("int4", { models, loadAverage }));
