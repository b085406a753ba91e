// Measures Octavo and LiteRT.js in pages of Chromium, cross-origin isolated: the time from the start of the navigation to
// the first result, in a browser that was just started and has nothing cached, and the time of a call after that.
// Contenders take turns. `versusOctavo` are medians over rounds of ratios to Octavo on one thread.
// usage: node bench/chromium.mjs [--peers FOLDER] [--model mobilenet_v2_float] [--rounds 7] [--chromium /usr/bin/chromium]
//        (after `npm run build` and `node bench/peers/install.mjs FOLDER`)
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { loadavg, tmpdir } from "node:os";
import { extname, join, normalize, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";
import { MODELS } from "./peers/models.mjs";
import { median, recordResult } from "./record.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const { values: flags } = parseArgs({
  options: {
    peers: { type: "string", default: join(tmpdir(), "octavo-peers") },
    model: { type: "string", default: "mobilenet_v2_float" },
    rounds: { type: "string", default: "7" },
    chromium: { type: "string", default: "/usr/bin/chromium" },
  },
});
const peers = resolve(flags.peers);

/** Folders by the first part of a path. */
const FOLDERS = {
  page: join(root, "bench", "chromium"),
  peers: join(root, "bench", "peers"),
  octavo: join(root, "dist", "bundle"),
  litert: join(peers, "litert", "node_modules", "@litertjs"),
  models: join(peers, "models"),
};
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript" };
const HEADERS = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

const CONTENDERS = {
  octavo: { runtime: "octavo", threads: 1 },
  "litert.js": { runtime: "litert.js", threads: 1 },
  "octavo, 2 threads": { runtime: "octavo", threads: 2 },
  "litert.js, 2 threads": { runtime: "litert.js", threads: 2 },
};

async function answer(request, response) {
  const path = normalize(new URL(request.url, "http://localhost").pathname);
  const [, first, ...rest] = path.split("/");
  const file = join(FOLDERS[first] ?? "", ...rest);
  try {
    const body = await readFile(file);
    const type = extname(file) === ".wasm" ? "application/wasm" : TYPES[extname(file)];
    response.writeHead(200, { ...HEADERS, "Content-Type": type ?? "application/octet-stream" });
    response.end(body);
  } catch (error) {
    response.writeHead(404, HEADERS).end(String(error));
  }
}

/** One browser, one page, one runtime. */
async function measure(origin, settings) {
  const browser = await chromium.launch({
    executablePath: flags.chromium,
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"],
  });
  try {
    const page = await browser.newPage();
    await page.goto(`${origin}/page/index.html`);
    await page.waitForFunction("'measure' in globalThis");
    const details = { ...settings, model: MODELS[flags.model].tflite, milliseconds: 2000 };
    return await page.evaluate((given) => globalThis.measure(given), details);
  } finally {
    await browser.close();
  }
}

const server = createServer((request, response) => void answer(request, response));
await new Promise((done) => server.listen(0, "127.0.0.1", done));
const origin = `http://127.0.0.1:${server.address().port}`;
const load = [loadavg()[0]];
const names = Object.keys(CONTENDERS);
const results = new Map(names.map((name) => [name, []]));
for (let round = 0; round < Number(flags.rounds); round++) {
  for (const name of round % 2 === 0 ? names : names.toReversed()) {
    const { coldStartMs, samples } = await measure(origin, CONTENDERS[name]);
    results.get(name).push({ coldStartMs, callMs: median(samples) });
  }
}
load.push(loadavg()[0]);
server.close();

const digits = (value) => Number(value.toPrecision(4));
const reference = results.get("octavo");
const contenders = {};
for (const [name, rounds] of results) {
  const figures = ["coldStartMs", "callMs"].map((key) => {
    const values = rounds.map((entry) => entry[key]);
    const ratios = values.map((value, at) => value / reference[at][key]);
    return [key, { median: digits(median(values)), versusOctavo: digits(median(ratios)) }];
  });
  contenders[name] = Object.fromEntries(figures);
  console.log(name, JSON.stringify(contenders[name]));
}
const browserVersion = await versionOf();
const figures = { browser: browserVersion, model: flags.model, rounds: Number(flags.rounds) };
console.log(recordResult("chromium", { ...figures, load, contenders }));

async function versionOf() {
  const browser = await chromium.launch({
    executablePath: flags.chromium,
    args: ["--headless", "--no-sandbox", "--disable-gpu"],
  });
  const version = browser.version();
  await browser.close();
  return version;
}
