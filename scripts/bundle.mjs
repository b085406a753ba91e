// Joins the compiled files into a few, under dist/bundle: what the package ships. Some 200 modules cost four times as much
// to load as the same code in one file. All entry points come from one build, so that they share their classes; importers,
// the converter and the commands stay files of their own, loaded when they are used.
// usage: node scripts/bundle.mjs      (after `tsc -b`; `npm run build` does both)
import { readFileSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const root = fileURLToPath(new URL("..", import.meta.url));
const { dependencies } = JSON.parse(readFileSync(`${root}package.json`, "utf8"));

const build = await rolldown({
  input: {
    index: `${root}dist/index.js`,
    runtime: `${root}dist/runtime/index.js`,
    "kernel-worker": `${root}dist/runtime/kernel-worker.js`,
    cli: `${root}dist/cli/main.js`,
  },
  external: [/^node:/, ...Object.keys(dependencies)],
  platform: "neutral",
});
rmSync(`${root}dist/bundle`, { recursive: true, force: true });
await build.write({ dir: `${root}dist/bundle`, format: "es", chunkFileNames: "[name].js" });
