import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

interface Manifest {
  readonly version: string;
  readonly license: string;
  readonly engines: { readonly node: string };
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly bin: Readonly<Record<string, string>>;
}

function readManifest(path: string): Manifest {
  return JSON.parse(readFileSync(join(root, path), "utf8")) as Manifest;
}

/** Lowest version that an engines range such as ">=20.19" or "^20.19.0 || >=22.12" admits within major version 20. */
function admitsNode20(range: string): boolean {
  return range.split("||").some((part) => {
    const match = /^\s*(\^|~|>=?)?\s*v?(\d+)(?:\.(\d+))?/.exec(part);
    if (match === null) return /^\s*\*?\s*$/.test(part);
    const [, operator = "", major = "0", minor = "0"] = match;
    if (operator.startsWith(">"))
      return Number(major) < 20 || (Number(major) === 20 && Number(minor) <= 19);
    return Number(major) === 20 && Number(minor) <= 19;
  });
}

const manifest = readManifest("package.json");

describe("the package", () => {
  it("has these dependencies and no others", () => {
    expect(Object.keys(manifest.dependencies).sort()).toMatchInlineSnapshot(`
      [
        "cli-progress",
        "commander",
        "fflate",
        "flatbuffers",
        "h5wasm",
      ]
    `);
  });

  it("pins every version exactly", () => {
    const versions = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies });
    expect(versions.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
  });

  it("needs no dependency that Node 20.19 cannot run", () => {
    const tooNew = Object.keys(manifest.dependencies).filter((name) => {
      const engines = readManifest(`node_modules/${name}/package.json`).engines as
        | { readonly node?: string }
        | undefined;
      return engines?.node !== undefined && !admitsNode20(engines.node);
    });
    expect(manifest.engines.node).toBe(">=20.19");
    expect(tooNew).toEqual([]);
  });

  it("has a lock file with the optional packages of every platform, without which npm ci refuses", () => {
    const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
      packages: Readonly<
        Record<string, { optionalDependencies?: Readonly<Record<string, string>> }>
      >;
    };
    const locked = Object.keys(packages);
    const missing = Object.values(packages)
      .flatMap(({ optionalDependencies }) => Object.keys(optionalDependencies ?? {}))
      .filter((name) => !locked.some((path) => path.endsWith(`node_modules/${name}`)));
    expect(missing).toEqual([]);
  });

  it("points its exports and its command at files that the build makes", () => {
    const targets = Object.values(manifest.exports).flatMap((target) =>
      typeof target === "string" ? [target] : Object.values(target),
    );
    const missing = [...targets, ...Object.values(manifest.bin)].filter(
      (target) => !existsSync(join(root, target)),
    );
    expect(missing).toEqual([]);
  });

  it("ships the licence, the embedded model and no tests or sources of tests", () => {
    const [packed] = JSON.parse(
      execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], {
        cwd: root,
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      }),
    ) as [{ files: { path: string }[]; size: number }];
    const paths = packed.files.map(({ path }) => path);
    expect(paths).toEqual(expect.arrayContaining(["LICENSE", "README.md", "dist/bundle/index.js"]));
    expect(paths).toContain("test/fixtures/digits/saved_model/saved_model.pb");
    expect(paths.filter((path) => /\.test\.|tsbuildinfo/.test(path))).toEqual([]);
    expect(packed.size).toBeLessThan(1_500_000);
  });
});
