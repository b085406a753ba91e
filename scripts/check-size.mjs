// Checks what a page downloads to run a model: `octavo/runtime` and its worker, bundled, minified and compressed.
// usage: node scripts/check-size.mjs      (after `npm run build`)
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { rolldown } from "rolldown";

const root = fileURLToPath(new URL("..", import.meta.url));
const MAX_GZIP_BYTES = 150_000;

const build = await rolldown({
  input: {
    runtime: `${root}dist/runtime/index.js`,
    "kernel-worker": `${root}dist/runtime/kernel-worker.js`,
  },
  platform: "browser",
});
const { output } = await build.generate({ format: "es", minify: true });
const problems = [];
let total = 0;
for (const { fileName, code, imports, isDynamicEntry } of output) {
  const bytes = gzipSync(code, { level: 9 }).byteLength;
  if (!isDynamicEntry) total += bytes;
  const when = isDynamicEntry ? ", only for models that need it" : "";
  console.log(`${fileName}: ${Buffer.byteLength(code)} bytes, ${bytes} compressed${when}`);
  const outside = imports.filter((name) => !output.some((file) => file.fileName === name));
  if (outside.length > 0) problems.push(`${fileName} imports ${outside}, expected no package`);
}
console.log(`for every model: ${total} bytes compressed, at most ${MAX_GZIP_BYTES} allowed`);
if (total > MAX_GZIP_BYTES) {
  problems.push(`${total} bytes compressed, expected at most ${MAX_GZIP_BYTES}`);
}
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;
