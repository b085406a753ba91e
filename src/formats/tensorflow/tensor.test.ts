import { describe, expect, it } from "vitest";
import { encodeFields, type Field, message } from "../../../test/wire-writer.ts";
import { isOctavoError } from "../../base/errors.ts";
import { decodeTensor } from "./tensor.ts";

function tensor(dtype: number, shape: readonly number[], ...fields: Field[]): Uint8Array {
  const dims = shape.map((size): Field => [2, message([1, size])]);
  return encodeFields([[1, dtype], [2, message(...dims)], ...fields]);
}

function floats(...values: number[]): Uint8Array {
  return new Uint8Array(Float32Array.from(values).buffer);
}

function code(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return isOctavoError(error) ? error.code : String(error);
  }
  return "no error";
}

describe("decodeTensor", () => {
  it("takes raw content as it is", () => {
    const value = decodeTensor(tensor(1, [3], [4, floats(1, -2, 0.5)]), "x");
    expect(value).toEqual({ dtype: "float32", shape: [3], data: Float32Array.of(1, -2, 0.5) });
  });

  it("repeats the last value of a list that is too short, and cuts one that is too long", () => {
    expect(decodeTensor(tensor(1, [2, 2], [5, floats(3, 7)]), "x").data).toEqual(
      Float32Array.of(3, 7, 7, 7),
    );
    expect(decodeTensor(tensor(3, [2], [7, 1], [7, 2], [7, 3]), "x").data).toEqual(
      Int32Array.of(1, 2),
    );
    expect(decodeTensor(tensor(9, [3], [10, -5n]), "x").data).toEqual(
      BigInt64Array.of(-5n, -5n, -5n),
    );
    expect(decodeTensor(tensor(10, [2], [11, 1]), "x").data).toEqual(Uint8Array.of(1, 1));
    expect(decodeTensor(tensor(19, [2], [13, 0x3c00]), "x").data).toEqual(
      Uint16Array.of(0x3c00, 0x3c00),
    );
  });

  it("repeats complex numbers as pairs", () => {
    expect(decodeTensor(tensor(8, [3], [9, floats(1, 2, 3, 4)]), "x").data).toEqual(
      Float32Array.of(1, 2, 3, 4, 3, 4),
    );
  });

  it("fills with zeros and empty strings where there is no value", () => {
    expect(decodeTensor(tensor(6, [2, 1]), "x").data).toEqual(new Int8Array(2));
    expect(decodeTensor(tensor(7, [2]), "x").data).toEqual([new Uint8Array(0), new Uint8Array(0)]);
  });

  it("gives a scalar for a tensor without a shape", () => {
    const bytes = encodeFields([
      [1, 3],
      [7, 42],
    ]);
    expect(decodeTensor(bytes, "x")).toEqual({
      dtype: "int32",
      shape: [],
      data: Int32Array.of(42),
    });
  });

  it.each([
    ["content of another length", tensor(1, [4], [4, floats(1)]), "FormatError"],
    ["an unknown dimension", tensor(1, [-1], [5, floats(1)]), "FormatError"],
    ["a negative dimension", tensor(1, [-7], [5, floats(1)]), "FormatError"],
    [
      "more elements than there are numbers",
      tensor(1, [2 ** 40, 2 ** 40], [5, floats(1)]),
      "FormatError",
    ],
    ["a terabyte of zeros", tensor(1, [2 ** 38]), "LimitError"],
    ["a terabyte of empty strings", tensor(7, [2 ** 36]), "LimitError"],
    ["an unknown type", tensor(77, [1]), "UnsupportedError"],
    ["a handle", tensor(20, [1]), "UnsupportedError"],
    ["300 dimensions", tensor(1, new Array<number>(300).fill(1), [5, floats(1)]), "LimitError"],
  ])("refuses %s", (_, bytes, expected) => {
    expect(code(() => decodeTensor(bytes, "x"))).toBe(expected);
  });
});
