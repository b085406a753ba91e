// Times whole processes of the command line, start-up included, and records wall time, processor time and peak memory.
// The load average says how busy the machine was: wall time means little on one that is.
// usage: node bench/command-line.mjs [RUNS]      (after `npm run build`)
import { mkdtempSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { measureCommand } from "./measure-process.mjs";
import { median, recordResult } from "./record.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const runs = Number(process.argv[2] ?? 9);
const folder = mkdtempSync(join(tmpdir(), "octavo-bench-"));
const digits = join(root, "test", "fixtures", "digits");
const output = join(folder, "digits.tflite");
const batch = join(folder, "batch.tflite");

const COMMANDS = {
  version: ["--version"],
  convert_float: ["convert", join(digits, "saved_model"), "-o", output],
  convert_dynamic_range: [
    ...["convert", join(digits, "saved_model"), "-o", output],
    ...["--mode", "dynamic_range"],
  ],
  quantize_float16: ["quantize", output, "-o", join(folder, "half.tflite"), "--mode", "float16"],
  inspect: ["inspect", output, "--json"],
  convert_batch: [
    ...["convert", join(digits, "saved_model"), "-o", batch],
    ...["--input-shape", "16,8,8,1"],
  ],
  run: [
    ...["run", batch, "--input", join(digits, "sample_inputs.npy")],
    ...["--output-dir", join(folder, "out")],
  ],
};

function summarize(samples) {
  const walls = samples.map(({ wallMs }) => wallMs);
  return {
    wallMsMedian: Math.round(median(walls)),
    wallMsMin: Math.round(Math.min(...walls)),
    wallMsMax: Math.round(Math.max(...walls)),
    cpuMsMedian: Math.round(median(samples.map(({ cpuMs }) => cpuMs))),
    peakBytesMedian: median(samples.map(({ peakBytes }) => peakBytes)),
  };
}

try {
  const [loadAverage] = loadavg();
  const commands = {};
  for (const [name, args] of Object.entries(COMMANDS)) {
    measureCommand(args);
    commands[name] = summarize(Array.from({ length: runs }, () => measureCommand(args)));
    console.log(name, JSON.stringify(commands[name]));
  }
  console.log(recordResult("command-line", { model: "digits", runs, commands, loadAverage }));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
