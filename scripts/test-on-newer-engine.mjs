// Runs the tests of emitted code under newer Nodes, whose engines have relaxed SIMD and 256-bit vectors: kernels for them
// are left out, for want of an engine, where the tests run under Node 20. Installs those Nodes for the time of the run.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Whole networks; the one engine that compiles them wide in another way has to show that it lives. */
const NETWORKS = ["test/parity/threads", "test/parity/wide"];
const TESTS = {
  "24.21.0": ["src/wasm", "src/kernels/simd", "src/runtime", "test/parity/fast-", ...NETWORKS],
  "26.10.0": ["test/parity/fast-", ...NETWORKS],
};

const root = fileURLToPath(new URL("..", import.meta.url));
const name = `node-${process.platform}-${process.arch}`;

/** The exit status of the tests. */
function testUnder(version, tests) {
  const folder = mkdtempSync(join(tmpdir(), "octavo-engine-"));
  try {
    const install = ["install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts"];
    execFileSync("npm", [...install, "--prefix", folder, `${name}@${version}`], {
      stdio: "ignore",
    });
    const node = join(folder, "node_modules", name, "bin", "node");
    const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
    const args = [vitest, "run", "--silent=true", ...tests];
    console.log(`Node ${version}`);
    return spawnSync(node, args, { cwd: root, stdio: "inherit" }).status ?? 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

for (const [version, tests] of Object.entries(TESTS)) {
  if (testUnder(version, tests) !== 0) process.exitCode = 1;
}
