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

const runtime = staticImports(compiled("runtime/index.js"));
const [occasional, rare] = ["occasional", "rare"].map((name) =>
  staticImports(compiled(`kernels/${name}-kernels.js`), new Set(runtime)),
);

const common = {
  external: [/^node:/, ...Object.keys(dependencies)],
  platform: "neutral",
};
const build = await rolldown({
  input: {
    index: compiled("index.js"),
    runtime: compiled("runtime/index.js"),
    cli: compiled("cli/main.js"),
  },
  ...common,
});
// A worker shares nothing with the page but memory: a file of its own costs a few modules twice, and nobody a request more.
const worker = await rolldown({
  input: { "kernel-worker": compiled("runtime/kernel-worker.js") },
  ...common,
});
rmSync(compiled("bundle"), { recursive: true, force: true });
const written = {
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
};
await worker.write(written);
await build.write({
  ...written,
  // What running every model needs is one file, however commands and importers share their modules; what those with other
  // operators need, another.
  codeSplitting: {
    groups: [
      // What both need is little.
      {
        name: "engine",
        test: (file) => runtime.has(file) || (occasional.has(file) && rare.has(file)),
      },
      { name: "occasional", test: (file) => occasional.has(file) },
    ],
  },
});
