/** What only a process shows: signals, a reader that goes away, the built command. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const command = join(root, "dist", "cli", "main.js");
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "octavo-process-"));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Collects what a process prints until it ends. */
function ended(child: ChildProcess): Promise<Ended> {
  let stdout = "";
  let stderr = "";
  child.stdout?.on("data", (chunk) => {
    stdout += chunk;
  });
  child.stderr?.on("data", (chunk) => {
    stderr += chunk;
  });
  return new Promise((resolve) => {
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
}

describe("the octavo process", () => {
  it("prints its version", async () => {
    const { code, stdout } = await ended(spawn(process.execPath, [command, "--version"]));
    expect(code).toBe(0);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it("passes wrong usage on to the shell as exit code 2", async () => {
    const { code, stdout, stderr } = await ended(spawn(process.execPath, [command, "--nonsense"]));
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain("--nonsense");
  });

  it("says nothing when the reader of its output goes away", async () => {
    const child = spawn(process.execPath, [command, "convert", "--help"]);
    child.stdout.destroy();
    expect(await ended(child)).toEqual({ code: 0, stdout: "", stderr: "" });
  });

  it.each(["SIGINT", "SIGTERM"] as const)(
    "leaves no temporary file behind on %s",
    async (signal) => {
      const outputs = pathToFileURL(join(root, "dist", "cli", "outputs.js")).href;
      const script = `
      const { withOutputs } = await import(${JSON.stringify(outputs)});
      await withOutputs(async (open) => {
        const output = await open("model.tflite");
        await output.write(new Uint8Array(1000));
        console.log("writing");
        await new Promise((resolve) => setTimeout(resolve, 20_000));
      });`;
      const child = spawn(process.execPath, ["--input-type=module", "--eval", script], {
        cwd: folder,
      });
      await new Promise((resolve) => child.stdout.once("data", resolve));
      expect(readdirSync(folder)).toHaveLength(1);
      child.kill(signal);
      const { code, stderr } = await ended(child);
      expect({ code, stderr, left: readdirSync(folder) }).toEqual({
        code: 130,
        stderr: "",
        left: [],
      });
    },
  );

  it("writes the whole file or nothing, whenever Ctrl-C comes", async () => {
    const source = join(root, "test", "fixtures", "digits", "saved_model");
    const output = join(folder, "model.tflite");
    const args = [command, "convert", source, "-o", output, "--mode", "dynamic_range"];
    const startedAt = performance.now();
    expect((await ended(spawn(process.execPath, args))).code).toBe(0);
    const wallMs = performance.now() - startedAt;
    const whole = readFileSync(output);
    for (let part = 1; part <= 8; part++) {
      rmSync(output);
      const child = spawn(process.execPath, args);
      const timer = setTimeout(() => child.kill("SIGINT"), (wallMs * part) / 8);
      await ended(child);
      clearTimeout(timer);
      const left = readdirSync(folder);
      expect(left).toEqual(left.length === 0 ? [] : ["model.tflite"]);
      if (left.length > 0) expect(readFileSync(output).equals(whole)).toBe(true);
      else writeFileSync(output, whole);
    }
  });
});
