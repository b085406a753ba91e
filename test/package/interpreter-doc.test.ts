/** The example of docs/interpreter.md, run as it stands: as a module of its own that imports the package by name. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { encodeModel } from "../../src/model/write.ts";
import { buildModel } from "../model-builder.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "octavo-custom-"));
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(root, join(folder, "node_modules", "octavo"), "dir");
  const model = buildModel([
    {
      tensors: { x: { shape: [4] }, y: { shape: [4] } },
      operators: [{ op: "CUSTOM", customCode: "Sinh", inputs: ["x"], outputs: ["y"] }],
      inputs: ["x"],
      outputs: ["y"],
    },
  ]);
  writeFileSync(join(folder, "sinh.tflite"), await encodeModel(model));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

it("docs/interpreter.md has a custom operator that runs", () => {
  const page = readFileSync(join(root, "docs", "interpreter.md"), "utf8");
  const [, example] = /^```ts\n([\s\S]*?)^```/m.exec(page) ?? [];
  expect(example).toContain("customOperators");
  writeFileSync(join(folder, "example.mjs"), example as string);
  const printed = execFileSync(process.execPath, ["example.mjs"], {
    cwd: folder,
    encoding: "utf8",
  });
  const numbers = [...printed.matchAll(/-?\d+\.\d+|\b0\b/g)].map(([text]) => Number(text));
  // sinh 0, sinh 1, sinh −1, sinh 2.
  const wanted = [0, 1.1752011936, -1.1752011936, 3.6268604078];
  expect(numbers).toHaveLength(wanted.length);
  for (const [i, value] of wanted.entries()) expect(numbers[i]).toBeCloseTo(value, 5);
});
