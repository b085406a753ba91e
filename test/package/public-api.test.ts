import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import * as octavo from "../../src/index.ts";
import * as runtime from "../../src/runtime/index.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** All files, and all packages, that a file needs before its first line runs: type-only and dynamic imports left out. */
function staticImports(
  entry: string,
  seen = new Map<string, Set<string>>(),
): Map<string, Set<string>> {
  if (seen.has(entry)) return seen;
  const specifiers = new Set<string>();
  seen.set(entry, specifiers);
  const text = readFileSync(entry, "utf8");
  for (const [, clause = "", specifier = ""] of text.matchAll(
    /^(?:import|export)\s+((?:[^"';]*?\sfrom\s+)?)"([^"]+)";/gm,
  )) {
    if (/^type\s/.test(clause)) continue;
    specifiers.add(specifier);
    if (specifier.startsWith(".")) staticImports(join(dirname(entry), specifier), seen);
  }
  return seen;
}

describe("the entry point", () => {
  it("exports these names", () => {
    expect(Object.keys(octavo).sort()).toMatchInlineSnapshot(`
      [
        "ExecutionError",
        "FormatError",
        "GraphError",
        "Interpreter",
        "IoError",
        "LimitError",
        "OctavoError",
        "Optimize",
        "QuantizeError",
        "ShapeError",
        "TFLiteConverter",
        "UnsupportedError",
        "UsageError",
        "encodeRecipe",
        "isOctavoError",
        "memorySink",
        "memorySource",
        "memoryTree",
        "parseRecipe",
        "webWorkerHost",
      ]
    `);
  });

  it("needs nothing of Node, so that a page can import it", () => {
    const files = staticImports(join(root, "src", "index.ts"));
    const hosts = [...files].flatMap(([file, specifiers]) =>
      [...specifiers]
        .filter((specifier) => specifier.startsWith("node:") || /\/(node|cli)\//.test(specifier))
        .map((specifier) => `${relative(root, file)} imports ${specifier}`),
    );
    expect(hosts).toEqual([]);
    expect(files.size).toBeGreaterThan(10);
  });

  it("loads no library that only an importer needs", () => {
    const packages = new Set(
      [...staticImports(join(root, "src", "index.ts")).values()]
        .flatMap((specifiers) => [...specifiers])
        .filter((specifier) => !specifier.startsWith(".")),
    );
    expect([...packages].sort()).toEqual(["flatbuffers"]);
  });
});

describe("the runtime's entry point", () => {
  it("exports what the main one has of the interpreter, and nothing else", () => {
    const names = Object.keys(runtime).sort();
    expect(names).toMatchInlineSnapshot(`
      [
        "ExecutionError",
        "FormatError",
        "GraphError",
        "Interpreter",
        "IoError",
        "LimitError",
        "OctavoError",
        "ShapeError",
        "UnsupportedError",
        "UsageError",
        "isOctavoError",
        "webWorkerHost",
      ]
    `);
    expect(octavo).toMatchObject(runtime);
  });

  it("imports the model, the kernels and itself: no package, no importer, no writer", () => {
    const files = staticImports(join(root, "src", "runtime", "index.ts"));
    const packages = [...files.values()]
      .flatMap((specifiers) => [...specifiers])
      .filter((specifier) => !specifier.startsWith("."));
    expect(packages).toEqual([]);
    const folders = new Set(
      [...files.keys()].map((file) => relative(join(root, "src"), file).split("/")[0]),
    );
    expect([...folders].sort()).toMatchInlineSnapshot(`
      [
        "base",
        "formats",
        "kernels",
        "model",
        "runtime",
        "wasm",
      ]
    `);
  });
});
