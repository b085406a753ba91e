/**
 * Bad input and wrong usage, from the outside: the right exit code, a sentence that says what is wrong, and nothing
 * written, neither an output nor a part of one.
 */
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { encodeNpy, parseNpy } from "../../src/formats/npy/npy.ts";
import { octavo } from "../command-line.ts";

const fixtures = fileURLToPath(new URL("../fixtures/", import.meta.url));
const savedModel = join(fixtures, "digits", "saved_model");
const cnn = join(fixtures, "tflite", "cnn_float.tflite");

let folder: string;
let output: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "octavo-hostile-"));
  output = join(folder, "outputs", "out.tflite");
  mkdirSync(join(folder, "outputs"));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Every file in the folder for outputs, temporaries included. */
const written = (): string[] => readdirSync(join(folder, "outputs"));

/** Runs a command that must fail with exit code 1, one sentence, and nothing written. */
async function failure(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await octavo(...args);
  expect({ code, stdout, written: written() }, stderr).toEqual({
    code: 1,
    stdout: "",
    written: [],
  });
  expect(stderr).toMatch(/octavo: .+: .+\.$/s);
  return stderr;
}

/** A copy of the embedded SavedModel that may be damaged. */
function copiedModel(): string {
  const copy = join(folder, "model");
  cpSync(savedModel, copy, { recursive: true });
  return copy;
}

/** Damages one bit in the middle of a file. */
function flipByte(path: string): void {
  const bytes = readFileSync(path);
  bytes[Math.floor(bytes.length / 2)]! ^= 0x10;
  writeFileSync(path, bytes);
}

describe("convert refuses", () => {
  it("a folder that is not there", async () => {
    expect(await failure("convert", join(folder, "nowhere"), "-o", output)).toContain(
      "no such file or folder",
    );
  });

  it("a folder that is no SavedModel", async () => {
    expect(await failure("convert", join(fixtures, "tflite"), "-o", output)).toContain(
      "saved_model.pb",
    );
  });

  it("an empty file and a text file", async () => {
    const empty = join(folder, "empty.tflite");
    writeFileSync(empty, "");
    expect(await failure("convert", empty, "-o", output)).toContain("empty");
    const text = join(folder, "notes.txt");
    writeFileSync(text, "not a model\n");
    expect(await failure("convert", text, "-o", output)).toContain("no known model format");
  });

  it("a saved_model.pb cut off anywhere", async () => {
    const model = copiedModel();
    const graph = join(model, "saved_model.pb");
    const { length } = readFileSync(graph);
    for (const part of [0, 1, 3, 7, 12, 15]) {
      copyFileSync(join(savedModel, "saved_model.pb"), graph);
      truncateSync(graph, Math.floor((length * part) / 16));
      await failure("convert", model, "-o", output);
    }
  });

  it("a missing data shard", async () => {
    const model = copiedModel();
    rmSync(join(model, "variables", "variables.data-00000-of-00001"));
    expect(await failure("convert", model, "-o", output)).toContain(
      "variables.data-00000-of-00001",
    );
  });

  it("a checkpoint whose data or index does not have its checksum", async () => {
    for (const file of ["variables.data-00000-of-00001", "variables.index"]) {
      const model = copiedModel();
      flipByte(join(model, "variables", file));
      expect(await failure("convert", model, "-o", output)).toMatch(/checksum|CRC/i);
      rmSync(model, { recursive: true });
    }
  });

  it("graphs in text form, under any name, and says how to convert them", async () => {
    const text = '# a comment\nnode {\n  name: "x"\n  op: "Placeholder"\n}\n';
    for (const name of ["graph.pb", "graph.pbtxt"]) {
      const graph = join(folder, name);
      writeFileSync(graph, text);
      expect(await failure("convert", graph, "-o", output)).toMatch(
        /a GraphDef in text form, .*text_format\.Parse\(text, GraphDef\(\)\)\.SerializeToString/,
      );
    }
  });

  it("SavedModels whose graph is text or in pieces", async () => {
    const model = join(folder, "text");
    mkdirSync(model);
    writeFileSync(join(model, "saved_model.pbtxt"), "saved_model_schema_version: 1\n");
    for (const path of [model, join(model, "saved_model.pbtxt")]) {
      expect(await failure("convert", path, "-o", output)).toContain("SavedModel in text form");
    }
    rmSync(join(model, "saved_model.pbtxt"));
    writeFileSync(join(model, "saved_model.cpb"), "pieces");
    expect(await failure("convert", model, "-o", output)).toContain("graph is in pieces");
  });

  it("tags, signatures and shapes that the model does not have", async () => {
    for (const wrong of [
      ["--tags", "gpu"],
      ["--signature", "train"],
      ["--input-shape", "image=1,9,9,1"],
    ]) {
      const { code, stderr } = await octavo("convert", savedModel, "-o", output, ...wrong);
      expect(code, stderr).toBe(2);
      expect(written()).toEqual([]);
    }
  });
});

