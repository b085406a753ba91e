// Writes the README's table from a run of `octavo demo`, between its two marks.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const START = "<!-- made by scripts/update-readme.mjs -->";
const END = "<!-- end -->";

const { models, samples } = JSON.parse(
  execFileSync(process.execPath, [`${root}dist/cli/main.js`, "demo", "--json"], {
    encoding: "utf8",
  }),
);

const percent = (share) => `${(100 * share).toFixed(1)} %`;
const rows = models.map(({ name, byteLength, top1, latencyMs, comparison }) => [
  name,
  `${(byteLength / 1000).toFixed(0)} kB`,
  comparison === undefined ? "" : percent(comparison.sizeRatio),
  percent(top1),
  comparison === undefined ? "" : percent(comparison.agreement),
  `${latencyMs.median.toFixed(2)} ms`,
]);
const lines = [
  [`digits, ${samples} images`, "size", "of float", "top-1", "agreement", "latency"],
  ["---", "---:", "---:", "---:", "---:", "---:"],
  ...rows,
].map((cells) => `| ${cells.join(" | ")} |`);

const path = `${root}README.md`;
const readme = readFileSync(path, "utf8");
const [before, rest] = readme.split(START);
const [, after] = rest.split(END);
writeFileSync(path, `${before}${START}\n${lines.join("\n")}\n${END}${after}`);
