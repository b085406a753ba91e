import { describe, expect, it } from "vitest";
import { encodeFlexMap, encodeFlexVector, type FlexItem } from "./encode-flexbuffer.ts";
import { parseFlexbuffer } from "./flexbuffer.ts";

const int = (value: number): FlexItem => ({ kind: "int", value });
const bool = (value: boolean): FlexItem => ({ kind: "bool", value });
const string = (value: string): FlexItem => ({ kind: "string", value });
const list = (...value: FlexItem[]): FlexItem => ({ kind: "list", value });

const map = (entries: Readonly<Record<string, FlexItem>>): Uint8Array =>
  encodeFlexMap(new Map(Object.entries(entries)));
const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

describe("options of custom operators, as TensorFlow 2.21's converter writes them", () => {
  it("numbers and truth values, sorted by name", () => {
    const options = { reverse: bool(false), T: int(0), exclusive: bool(false), Tidx: int(2) };
    expect(latin1(map(options))).toBe(
      "T\0Tidx\0exclusive\0reverse\0\x04\x1a\x19\x15\x0c\x04\x01\x04\0\x02\0\0\x04\x04hh\x08$\x01",
    );
  });

  it("lists and strings", () => {
    const ones = list(int(1), int(1), int(1), int(1));
    const options = {
      T: int(0),
      ksizes: list(int(1), int(2), int(2), int(1)),
      padding: string("VALID"),
      rates: ones,
      strides: ones,
    };
    expect(latin1(map(options))).toBe(
      "T\0ksizes\0\x04\x01\x02\x02\x01padding\0\x05VALID\0rates\0\x04\x01\x01\x01\x01" +
        "strides\0\x04\x01\x01\x01\x01\x0565*\x1c\x12\x05\x01\x05\x005)\x1d\x11\x04,\x14,,\n$\x01",
    );
  });
});

describe("values that need wider slots", () => {
  it("come back as they were written", () => {
    const long = "a".repeat(70_000);
    const read = parseFlexbuffer(
      map({
        small: int(-128),
        negative: int(-70_000),
        large: int(5_000_000_000),
        half: { kind: "float", value: 0.5 },
        tenth: { kind: "float", value: 0.1 },
        long: string(long),
        wide: list(int(1), int(-300)),
      }),
    );
    expect(read).toEqual(
      new Map<string, unknown>([
        ["half", 0.5],
        ["large", 5_000_000_000],
        ["long", long],
        ["negative", -70_000],
        ["small", -128],
        ["tenth", 0.1],
        ["wide", [1, -300]],
      ]),
    );
  });

  it("of different kinds stand in one vector", () => {
    const bytes = encodeFlexVector([string("x".repeat(300)), int(7), bool(true)]);
    expect(parseFlexbuffer(bytes)).toEqual(["x".repeat(300), 7, true]);
  });
});
