// Quantizes a generated .tflite of fully connected layers and records speed and peak memory. The model is written by a
// process of its own, so that the measured one only quantizes.
// usage: node bench/quantize-large.mjs [--gigabytes 1] [--mode dynamic_range] [--folder DIR] [--runs 3]
//        (after `npm run build`)
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { measureCommand, runNode } from "./measure-process.mjs";
import { median, recordResult } from "./record.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const { values: flags } = parseArgs({
  options: {
    gigabytes: { type: "string", default: "1" },
    mode: { type: "string", default: "dynamic_range" },
    folder: { type: "string" },
    runs: { type: "string", default: "3" },
    generate: { type: "string" },
  },
});

const WIDTH = 4096;
const TENSOR_BYTES = 4 * WIDTH * WIDTH;
const layers = Math.round((Number(flags.gigabytes) * 1e9) / TENSOR_BYTES);

if (flags.generate === undefined) measure();
else await generate(flags.generate);

/** Streams the model to `path`: each layer's weights are made when they are written. */
async function generate(path) {
  const load = (module) => import(pathToFileURL(join(root, "dist", module)).href);
  const { writeModel } = await load("model/write.js");
  const { withVersions } = await load("model/versions.js");
  const { fileSink } = await load("node/file-sink.js");
  const { EMPTY_BUFFER } = await load("model/ir.js");
  const { makeOptions } = await load("formats/tflite/options.js");
  const tensor = (name, shape, buffer) => ({
    ...{ name, shape, buffer },
    ...{ dtype: "float32", isVariable: false, hasRank: true },
  });
  const indices = Array.from({ length: layers }, (_, layer) => layer);
  const model = withVersions({
    version: 3,
    description: "fully connected layers with seeded weights",
    operatorCodes: [],
    subgraphs: [
      {
        name: "main",
        tensors: [
          tensor("x0", [1, WIDTH], 0),
          ...indices.map((layer) => tensor(`x${layer + 1}`, [1, WIDTH], 0)),
          ...indices.map((layer) => tensor(`w${layer}`, [WIDTH, WIDTH], layer + 1)),
        ],
        operators: indices.map((layer) => ({
          op: "FULLY_CONNECTED",
          version: 1,
          inputs: [layer, layers + 1 + layer, -1],
          outputs: [layer + 1],
          options: makeOptions("FullyConnectedOptions"),
        })),
        inputs: [0],
        outputs: [layers],
      },
    ],
    buffers: [
      EMPTY_BUFFER,
      ...indices.map((layer) => ({
        byteLength: TENSOR_BYTES,
        load: async () => new Uint8Array(seededWeights(layer + 1).buffer),
      })),
    ],
    metadata: [],
    signatures: [],
  });
  await writeModel(model, await fileSink(path));
}

/** Sums of four uniform numbers: near enough to a normal distribution. */
function seededWeights(seed) {
  const values = new Float32Array(WIDTH * WIDTH);
  let state = seed;
  for (let index = 0; index < values.length; index++) {
    let sum = 0;
    for (let term = 0; term < 4; term++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      sum += state / 2 ** 32 - 0.5;
    }
    values[index] = 0.05 * sum;
  }
  return values;
}

function measure() {
  const folder = flags.folder ?? mkdtempSync(join(tmpdir(), "octavo-bench-"));
  const input = join(folder, `dense-${layers}.tflite`);
  const output = join(folder, "quantized.tflite");
  // Figures from a machine with other work say little: this tells.
  const loadAverage = loadavg()[0];
  try {
    if (!existsSync(input))
      runNode([fileURLToPath(import.meta.url), ...process.argv.slice(2), "--generate", input]);
    const samples = Array.from({ length: Number(flags.runs) }, () =>
      measureCommand(["quantize", input, "-o", output, "--mode", flags.mode]),
    );
    const inputBytes = statSync(input).size;
    const outputBytes = statSync(output).size;
    const wallMs = median(samples.map((sample) => sample.wallMs));
    const peakBytes = Math.max(...samples.map((sample) => sample.peakBytes));
    const figures = {
      mode: flags.mode,
      loadAverage,
      inputBytes,
      outputBytes,
      largestTensorBytes: TENSOR_BYTES,
      wallMsMedian: Math.round(wallMs),
      wallMsAll: samples.map((sample) => Math.round(sample.wallMs)),
      cpuMsMedian: median(samples.map(({ cpuMs }) => cpuMs)),
      inputMegabytesPerSecond: Math.round(inputBytes / 1e3 / wallMs),
      peakBytes,
      peakBytesAllowed: outputBytes + 1.5 * TENSOR_BYTES,
    };
    console.log(figures);
    console.log(recordResult(`quantize-large-${flags.mode}-${flags.gigabytes}gb`, figures));
  } finally {
    rmSync(output, { force: true });
    if (flags.folder === undefined) rmSync(folder, { recursive: true, force: true });
  }
}
