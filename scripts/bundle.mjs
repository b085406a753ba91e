// Joins the compiled files into a few, under dist/bundle: what the package ships. Some 200 modules cost four times as much
// to load as the same code in one file. All entry points come from one build, so that they share their classes; importers,
// the converter and the commands stay files of their own, loaded when they are used.
// usage: node scripts/bundle.mjs      (after `tsc -b`; `npm run build` does both)
import { readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const root = fileURLToPath(new URL("..", import.meta.url));
const compiled = (path) => join(root, "dist", path);
const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

/** All files that a compiled file needs before its first line runs, itself included. */
function staticImports(file, seen = new Set()) {
  if (seen.has(file)) return seen;
  seen.add(file);
  const code = readFileSync(file, "utf8");
  for (const [, path] of code.matchAll(/^(?:import|export)\s(?:[^"';]*?\sfrom\s)?"(\.[^"]+)";/gm)) {
    staticImports(join(dirname(file), path), seen);
  }
  return seen;
}

const worker = staticImports(compiled("runtime/kernel-worker.js"));
const runtime = staticImports(compiled("runtime/index.js"));
worker.delete(compiled("runtime/kernel-worker.js"));
runtime.delete(compiled("runtime/index.js"));

const build = await rolldown({
  input: {
    index: compiled("index.js"),
    runtime: compiled("runtime/index.js"),
    "kernel-worker": compiled("runtime/kernel-worker.js"),
    cli: compiled("cli/main.js"),
  },
  external: [/^node:/, ...Object.keys(dependencies)],
  platform: "neutral",
});
rmSync(compiled("bundle"), { recursive: true, force: true });
await build.write({
  dir: compiled("bundle"),
  format: "es",
  chunkFileNames: "[name].js",
  comments: { jsdoc: false }, // the .d.ts files have them
  // An engine reads all of it before the first line runs. Short names of locals and parameters are a quarter less to read;
  // functions, classes and lines stay, so that stack traces can be read. One character beyond Latin-1 would make it store
  // and scan every other with 16 bits.
  minify: {
    compress: false,
    mangle: { toplevel: false, keepNames: true },
    codegen: { removeWhitespace: false, asciiOnly: true },
  },
  // What running a model needs are two files, however commands and importers share their modules.
  codeSplitting: {
    groups: [
      { name: "base", test: (file) => worker.has(file), priority: 2 },
      { name: "engine", test: (file) => runtime.has(file), priority: 1 },
    ],
  },
});
