import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Builder } from "flatbuffers";
import { describe, expect, it } from "vitest";
import { isOctavoError } from "../../base/errors.ts";
import { parseTflite } from "../tflite/parse.ts";
import { TFLITE_SCHEMA } from "../tflite/schema.gen.ts";
import { ByteWindow } from "./byte-window.ts";
import { decodeFlatbuffer } from "./decode.ts";
import type { FieldDescriptor, FlatbufferSchema } from "./descriptor.ts";
import { encodeFlatbuffer } from "./encode.ts";

const folder = fileURLToPath(new URL("../../../test/fixtures/tflite/", import.meta.url));
const names = readdirSync(folder)
  .filter((name) => name.endsWith(".tflite"))
  .map((name) => name.replace(".tflite", ""));

function fixture(name: string): Uint8Array {
  return new Uint8Array(readFileSync(`${folder}${name}.tflite`));
}

/** A record in the form that make_tflite.py writes: codes for enums, digests for bytes, numbers for bigints. */
function asJson(table: string, record: object): unknown {
  const fields = (TFLITE_SCHEMA.tables[table] ?? []).flatMap((field) => {
    const value = (record as Record<string, unknown>)[field.name];
    return value === undefined ? [] : [[field.name, fieldAsJson(field, value)] as const];
  });
  return Object.fromEntries(fields);
}

function fieldAsJson(field: FieldDescriptor, value: unknown): unknown {
  if (value instanceof Uint8Array) {
    return { bytes: value.length, sha256: createHash("sha256").update(value).digest("hex") };
  }
  if (field.kind === "enum") return codeOf(field.of, value);
  if (field.kind === "table") return asJson(field.of, value as object);
  if (field.kind === "union") {
    const { type, value: member } = value as { type: string; value: object };
    return { type, value: asJson(type, member) };
  }
  if (field.kind !== "vector") return typeof value === "bigint" ? Number(value) : value;
  return [...(value as readonly unknown[])].map((element) => {
    if (field.element === "table") return asJson(field.of, element as object);
    if (field.element === "enum") return codeOf(field.of, element);
    return typeof element === "bigint" ? Number(element) : element;
  });
}

function codeOf(type: string, name: unknown): number | undefined {
  return TFLITE_SCHEMA.enums[type]?.names.indexOf(String(name));
}

describe("the FlatBuffers decoder", () => {
  it.each(names)("reads %s.tflite as TensorFlow's generated code does", (name) => {
    const expected: unknown = JSON.parse(readFileSync(`${folder}${name}.json`, "utf8"));
    expect(asJson("Model", parseTflite(fixture(name)).record)).toEqual(expected);
  });

  it.each(names)("writes %s.tflite so that it reads the same again", (name) => {
    const { record } = parseTflite(fixture(name));
    const again = encodeFlatbuffer(TFLITE_SCHEMA, record);
    expect(parseTflite(again).record).toEqual(record);
    expect(again.byteLength % 16).toBe(0);
  });

  it("aligns bytes as the schema asks", () => {
    const again = encodeFlatbuffer(TFLITE_SCHEMA, parseTflite(fixture("cnn_int8")).record);
    const starts = (parseTflite(again).record.buffers ?? []).map(
      ({ data }) => data?.byteOffset ?? 0,
    );
    expect(starts.filter((start) => (start - again.byteOffset) % 16 !== 0)).toEqual([]);
  });
});

const TOY: FlatbufferSchema = {
  identifier: "TOYS",
  root: "Box",
  enums: { Colour: { storage: "byte", names: ["RED", "BLUE"] } },
  unions: { Toy: ["Ball", "Box2"] },
  tables: {
    Box: [
      { slot: 0, name: "colour", kind: "enum", of: "Colour", default: "RED" },
      { slot: 2, name: "toy", kind: "union", of: "Toy" },
      { slot: 3, name: "label", kind: "string", of: "string" },
      { slot: 4, name: "balls", kind: "vector", of: "Ball", element: "table" },
      { slot: 5, name: "weights", kind: "vector", of: "float", element: "scalar" },
      { slot: 6, name: "rows", kind: "vector", of: "Row", element: "table" },
    ],
    Row: [{ slot: 0, name: "cells", kind: "vector", of: "int", element: "scalar" }],
    Ball: [{ slot: 0, name: "radius", kind: "scalar", of: "float", default: 0 }],
    Box2: [],
  },
};

function decodeToy(bytes: Uint8Array): ReturnType<typeof decodeFlatbuffer> {
  return decodeFlatbuffer(
    TOY,
    new ByteWindow([{ start: 0, bytes }], bytes.length, "toy", "toy"),
    "toy",
    "toy",
  );
}

