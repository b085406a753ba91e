/** The built package in Chromium: as plain modules, in a bundle and in a worker, isolated and not. */
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { rolldown } from "rolldown";
import { afterAll, beforeAll, expect, it } from "vitest";
import { probeFeatures } from "../../src/kernels/simd/probe.ts";
import { describeInChromium, launchChromium, openPage } from "./chromium.ts";
import { answerInNode, digitsFile, INPUT } from "./digits.ts";
import { type Served, servePages } from "./page-server.ts";

/** What a run in the page tells. */
interface Answer {
  readonly outputs: readonly (readonly number[])[];
  readonly threads: number;
  readonly diagnostics: readonly { readonly id: string; readonly text: string }[];
}

interface Failure {
  readonly isOctavoError: boolean;
  readonly code: string;
  readonly message: string;
}

const root = fileURLToPath(new URL("../..", import.meta.url));
const KINDS = ["float", "dynamic_range"] as const;
const KERNELS = ["simd", "reference"] as const;
const options = { input: INPUT };

let browser: Browser;
let isolated: Served;
let plain: Served;
let page: Page;
let bundled: ReadonlyMap<string, string>;
const answers = new Map<string, number[]>();

/** Calls a function of `page/main.js`. */
function call<Result>(where: Page, name: string, ...args: readonly unknown[]): Promise<Result> {
  return where.evaluate(
    async ([fn, values]) => {
      const { octavoTest } = globalThis as unknown as {
        octavoTest: Record<string, (...args: unknown[]) => Promise<unknown>>;
      };
      return (await octavoTest[fn as string]!(...(values as unknown[]))) as never;
    },
    [name, args] as const,
  );
}

/** An application with its worker beside it, bundled as the documentation says. */
async function bundle(): Promise<[path: string, code: string][]> {
  const build = await rolldown({
    input: {
      app: `${root}test/browser/page/run-model.js`,
      "kernel-worker": `${root}dist/runtime/kernel-worker.js`,
    },
    platform: "browser",
    resolve: { alias: { "octavo/runtime": `${root}dist/runtime/index.js` } },
  });
  const { output } = await build.generate({ format: "es", minify: true });
  return output.map((file) => [
    `/bundle/${file.fileName}`,
    file.type === "chunk" ? file.code : String(file.source),
  ]);
}

