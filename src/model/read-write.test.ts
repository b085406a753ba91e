import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { strToU8, zipSync } from "fflate";
import { describe, expect, it } from "vitest";
import { FormatError } from "../base/errors.ts";
import { type Model, residentBuffer } from "./ir.ts";
import { parseModel } from "./read.ts";
import { encodeModel } from "./write.ts";

const folder = fileURLToPath(new URL("../../test/fixtures/tflite/", import.meta.url));
const names = readdirSync(folder).filter((name) => name.endsWith(".tflite"));

function fixture(name: string): Uint8Array {
  return new Uint8Array(readFileSync(`${folder}${name}`));
}

/** Buffers compared by their bytes. */
function comparable(model: Model): unknown {
  return { ...model, buffers: model.buffers.map(({ bytes }) => bytes) };
}

describe("a model", () => {
  it.each(names)("survives being written and read: %s", async (name) => {
    const { model, diagnostics } = parseModel(fixture(name));
    expect(diagnostics).toEqual([]);
    const again = parseModel(await encodeModel(model));
    expect(again.diagnostics).toEqual([]);
    expect(comparable(again.model)).toEqual(comparable(model));
  });

  it("has every buffer at a multiple of 16 bytes in the file", async () => {
    const bytes = await encodeModel(parseModel(fixture("cnn_int8.tflite")).model);
    const { buffers } = parseModel(bytes).model;
    const misaligned = buffers.filter(
      (buffer) => (buffer.bytes?.byteOffset ?? 0) % 16 !== 0 && buffer.byteLength > 0,
    );
    expect(misaligned).toEqual([]);
  });

  it("takes operators' codes from whichever of the two fields has them", () => {
    const { operators } = parseModel(fixture("unusual.tflite")).model.subgraphs[0]!;
    expect(operators.slice(-3).map(({ op }) => op)).toEqual([
      "CUSTOM",
      "STABLEHLO_SCATTER",
      "TANH",
    ]);
    expect(operators.at(-3)).toMatchObject({ customCode: "Frobnicate", version: 2 });
  });

  it("keeps unused operator codes and adds those its operators need", async () => {
    const { model } = parseModel(fixture("cnn_float.tflite"));
    const subgraph = model.subgraphs[0]!;
    const operators = subgraph.operators.map((operator) =>
      operator.op === "SOFTMAX" ? { ...operator, version: 7 } : operator,
    );
    const changed = { ...model, subgraphs: [{ ...subgraph, operators }] };
    const { operatorCodes } = parseModel(await encodeModel(changed)).model;
    expect(operatorCodes).toEqual([...model.operatorCodes, { op: "SOFTMAX", version: 7 }]);
  });

  it("is refused with the operator's place when an operator code is missing", async () => {
    const { model } = parseModel(fixture("while.tflite"));
    const bytes = await encodeModel({ ...model, operatorCodes: [], subgraphs: [] });
    expect(parseModel(bytes).model.subgraphs).toEqual([]);
    const file = fixture("while.tflite");
    const broken = patchedOpcodeIndex(file);
    expect(() => parseModel(broken, "broken")).toThrow(FormatError);
    expect(() => parseModel(broken, "broken")).toThrow(
      /broken, subgraph \d, operator \d: operator code index 99/,
    );
  });
});

/** The file with the first operator code index that is not 0 set to 99. */
function patchedOpcodeIndex(file: Uint8Array): Uint8Array {
  for (let at = 8; at + 4 <= file.length; at += 4) {
    const patched = file.slice();
    const view = new DataView(patched.buffer);
    if (view.getUint32(at, true) !== 1) continue;
    view.setUint32(at, 99, true);
    try {
      parseModel(patched);
    } catch (error) {
      if (error instanceof FormatError && error.found.startsWith("operator code index"))
        return patched;
    }
  }
  throw new Error("no operator code index found");
}

describe("custom options outside the flatbuffer", () => {
  it("survive being written and read", async () => {
    const { model } = parseModel(fixture("unusual.tflite"));
    const subgraph = model.subgraphs[0]!;
    const largeCustomOptions = residentBuffer(
      Uint8Array.from({ length: 100 }, (_, index) => index),
    );
    const operators = subgraph.operators.map((operator) =>
      operator.op === "CUSTOM" ? { ...operator, largeCustomOptions } : operator,
    );
    const bytes = await encodeModel({ ...model, subgraphs: [{ ...subgraph, operators }] });
    const custom = parseModel(bytes).model.subgraphs[0]?.operators.find(
      ({ op }) => op === "CUSTOM",
    );
    expect(custom?.largeCustomOptions?.bytes).toEqual(largeCustomOptions.bytes);
  });
});

describe("files associated with a model", () => {
  it("move with the end of the file, and their directory with them", async () => {
    const { model } = parseModel(fixture("cnn_float.tflite"));
    const archive = zipSync({
      "labels.txt": strToU8("cat\ndog\n"),
      "vocabulary.txt": strToU8("a\nb\n"),
    });
    const first = parseModel(
      await encodeModel({ ...model, associatedFiles: residentBuffer(archive) }),
    );
    expect(first.diagnostics).toEqual([]);
    expect(first.model.associatedFiles?.bytes).toEqual(archive);
    const bytes = await encodeModel({ ...first.model, description: "longer than it was before" });
    const directory = new DataView(bytes.buffer).getUint32(bytes.length - 6, true);
    expect([...bytes.subarray(directory, directory + 4)]).toEqual([0x50, 0x4b, 1, 2]);
    expect(parseModel(bytes).model.associatedFiles?.bytes).toEqual(archive);
  });

  it("are told from other bytes behind the model, which are reported", async () => {
    const bytes = await encodeModel(parseModel(fixture("cnn_float.tflite")).model);
    const longer = new Uint8Array(bytes.length + 300).fill(7, bytes.length);
    longer.set(bytes);
    expect(parseModel(longer).diagnostics).toMatchObject([{ id: "tflite/bytes-behind" }]);
  });
});
