// Runs the tests of emitted code under Node 24, whose engine has relaxed SIMD and 256-bit vectors: kernels for them are
// left out, for want of an engine, where the tests run under Node 20. Installs that Node for the time of the run.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const NODE = "24.21.0";
const TESTS = [
  "src/wasm",
  "src/kernels/simd",
  "src/runtime",
  "test/parity/fast-",
  "test/parity/threads",
  "test/parity/wide",
];

const root = fileURLToPath(new URL("..", import.meta.url));
const name = `node-${process.platform}-${process.arch}`;
const folder = mkdtempSync(join(tmpdir(), "octavo-engine-"));
try {
  const install = ["install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts"];
  execFileSync("npm", [...install, "--prefix", folder, `${name}@${NODE}`], { stdio: "ignore" });
  const node = join(folder, "node_modules", name, "bin", "node");
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
  const { status } = spawnSync(node, [vitest, "run", "--silent=true", ...TESTS], {
    cwd: root,
    stdio: "inherit",
  });
  process.exitCode = status ?? 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