describeInChromium("the runtime in Chromium", () => {
  beforeAll(async () => {
    bundled = new Map(await bundle());
    const files = new Map<string, Uint8Array | string>(bundled);
    for (const kind of KINDS) {
      const file = await digitsFile(kind);
      files.set(`/${kind}.tflite`, file);
      for (const kernels of KERNELS) {
        answers.set(`${kind}, ${kernels}`, await answerInNode(file, kernels));
      }
    }
    files.set("/damaged.tflite", (files.get("/float.tflite") as Uint8Array).slice(0, 5000));
    [isolated, plain, browser] = await Promise.all([
      servePages(files, { isolated: true }),
      servePages(files, { isolated: false }),
      launchChromium(),
    ]);
    const engine = probeFeatures()?.relaxed ? "as it is" : "without relaxed SIMD";
    page = await openPage(browser, isolated, engine);
  });

  afterAll(async () => {
    await browser?.close();
    await Promise.all([isolated?.close(), plain?.close()]);
  });

  it.each(KINDS)("computes %s as Node does, to the bit, on one thread and on two", async (kind) => {
    expect(await call<boolean>(page, "isIsolated")).toBe(true);
    for (const kernels of KERNELS) {
      const wanted = answers.get(`${kind}, ${kernels}`);
      for (const threads of [1, 2]) {
        const path = `/${kind}.tflite`;
        const told = await call<Answer>(page, "run", path, { ...options, kernels, threads });
        expect(told.threads).toBe(kernels === "simd" ? threads : 1);
        expect(told.outputs).toEqual([wanted, wanted]);
      }
    }
  });

  it("gives the same on one thread and on two with all that the engine has", async () => {
    const whole = await openPage(browser, isolated);
    const [one, two] = await Promise.all(
      [1, 2].map((threads) => call<Answer>(whole, "run", "/float.tflite", { ...options, threads })),
    );
    expect(two?.threads).toBe(2);
    expect(two?.outputs).toEqual(one?.outputs);
    await whole.close();
  });

  it.each(["text", "url", "response", "awaited response", "blob", "buffer", "bytes"])(
    "opens a model from %s",
    async (kind) => {
      const told = await call<Answer>(page, "runFrom", kind, "/float.tflite", options);
      expect(told.outputs[0]).toEqual(answers.get("float, simd"));
    },
  );

  it("runs in a bundle, whose worker is a file beside it", async () => {
    const told = await call<Answer>(page, "runInBundle", "/float.tflite", {
      ...options,
      threads: 2,
    });
    expect(told).toMatchObject({ threads: 2, diagnostics: [] });
    expect(told.outputs[1]).toEqual(answers.get("float, simd"));
    const namesWorker = [...bundled.values()].filter((code) => code.includes("./kernel-worker.js"));
    expect(namesWorker).toHaveLength(1);
  });

  it("runs in a worker of the page, with workers of its own", async () => {
    const whole = await openPage(browser, isolated);
    const settings = { ...options, threads: 2 };
    const told = await call<Answer>(whole, "runInWorker", "/float.tflite", settings);
    const expected = await call<Answer>(whole, "run", "/float.tflite", options);
    expect(told).toEqual({ ...expected, threads: 2 });
    await whole.close();
  });

  it("falls back to one thread in a page without isolation, and says so", async () => {
    const bare = await openPage(browser, plain);
    expect(await call<boolean>(bare, "isIsolated")).toBe(false);
    const told = await call<Answer>(bare, "run", "/float.tflite", { ...options, threads: 2 });
    const one = await call<Answer>(bare, "run", "/float.tflite", options);
    expect(told.threads).toBe(1);
    expect(told.diagnostics).toMatchObject([
      { id: "one-thread", text: expect.stringContaining("cross-origin isolation") },
    ]);
    expect(told.outputs).toEqual(one.outputs);
    expect(one.diagnostics).toEqual([]);
    await bare.close();
  });

  it.each(["throws", "does not parse"])(
    "fails the call after a worker that %s, and can be disposed of then",
    async (kind) => {
      const told = await call<{ after: Failure; disposed: string }>(
        ...([page, "workerDeath", kind, "/float.tflite"] as const),
      );
      expect(told.after).toMatchObject({ isOctavoError: true, code: "ExecutionError" });
      expect(told.after.message).toContain("a worker thread that died");
      expect(told.disposed).toBe("none");
    },
  );

  it.each([
    ["of plain modules", "/octavo/runtime/kernel-worker.js"],
    ["of a bundle", "/bundle/kernel-worker.js"],
  ])("fails the call when the part that a worker %s has taken traps", async (_, script) => {
    const told = await call<{ hasFailed: boolean; after: Failure; disposed: string }>(
      ...([page, "trapInWorker", script, "/float.tflite"] as const),
    );
    expect(told.hasFailed).toBe(true);
    expect(told.after).toMatchObject({ isOctavoError: true, code: "ExecutionError" });
    expect(told.after.message).toContain("a trap in an emitted kernel");
    expect(told.disposed).toBe("none");
  });

  it.each([
    ["/damaged.tflite", "FormatError", "bytes"],
    ["/absent.tflite", "IoError", "HTTP status 404"],
    ["http://127.0.0.1:1/model.tflite", "IoError", "no answer"],
    ["/index.html", "FormatError", "Give a .tflite file"],
  ])("answers %s with a typed error", async (path, code, message) => {
    const failure = await call<Failure>(page, "openError", path);
    expect(failure).toMatchObject({ isOctavoError: true, code });
    expect(failure.message).toMatch(new RegExp(message));
  });

  it("exports the converter as well, from the main entry", async () => {
    expect(await call<string[]>(page, "exportsOfMainEntry")).toContain("TFLiteConverter");
  });
});
