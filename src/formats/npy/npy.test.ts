import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { TensorData } from "../../base/dtype.ts";
import { FormatError, isOctavoError, LimitError, UnsupportedError } from "../../base/errors.ts";
import { memorySource } from "../../io/memory.ts";
import { encodeNpy, openNpy, parseNpy } from "./npy.ts";

interface Expected {
  file: string;
  dtype: string;
  shape: number[];
  values: (number | string)[];
}

const folder = new URL("../../../test/fixtures/npy/", import.meta.url);
const fixture = (name: string) =>
  new Uint8Array(readFileSync(fileURLToPath(new URL(name, folder))));
const expected = JSON.parse(new TextDecoder().decode(fixture("expected.json"))) as Expected[];

function listed(data: TensorData): (number | string)[] {
  if (Array.isArray(data)) return data.map((string) => new TextDecoder().decode(string));
  return Array.from<number | bigint, number | string>(data, (value) =>
    typeof value === "bigint" ? String(value) : value,
  );
}

function npyOf(header: string, body = new Uint8Array(0)): Uint8Array {
  const text = new TextEncoder().encode(header);
  return new Uint8Array([
    ...[0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0],
    ...[text.length & 0xff, text.length >> 8],
    ...text,
    ...body,
  ]);
}

describe("parseNpy", () => {
  it.each(expected)("reads $file as NumPy does", ({ file, dtype, shape, values }) => {
    const array = parseNpy(fixture(file));
    expect(array.dtype).toBe(dtype);
    expect(array.shape).toEqual(shape);
    expect(listed(array.data)).toEqual(values);
  });

  it("accepts what Python 2 and other writers put in headers", () => {
    const body = new Uint8Array(8);
    for (const header of [
      `{"shape": (2L,), "descr": "<f4", "fortran_order": False}`,
      `{'descr':'<f4','shape':(1,2),'fortran_order':True}\n`,
      `{'descr': '=f4', 'fortran_order': False, 'shape': (2,) , }   \n`,
    ]) {
      expect(parseNpy(npyOf(header, body)).data).toHaveLength(2);
    }
  });

  it.each([
    ["nothing", "{}"],
    ["no dictionary", "hello"],
    ["an open dictionary", "{'descr': '<f4'"],
    ["a negative dimension", "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}"],
    ["a fraction", "{'descr': '<f4', 'fortran_order': False, 'shape': (1.5,)}"],
    [
      "a dimension beyond 2^53",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999999999,)}",
    ],
    ["a number for a type", "{'descr': 4, 'fortran_order': False, 'shape': ()}"],
    ["text after the dictionary", "{'descr': '<f4', 'fortran_order': False, 'shape': ()} + x"],
    ["a type that is none", "{'descr': 'float', 'fortran_order': False, 'shape': ()}"],
    ["a zero-width string", "{'descr': '|S0', 'fortran_order': False, 'shape': (1000000000,)}"],
    [
      "more elements than bytes",
      "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000, 1000000)}",
    ],
    ["65 dimensions", `{'descr': '<f4', 'fortran_order': False, 'shape': (${"1,".repeat(65)})}`],
  ])("refuses %s in the header", (_, header) => {
    expect(() => parseNpy(npyOf(header))).toThrow(/^npy: /);
    try {
      parseNpy(npyOf(header));
    } catch (error) {
      expect(isOctavoError(error, "FormatError", "UnsupportedError")).toBe(true);
    }
  });

  it("names the types it does not read", () => {
    const header = "{'descr': '|O', 'fortran_order': False, 'shape': ()}";
    expect(() => parseNpy(npyOf(header))).toThrow(FormatError);
    const records = "{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': ()}";
    expect(() => parseNpy(npyOf(records))).toThrow(UnsupportedError);
    const dates = "{'descr': '<M8', 'fortran_order': False, 'shape': ()}";
    expect(() => parseNpy(npyOf(dates))).toThrow("npy: element type '<M8'");
  });

  it("refuses a header that claims to be longer than any is", () => {
    const file = fixture("version_2.npy");
    new DataView(file.buffer).setUint32(8, 0xfffffff0, true);
    expect(() => parseNpy(file)).toThrow(LimitError);
  });

  it("refuses a file cut off at any byte, and one with bytes left over", () => {
    const file = fixture("fortran_f4.npy");
    for (let length = 0; length < file.length; length++) {
      expect(() => parseNpy(file.slice(0, length))).toThrow(FormatError);
    }
    expect(() => parseNpy(new Uint8Array([...file, 0]))).toThrow("Store one array in each file");
  });

  it("answers any damaged header with an array or a typed error", () => {
    const file = fixture("i4.npy");
    fc.assert(
      fc.property(fc.nat(127), fc.nat(255), (position, byte) => {
        const damaged = file.slice();
        damaged[position] = byte;
        try {
          parseNpy(damaged);
        } catch (error) {
          expect(isOctavoError(error)).toBe(true);
        }
      }),
      { seed: 1, numRuns: 2000 },
    );
  });
});

describe("encodeNpy", () => {
  const written = expected.filter(({ file }) => !/^(big|fortran|version|text)/.test(file));

  it.each(written)("writes $file byte for byte as NumPy does", ({ file }) => {
    const bytes = fixture(file);
    expect(encodeNpy(parseNpy(bytes))).toEqual(bytes);
  });

  it("refuses what .npy files cannot hold", () => {
    const bfloat16 = { dtype: "bfloat16", shape: [1], data: new Uint16Array(1) } as const;
    expect(() => encodeNpy(bfloat16)).toThrow(UnsupportedError);
    const string = { dtype: "string", shape: [1], data: [new Uint8Array([65, 0])] } as const;
    expect(() => encodeNpy({ ...string, data: [...string.data] })).toThrow(
      "a zero byte at its end",
    );
  });
});

describe("openNpy", () => {
  it("reads rows without the rest", async () => {
    const file = await openNpy(memorySource(fixture("f4.npy")));
    expect(file.shape).toEqual([2, 3, 4]);
    const whole = parseNpy(fixture("f4.npy")).data;
    expect(await file.readRows(1, 2)).toEqual({
      dtype: "float32",
      shape: [1, 3, 4],
      data: whole.slice(12),
    });
  });

  it("refuses arrays whose rows are not in one piece", async () => {
    await expect(openNpy(memorySource(fixture("fortran_f4.npy")))).rejects.toThrow(
      UnsupportedError,
    );
    await expect(openNpy(memorySource(fixture("scalar.npy")))).rejects.toThrow(UnsupportedError);
  });

  it("refuses an empty file", async () => {
    await expect(openNpy(memorySource(new Uint8Array(0)))).rejects.toThrow(FormatError);
  });
});
