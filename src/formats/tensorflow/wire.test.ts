import { describe, expect, it } from "vitest";
import { encodeFields, message } from "../../../test/wire-writer.ts";
import { isOctavoError } from "../../base/errors.ts";
import { parseMessage, type WireReader } from "./wire.ts";

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

function first<T>(read: (wire: WireReader) => T): (wire: WireReader) => T | undefined {
  return (wire) => {
    let value: T | undefined;
    while (wire.next()) {
      if (wire.field === 1) value = read(wire);
      else wire.skip();
    }
    return value;
  };
}

function failure(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    return error;
  }
}

describe("WireReader", () => {
  it("reads int64 of either sign, exactly as bigint and as number up to 2^53", () => {
    for (const value of [
      0n,
      1n,
      -1n,
      127n,
      128n,
      2n ** 31n,
      -(2n ** 31n),
      2n ** 53n - 1n,
      -(2n ** 63n),
    ]) {
      const encoded = encodeFields([[1, value]]);
      expect(
        parseMessage(
          first((wire) => wire.bigInt64()),
          encoded,
          "x",
        ),
      ).toBe(value);
      expect(
        parseMessage(
          first((wire) => wire.int64()),
          encoded,
          "x",
        ),
      ).toBe(Number(value));
    }
    const most = encodeFields([[1, 2n ** 64n - 1n]]);
    expect(
      parseMessage(
        first((wire) => wire.bigUint64()),
        most,
        "x",
      ),
    ).toBe(2n ** 64n - 1n);
  });

  it("accepts repeated numbers packed, unpacked and mixed", () => {
    const read = (wire: WireReader): number[] => {
      const list: number[] = [];
      while (wire.next()) wire.repeated(list, (from) => from.int32());
      return list;
    };
    const mixed = bytes(0x08, 5, 0x0a, 3, 1, 0x80, 0x01, 0x08, 7);
    expect(parseMessage(read, mixed, "x")).toEqual([5, 1, 128, 7]);
  });

  it("skips fields it does not know, groups included", () => {
    const unknown = bytes(0x13, 0x0a, 1, 9, 0x14, 0x19, 1, 2, 3, 4, 5, 6, 7, 8, 0x25, 1, 2, 3, 4);
    const known = encodeFields([[1, "found"]]);
    const read = first((wire) => wire.string());
    expect(parseMessage(read, bytes(...unknown, ...known), "x")).toBe("found");
  });

  it("decodes strings beyond ASCII, short and long", () => {
    for (const text of ["für", "é".repeat(100), "plain", ""]) {
      const encoded = encodeFields([[1, text]]);
      expect(
        parseMessage(
          first((wire) => wire.string()),
          encoded,
          "x",
        ),
      ).toBe(text);
    }
  });

  it.each([
    ["a length past the end", bytes(0x0a, 5, 1)],
    ["a length beyond 2^32", bytes(0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f)],
    ["a number of eleven bytes", bytes(0x08, ...new Array<number>(10).fill(0x80), 1)],
    ["a number that is cut short", bytes(0x08, 0x80)],
    ["field number 0", bytes(0x00, 1)],
    ["a group without an end", bytes(0x13, 0x08, 1)],
    ["an end without a group", bytes(0x14)],
    ["wire type 7", bytes(0x17)],
  ])("refuses %s", (_, encoded) => {
    const error = failure(() =>
      parseMessage(
        first((wire) => wire.bytes()),
        encoded,
        "file",
      ),
    );
    expect(isOctavoError(error, "FormatError")).toBe(true);
  });

  it("keeps a field within its message", () => {
    // The inner message has one byte left, its string claims three; the outer one would have them.
    const encoded = bytes(0x0a, 2, 0x0a, 3, 65, 66, 67);
    const read = first((wire) => wire.message(first((inner) => inner.string())));
    const error = failure(() => parseMessage(read, encoded, "file"));
    expect(isOctavoError(error, "FormatError")).toBe(true);
    expect(String(error)).toContain("3 bytes where 0 are left");
  });

  it("limits nesting, of messages and of groups", () => {
    let nested = message();
    for (let i = 0; i < 200; i++) nested = message([1, nested]);
    const read = (wire: WireReader): void => {
      while (wire.next()) wire.message(read);
    };
    const deep = encodeFields(nested.fields);
    expect(
      isOctavoError(
        failure(() => parseMessage(read, deep, "x")),
        "FormatError",
      ),
    ).toBe(true);
    const groups = new Uint8Array(100_000).fill(0x13);
    const skip = failure(() =>
      parseMessage(
        first((wire) => wire.bytes()),
        groups,
        "x",
      ),
    );
    expect(isOctavoError(skip, "FormatError")).toBe(true);
  });
});
