/** The README's library example, run as it stands: as a module of its own that imports the package by name. */
import { execFileSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "octavo-readme-"));
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(root, join(folder, "node_modules", "octavo"), "dir");
  const model = join(root, "test", "fixtures", "digits", "saved_model");
  cpSync(model, join(folder, "saved_model"), { recursive: true });
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the README", () => {
  it("has a library example that runs and prints ten probabilities", () => {
    const readme = readFileSync(join(root, "README.md"), "utf8");
    const [, example] = /^```ts\n([\s\S]*?)^```/m.exec(readme) ?? [];
    expect(example).toContain("TFLiteConverter");
    writeFileSync(join(folder, "example.mjs"), example as string);
    const printed = execFileSync(process.execPath, ["example.mjs"], {
      cwd: folder,
      encoding: "utf8",
    });
    const numbers = [...printed.matchAll(/\d+(?:\.\d+)?(?:e-\d+)?/g)].map(([text]) => Number(text));
    const probabilities = numbers.slice(-10);
    expect(probabilities.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 5);
    const written = readFileSync(join(folder, "model.tflite"));
    expect(written.toString("latin1", 4, 8)).toBe("TFL3");
  });
});