describe("quantize refuses", () => {
  it("a .tflite file cut at every 64th of its length", async () => {
    const bytes = readFileSync(cnn);
    const cut = join(folder, "cut.tflite");
    for (let part = 0; part < 64; part++) {
      writeFileSync(cut, bytes.subarray(0, Math.floor((bytes.length * part) / 64)));
      await failure("quantize", cut, "-o", output);
    }
  });

  it("an output path that cannot be written", async () => {
    expect(await failure("quantize", cnn, "-o", join(folder, "nowhere", "out.tflite"))).toContain(
      "no such file or folder",
    );
    expect(await failure("quantize", cnn, "-o", folder)).toContain("folder");
    const file = join(folder, "file");
    writeFileSync(file, "");
    expect(await failure("quantize", cnn, "-o", join(file, "out.tflite"))).toContain(file);
  });

  it.runIf(existsSync("/dev/full"))("a disk without space", async () => {
    expect(await failure("quantize", cnn, "-o", "/dev/full")).toContain("no space left");
  });

  it("to write a model when its report cannot be written", async () => {
    await failure(
      "quantize",
      cnn,
      "-o",
      output,
      "--report",
      join(folder, "nowhere", "report.json"),
    );
  });

  it("a pattern that is no regular expression", async () => {
    const { code, stderr } = await octavo("quantize", cnn, "-o", output, "--exclude", "(");
    expect(code, stderr).toBe(2);
    expect(written()).toEqual([]);
  });
});

describe("run refuses", () => {
  const images = (): ReturnType<typeof parseNpy> =>
    parseNpy(readFileSync(join(fixtures, "digits", "sample_inputs.npy")));

  it("inputs of another shape or type, and files that hold no array", async () => {
    const model = join(folder, "digits.tflite");
    expect((await octavo("convert", savedModel, "-o", model)).code).toBe(0);
    const { data } = images();
    const input = join(folder, "input.npy");
    const outputs = ["--output-dir", join(folder, "outputs")];
    writeFileSync(input, encodeNpy({ dtype: "float32", shape: [16, 64], data }));
    expect(await failure("run", model, "--input", input, ...outputs)).toContain("[16, 64]");
    writeFileSync(input, encodeNpy({ dtype: "float32", shape: [16, 4, 16, 1], data }));
    expect(await failure("run", model, "--input", input, ...outputs)).toContain("[16, 4, 16, 1]");
    const bytes = new Uint8Array(64);
    writeFileSync(input, encodeNpy({ dtype: "uint8", shape: [1, 8, 8, 1], data: bytes }));
    expect(await failure("run", model, "--input", input, ...outputs)).toContain("uint8");
    writeFileSync(input, "text");
    await failure("run", model, "--input", input, ...outputs);
    await failure("run", model, "--input", join(folder, "nowhere.npy"), ...outputs);
  });
});

describe("wrong usage ends with exit code 2 and says what is expected", () => {
  it.each([
    [["convert", "-o", "out"], /source/],
    [["convert", "model"], /--output/],
    [["convert", "model", "-o", "out", "--mode", "tiny"], /dynamic_range/],
    [["convert", "model", "-o", "out", "--mode", "int8"], /calibration/],
    [["convert", "model", "-o", "out", "--input-shape", "1,x"], /1,224,224,3/],
    [["convert", "model", "-o", "out", "--optimize", "speed"], /latency/],
    [["convert", "model", "-o", "out", "--mode", "float", "--optimize", "size"], /agree/],
    [["quantize", "in", "-o", "out", "--no-such-option"], /--no-such-option/],
    [["quantize", "in", "-o", "out", "--min-elements", "many"], /whole number/],
    [["run", "model.tflite", "--input", "x=", "--output-dir", "out"], /FILE/],
    [["run", "model.tflite"], /--output-dir/],
    [["evaluate", "model.tflite"], /--data/],
    [["evaluate", "model.tflite", "--data", "x", "--limit", "0"], /at least 1/],
    [["compare", "a.tflite"], /other/],
    [["inspect"], /model/],
    [["fold"], /unknown command/],
    [["run", "a", "b", "--output-dir", "out"], /too many arguments/],
  ])("octavo %j", async (args, message) => {
    const { code, stdout, stderr } = await octavo(...args);
    expect({ code, stdout }, stderr).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(message);
  });

  it("octavo without a command prints the help", async () => {
    const { code, stderr } = await octavo();
    expect(code).toBe(2);
    expect(stderr).toContain("octavo demo");
  });

  it("inputs that do not match the model's", async () => {
    const outputs = ["--output-dir", join(folder, "outputs")];
    const image = join(fixtures, "digits", "sample_inputs.npy");
    for (const inputs of [
      [],
      ["--input", `nothing=${image}`],
      ["--input", image, "--input", image],
    ]) {
      const { code, stderr } = await octavo("run", cnn, ...inputs, ...outputs);
      expect(code, stderr).toBe(2);
      expect(stderr).toContain("--input");
    }
    expect(written()).toEqual([]);
  });
});
