import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { tensorAttr } from "../graph/attrs.ts";
import type { Graph } from "../graph/ir.ts";
import { memoryTree } from "../io/memory.ts";
import { fileTree } from "../node/file-tree.ts";
import { importSavedModel } from "./saved-model.ts";
import { parseSlice } from "./variables.ts";

describe("parseSlice", () => {
  it("reads start and length for each dimension, - for all of it", () => {
    expect(parseSlice("7 5 3,2:-", "r")).toEqual([
      { start: 3, length: 2 },
      { start: 0, length: -1 },
    ]);
  });

  it("is undefined for the whole tensor", () => {
    expect(parseSlice("", "r")).toBeUndefined();
    expect(parseSlice("7 5 -:-", "r")).toBeUndefined();
  });

  it("refuses anything else", () => {
    expect(() => parseSlice("7 5 3;2", "r")).toThrow('node "r": slice "7 5 3;2"');
  });
});

const fixture = (path: string): Uint8Array =>
  new Uint8Array(
    readFileSync(new URL(`../../test/fixtures/import/functions/${path}`, import.meta.url)),
  );

/** The same bytes with one text in place of another of the same length, wherever it stands. */
function replaced(bytes: Uint8Array, from: string, to: string): Uint8Array {
  const text = Buffer.from(bytes).toString("latin1");
  expect(text).toContain(from);
  return new Uint8Array(Buffer.from(text.replaceAll(from, to), "latin1"));
}

describe("variables whose restore operation cannot be followed", () => {
  it("are found by the object graph in the checkpoint", async () => {
    // Without RestoreV2 there is no way from a variable to its key; the keys differ from the names.
    const files = new Map(
      ["variables/variables.index", "variables/variables.data-00000-of-00001"].map((path) => [
        path,
        fixture(path),
      ]),
    );
    files.set("saved_model.pb", replaced(fixture("saved_model.pb"), "RestoreV2", "RestoreV9"));
    const { graph } = await importSavedModel(memoryTree(files));
    const kernel = graph.nodes.find(({ name }) => name === "kernel")!;
    expect(tensorAttr(kernel, "value").data[15]).toBe(15 / 8);
  });
});

/** First elements of the constants behind an output. */
function constantsOf({ nodes, outputs }: Graph, key: string): number[] {
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const firsts = new Set<number>();
  const queue = outputs.filter((output) => output.key === key).map(({ value }) => value.node);
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    const node = byName.get(name)!;
    if (node.op === "Const") firsts.add(Number(tensorAttr(node, "value").data[0]));
    queue.push(...node.inputs.map((input) => input.node));
  }
  return [...firsts].toSorted((a, b) => a - b);
}

describe("variables of Keras 3 with one name", () => {
  it("have the values of the copies that the checkpoint restores", async () => {
    const folder = fileURLToPath(new URL("../../test/fixtures/import/twins", import.meta.url));
    const { graph } = await importSavedModel(fileTree(folder));
    expect(constantsOf(graph, "first")).toEqual([0, 9 / 8]);
    expect(constantsOf(graph, "second")).toEqual([40 / 8, 49 / 8]);
  });
});
