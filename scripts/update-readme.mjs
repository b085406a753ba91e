// Writes the README's tables between their marks: what quantization costs, from a run of `octavo demo`, and speed beside
// the peers, from the last recorded runs of bench/peers/run.mjs and bench/cold-start.mjs.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const path = `${root}README.md`;

const percent = (share) => `${(100 * share).toFixed(1)} %`;

function table(header, rows) {
  const rule = header.map((_, column) => (column === 0 ? "---" : "---:"));
  return [header, rule, ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function demoTable() {
  const { models, samples } = JSON.parse(
    execFileSync(process.execPath, [`${root}dist/cli/main.js`, "demo", "--json"], {
      encoding: "utf8",
    }),
  );
  const rows = models.map(({ name, byteLength, top1, latencyMs, comparison }) => [
    name,
    `${(byteLength / 1000).toFixed(0)} kB`,
    comparison === undefined ? "" : percent(comparison.sizeRatio),
    percent(top1),
    comparison === undefined ? "" : percent(comparison.agreement),
    `${latencyMs.median.toFixed(2)} ms`,
  ]);
  const header = [`digits, ${samples} images`, "size", "of float", "top-1", "agreement", "latency"];
  return table(header, rows);
}

/** Columns of the table of speed: contenders on one thread. */
const CONTENDERS = {
  octavo: "Octavo",
  "octavo wide": "Octavo, wide",
  "litert.js": "LiteRT.js",
  "tfjs-tflite": "tfjs-tflite",
  "tfjs wasm": "TF.js",
  "onnxruntime-web": "ONNX Runtime",
};

/** Times vary with the machine's moods, so the table has the least of the rounds' medians. */
function speedTable() {
  const file = `${root}bench/results/peers.json`;
  if (!existsSync(file)) return undefined;
  const { models, node, cpu } = JSON.parse(readFileSync(file, "utf8"));
  const rows = Object.entries(models).map(([model, { contenders }]) => [
    model.replaceAll("_", " "),
    ...Object.keys(CONTENDERS).map((name) => cellOf(contenders[name])),
  ]);
  const header = ["milliseconds a call, one thread", ...Object.values(CONTENDERS)];
  return `${table(header, rows)}\n\n${cpu}, Node ${node}.${coldStart()}`;
}

/** What a program waits for before its first result, where that was measured. */
function coldStart() {
  const file = `${root}bench/results/cold-start.json`;
  if (!existsSync(file)) return "";
  const { model, contenders } = JSON.parse(readFileSync(file, "utf8"));
  const times = ["octavo", "litert.js", "tfjs-tflite"].map((name) => {
    return `${CONTENDERS[name]} ${contenders[name].totalMsMin.toFixed(0)} ms`;
  });
  return ` To the first result of ${model.replaceAll("_", " ")}, import included: ${times.join(", ")}.`;
}

function cellOf(contender) {
  if (contender === undefined) return "";
  if (contender.error !== undefined) return "refused";
  const time = Math.min(...contender.roundMediansMs);
  return time >= 100 ? time.toFixed(0) : time.toPrecision(3);
}

function replaceBetween(text, start, content) {
  const [before, rest] = text.split(start);
  if (rest === undefined) throw new Error(`README.md has no mark ${start}`);
  const [, ...after] = rest.split("<!-- end -->");
  return `${before}${start}\n${content}\n<!-- end -->${after.join("<!-- end -->")}`;
}

let readme = readFileSync(path, "utf8");
readme = replaceBetween(readme, "<!-- made by scripts/update-readme.mjs -->", demoTable());
const speed = speedTable();
if (speed !== undefined) {
  readme = replaceBetween(readme, "<!-- speed, made by scripts/update-readme.mjs -->", speed);
}
writeFileSync(path, readme);
