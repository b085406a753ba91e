/** Damaged TF.js models: an error of ours or a valid graph, in bounded time, never anything else. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { randomSequence } from "../../src/evaluate/random-inputs.ts";
import { importTfjs } from "../../src/import/tfjs.ts";
import { memoryTree } from "../../src/io/memory.ts";
import { survive } from "./survive.ts";

type Files = ReadonlyMap<string, Uint8Array>;

const MODELS = ["vision", "sequence", "fused", "loop"];

function filesOf(model: string): Files {
  const folder = fileURLToPath(new URL(`../fixtures/tfjs/${model}`, import.meta.url));
  return new Map(
    readdirSync(folder).map((file) => [file, new Uint8Array(readFileSync(`${folder}/${file}`))]),
  );
}

const withFile = (files: Files, file: string, bytes: Uint8Array): Files =>
  new Map([...files, [file, bytes]]);

const withJson = (files: Files, json: unknown): Files =>
  withFile(files, "model.json", new TextEncoder().encode(JSON.stringify(json)));

const jsonOf = (files: Files): unknown =>
  JSON.parse(new TextDecoder().decode(files.get("model.json")));

const surviveModel = (files: Files, what: string): Promise<string> =>
  survive(() => importTfjs(memoryTree(files, "web")), what);

const STRANGE: readonly unknown[] = [
  null,
  true,
  -1,
  0,
  0.5,
  2 ** 31,
  2 ** 53,
  1e300,
  "",
  "x",
  "DT_FLOAT",
  "../x",
  [],
  [[]],
  {},
  { name: "x", class_name: "Dense", config: {} },
];

/** Every place in the document where a value stands. */
function placesOf(json: unknown): [holder: Record<string, unknown>, key: string][] {
  if (typeof json !== "object" || json === null) return [];
  const holder = json as Record<string, unknown>;
  return Object.keys(holder).flatMap((key) => [
    [holder, key] as [Record<string, unknown>, string],
    ...placesOf(holder[key]),
  ]);
}

describe.each(MODELS)("a damaged copy of %s", (model) => {
  const files = filesOf(model);
  const shards = [...files.keys()].filter((file) => file.endsWith(".bin"));

  it("is what it was before anything is damaged", async () => {
    expect(await surviveModel(files, "whole")).toBe("imported");
  });

  it("with a file of weights missing or cut short", async () => {
    for (const shard of shards) {
      const rest = new Map([...files].filter(([file]) => file !== shard));
      expect(await surviveModel(rest, `without ${shard}`)).toMatch(`IoError: web/${shard}`);
      const short = files.get(shard)!.subarray(1);
      expect(await surviveModel(withFile(files, shard, short), `short ${shard}`)).toMatch(
        /^FormatError: .*left/,
      );
    }
  });

  it("with the description cut at every 1/32 of its length", async () => {
    const bytes = files.get("model.json")!;
    for (let part = 0; part < 32; part++) {
      const cut = bytes.subarray(0, Math.floor((bytes.length * part) / 32));
      expect(await surviveModel(withFile(files, "model.json", cut), `cut ${part}`)).toMatch(
        /^FormatError/,
      );
    }
  });

  it("with any of its values replaced by a strange one", async () => {
    const next = randomSequence(1);
    const places = placesOf(jsonOf(files)).length;
    for (let i = 0; i < 400; i++) {
      const json = jsonOf(files);
      const [holder, key] = placesOf(json)[Math.floor(next() * places)]!;
      const value = STRANGE[Math.floor(next() * STRANGE.length)];
      holder[key] = value;
      await surviveModel(withJson(files, json), `${i}: "${key}" is ${JSON.stringify(value)}`);
    }
  });

  it("with any of its values missing", async () => {
    const next = randomSequence(2);
    const places = placesOf(jsonOf(files)).length;
    for (let i = 0; i < 200; i++) {
      const json = jsonOf(files);
      const [holder, key] = placesOf(json)[Math.floor(next() * places)]!;
      delete holder[key];
      await surviveModel(withJson(files, json), `${i}: no "${key}"`);
    }
  });
});

describe("a TF.js model made to do harm", () => {
  const files = filesOf("loop");

  it("is not read when it is nested too deep", async () => {
    const text = `{"modelTopology": ${'{"config":'.repeat(100_000)}1${"}".repeat(100_000)}}`;
    const bytes = new TextEncoder().encode(text);
    expect(await surviveModel(withFile(files, "model.json", bytes), "deep")).toMatch(
      /^LimitError: .*nested more than 200 deep/,
    );
  });

  it("may not name one file of weights any number of times", async () => {
    const json = jsonOf(files) as { weightsManifest: { paths: string[] }[] };
    json.weightsManifest[0]!.paths = new Array<string>(1000).fill("group1-shard1of1.bin");
    expect(await surviveModel(withJson(files, json), "twice")).toMatch(/^FormatError: .*twice/);
  });

  it("may not promise more strings than there are bytes", async () => {
    const json = jsonOf(files) as { weightsManifest: { weights: object[] }[] };
    json.weightsManifest[0]!.weights = [{ name: "s", shape: [2 ** 31], dtype: "string" }];
    expect(await surviveModel(withJson(files, json), "strings")).toMatch(/^FormatError: .*strings/);
  });

  it("may not call functions that call themselves", async () => {
    const json = jsonOf(files) as { modelTopology: { node: { op: string }[] } };
    for (const node of json.modelTopology.node) if (node.op === "Identity") node.op = "body";
    const outcome = await surviveModel(withJson(files, json), "calls");
    expect(outcome).toMatch(/^GraphError/);
  });
});