/** Builds a root table with whatever `fill` puts into it. */
function toyWith(
  fill: (builder: Builder) => void,
  before: (builder: Builder) => void = () => undefined,
): Uint8Array {
  const builder = new Builder(64);
  before(builder);
  builder.startObject(9);
  fill(builder);
  builder.finish(builder.endObject(), "TOYS");
  return builder.asUint8Array();
}

/** A vector of rows; every row's cells start one word later in the same words, each of which is a plausible count. */
function addOverlappingRows(builder: Builder, rowCount: number, cellCount: number): number {
  const wordCount = rowCount + cellCount;
  builder.startVector(4, wordCount, 4);
  for (let index = 0; index < wordCount; index++) builder.addInt32(cellCount);
  const words = builder.endVector();
  const tables = Array.from({ length: rowCount }, (_, row) => {
    builder.startObject(1);
    builder.addFieldOffset(0, words - 4 * row, 0);
    return builder.endObject();
  });
  builder.startVector(4, rowCount, 4);
  for (const table of tables) builder.addOffset(table);
  return builder.endVector();
}

function errorOf(action: () => unknown): Error {
  try {
    action();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error("nothing was thrown");
}

describe("what the schema does not know", () => {
  it("is reported when it is a field", () => {
    const { diagnostics } = decodeToy(
      toyWith((builder) => {
        builder.addFieldInt32(8, 42, 0);
      }),
    );
    expect(diagnostics).toMatchObject([
      { id: "toy/unknown-field", text: expect.stringContaining("slot 8") },
    ]);
  });

  it("is refused when it is an enum's code or a union's member, all of it at once", () => {
    const bytes = toyWith((builder) => {
      builder.addFieldInt8(0, 9, 0);
      builder.addFieldInt8(1, 7, 0);
      builder.addFieldOffset(2, builder.offset(), 0);
    });
    const error = errorOf(() => decodeToy(bytes));
    if (!isOctavoError(error, "UnsupportedError")) throw error;
    expect(error.features).toHaveLength(2);
    expect(error.message).toMatch(/colour 9 .*toy of type 7/);
  });
});

describe("hostile bytes", () => {
  it("end in a FormatError that names the place when an offset leads outside", () => {
    const bytes = toyWith((builder) => builder.addFieldInt8(0, 1, 0)).slice();
    new DataView(bytes.buffer).setUint32(0, 0x7fffffff, true);
    expect(() => decodeToy(bytes)).toThrow(
      /toy, byte \d+, Box: 4 bytes wanted, expected no more than/,
    );
  });

  it("end in a FormatError, not in an allocation, when a count is absurd", () => {
    let vector = 0;
    const bytes = toyWith(
      (builder) => builder.addFieldOffset(5, vector, 0),
      (builder) => {
        builder.startVector(4, 1, 4);
        builder.addFloat32(1);
        vector = builder.endVector();
      },
    ).slice();
    expect(decodeToy(bytes).record["weights"]).toEqual(Float32Array.of(1));
    new DataView(bytes.buffer).setUint32(bytes.length - 8, 0xffffffff, true);
    expect(() => decodeToy(bytes)).toThrow(/Box.weights: 17179869180 bytes wanted/);
  });

  it("cannot make overlapping objects decode to more than the file's size", () => {
    let rows = 0;
    const bytes = toyWith(
      (builder) => builder.addFieldOffset(6, rows, 0),
      (builder) => {
        rows = addOverlappingRows(builder, 500, 400);
      },
    );
    const error = errorOf(() => decodeToy(bytes));
    if (!isOctavoError(error, "LimitError")) throw error;
    expect(error.limit).toBe("decoded bytes");
    expect(error.max).toBeLessThan(bytes.length + 8192);
  });

  it("decode objects once that are referenced many times", () => {
    let balls = 0;
    const bytes = toyWith(
      (builder) => builder.addFieldOffset(4, balls, 0),
      (builder) => {
        builder.startObject(1);
        builder.addFieldFloat32(0, 2.5, 0);
        const ball = builder.endObject();
        builder.startVector(4, 3, 4);
        for (let index = 0; index < 3; index++) builder.addOffset(ball);
        balls = builder.endVector();
      },
    );
    const decoded = decodeToy(bytes).record["balls"] as object[];
    expect(decoded).toEqual([{ radius: 2.5 }, { radius: 2.5 }, { radius: 2.5 }]);
    expect(decoded[0]).toBe(decoded[2]);
    const again = decodeToy(encodeFlatbuffer(TOY, { colour: "RED", balls: decoded })).record[
      "balls"
    ] as object[];
    expect(again[0]).toBe(again[2]);
  });
});
