// What 256-bit kernels and a second thread bring, against 128 bits on one thread: networks in float and with int8
// weights, all ways in turns. Node 24, after `npm run build`.
// usage: node bench/ways.mjs [NAME]...      without names, the convolutional networks
import { loadavg } from "node:os";
import { NETWORKS } from "./networks.mjs";
import { measureWays, network } from "./paired.mjs";
import { recordResult } from "./record.mjs";

const WAYS = {
  "128 bits": { wide: false },
  "256 bits": { wide: true },
  "128 bits, 2 threads": { wide: false, threads: 2 },
  "256 bits, 2 threads": { wide: true, threads: 2 },
};
const FORMS = { float: undefined, dynamic_range: { mode: "dynamic_range" } };

const names = process.argv.slice(2);
const wanted = names.length === 0 ? ["resnet50", "mobilenet_v1", "mobilenet_v2"] : names;
const [loadAverage] = loadavg();
const models = {};
for (const name of wanted) {
  for (const [form, options] of Object.entries(FORMS)) {
    const title = `${name} ${form}`;
    models[title] = await measureWays(await network(NETWORKS[name], options), WAYS);
    for (const [way, { msMin, ratioOfMinima, ratioMedian }] of Object.entries(models[title])) {
      console.log(title.padEnd(28), way.padEnd(20), msMin, ratioOfMinima, ratioMedian);
    }
  }
}
if (names.length === 0) console.log(recordResult("ways", { models, loadAverage }));
