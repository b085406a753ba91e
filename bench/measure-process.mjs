// Runs a program in a process of its own and measures the whole of it, start-up included.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const printPeak = pathToFileURL(join(root, "bench", "print-peak.mjs")).href;
const program = join(root, "dist", "bundle", "cli.js");

/** Wall time and processor time in milliseconds and peak memory in bytes of one `octavo` command line. */
export function measureCommand(args) {
  const folder = mkdtempSync(join(tmpdir(), "octavo-peak-"));
  try {
    const peakFile = join(folder, "peak");
    const startedAt = performance.now();
    runNode(["--import", printPeak, program, ...args], { PEAK_FILE: peakFile });
    const wallMs = performance.now() - startedAt;
    return { wallMs, ...JSON.parse(readFileSync(peakFile, "utf8")) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Runs this Node with the given arguments to its end. */
export function runNode(args, env = {}) {
  const { status, stderr } = spawnSync(process.execPath, args, {
    encoding: "utf8",
    env: { ...process.env, ...env },
  });
  if (status !== 0) throw new Error(`node ${args.join(" ")} ended with ${status}: ${stderr}`);
}
