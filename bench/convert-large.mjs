// Converts any source with whole processes of the command line and records wall time, processor time and peak memory.
// usage: node bench/convert-large.mjs SOURCE NAME [--mode float]... [--runs 5] [-- OPTIONS OF octavo convert]
//        (after `npm run build`; the result is bench/results/convert-NAME.json)
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { measureCommand } from "./measure-process.mjs";
import { median, recordResult } from "./record.mjs";

const rest = process.argv.indexOf("--");
const own = process.argv.slice(2, rest < 0 ? undefined : rest);
const options = rest < 0 ? [] : process.argv.slice(rest + 1);
const { values: flags, positionals } = parseArgs({
  args: own,
  allowPositionals: true,
  options: {
    mode: { type: "string", multiple: true, default: ["float", "dynamic_range"] },
    runs: { type: "string", default: "5" },
  },
});
const [source, name] = positionals;
if (source === undefined || name === undefined) throw new Error("SOURCE and NAME are needed");
const folder = mkdtempSync(join(tmpdir(), "octavo-bench-"));
const output = join(folder, "out.tflite");

/** Bytes of a file, or of all files below a folder. */
function bytesOf(path) {
  if (!statSync(path).isDirectory()) return statSync(path).size;
  return readdirSync(path).reduce((sum, entry) => sum + bytesOf(join(path, entry)), 0);
}

const middle = (samples, key) => Math.round(median(samples.map((sample) => sample[key])));

try {
  const [loadAverage] = loadavg();
  const sourceBytes = bytesOf(source);
  const modes = {};
  for (const mode of flags.mode) {
    const args = ["convert", source, "-o", output, "--mode", mode, ...options];
    const samples = Array.from({ length: Number(flags.runs) }, () => measureCommand(args));
    const peakBytes = Math.max(...samples.map((sample) => sample.peakBytes));
    modes[mode] = {
      wallMsMedian: middle(samples, "wallMs"),
      wallMsAll: samples.map(({ wallMs }) => Math.round(wallMs)),
      cpuMsMedian: middle(samples, "cpuMs"),
      peakBytes,
      peakOfSource: Number((peakBytes / sourceBytes).toFixed(2)),
      outputBytes: statSync(output).size,
    };
    console.log(mode, modes[mode]);
  }
  const figures = { sourceBytes, options, runs: Number(flags.runs), modes, loadAverage };
  console.log(recordResult(`convert-${name}`, figures));
} finally {
  rmSync(folder, { recursive: true });
}
