// Measures how much faster models with int8 weights run than the same models in float, on emitted kernels, one thread.
// Runs of both alternate, so that a busy machine slows both. Weights are random: only speed is looked at.
// usage: node bench/hybrid-over-float.mjs [NAME]...      (Node 24, after `npm run build`)
import { loadavg } from "node:os";
import { NETWORKS } from "./networks.mjs";
import { measureAgainstFloat } from "./paired.mjs";
import { recordResult } from "./record.mjs";

const names = process.argv.slice(2);
const wanted = names.length === 0 ? Object.keys(NETWORKS) : names;
const [loadAverage] = loadavg();
const models = {};
for (const name of wanted) {
  models[name] = await measureAgainstFloat(NETWORKS[name], { mode: "dynamic_range" });
  console.log(name, JSON.stringify(models[name]));
}
if (names.length === 0) console.log(recordResult("hybrid-over-float", { models, loadAverage }));
