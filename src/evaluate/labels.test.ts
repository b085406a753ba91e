import { describe, expect, it } from "vitest";
import { FormatError, UsageError } from "../base/errors.ts";
import { encodeNpy } from "../formats/npy/npy.ts";
import { parseCsv } from "./csv.ts";
import { parseDatasetDescription, parseNumbers, preprocessingOf } from "./dataset-description.ts";
import { parseLabels } from "./labels.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

describe("parseCsv", () => {
  it("understands quotes, both line ends and empty fields", () => {
    const text = '\uFEFFa,"b ""c"", d",\r\n"two\nlines",,x\n\n,\nlast';
    expect(parseCsv(text)).toEqual([["a", 'b "c", d', ""], ["two\nlines", "", "x"], ["last"]]);
    expect(parseCsv("")).toEqual([]);
    expect(parseCsv("a,")).toEqual([["a", ""]]);
  });

  it.each(['a"b', '"a"b', '"a'])("refuses %j", (text) => {
    expect(() => parseCsv(text)).toThrow(FormatError);
  });
});

describe("parseLabels", () => {
  it("takes the last column of a table without heading, and the files from the first", () => {
    expect(parseLabels(bytes("a.bin,12,7\nb.bin,12,0\n"), "y.csv")).toEqual([
      { file: "a.bin", label: 7 },
      { file: "b.bin", label: 0 },
    ]);
  });

  it("finds columns by name or by number from 1", () => {
    const table = bytes("name,class,file\ntench,0,x.jpg\n");
    const byName = { labelColumn: "class", fileColumn: "file" };
    expect(parseLabels(table, "l.csv", byName)).toEqual([{ file: "x.jpg", label: 0 }]);
    expect(parseLabels(table, "l.csv", { labelColumn: 2, fileColumn: 3 })).toEqual([
      { file: "x.jpg", label: 0 },
    ]);
    expect(() => parseLabels(table, "l.csv", { labelColumn: "klass" })).toThrow(UsageError);
    expect(() => parseLabels(table, "l.csv", { labelColumn: 4 })).toThrow(UsageError);
    expect(() => parseLabels(table, "l.csv")).toThrow('label "x.jpg"');
  });

  it("reads one label a line, names and offsets included", () => {
    expect(parseLabels(bytes("3\r\n4\n"), "l.txt", { labelOffset: 1 })).toEqual([
      { label: 4 },
      { label: 5 },
    ]);
    const classNames = ["cat", "dog"];
    expect(parseLabels(bytes("dog\ncat\n"), "l.txt", { classNames })).toEqual([
      { label: 1 },
      { label: 0 },
    ]);
    expect(() => parseLabels(bytes("bird\n"), "l.txt", { classNames })).toThrow(FormatError);
    expect(() => parseLabels(bytes("-1\n"), "l.txt")).toThrow('l.txt line 1: label "-1"');
  });

  it("reads an .npy vector", () => {
    const file = encodeNpy({ dtype: "int64", shape: [2], data: new BigInt64Array([5n, 9n]) });
    expect(parseLabels(file, "y.npy")).toEqual([{ label: 5 }, { label: 9 }]);
  });

  it("refuses rows of another length than the first", () => {
    expect(() => parseLabels(bytes("a,1\nb\n"), "l.csv")).toThrow("l.csv row 2: 1 fields");
  });
});

describe("parseDatasetDescription", () => {
  const parse = (value: unknown) => parseDatasetDescription(bytes(JSON.stringify(value)), "d.json");

  it("reads every field", () => {
    const description = {
      data: "images",
      labels: "labels.csv",
      labelColumn: "class",
      fileColumn: 1,
      labelOffset: 1,
      preset: "mobilenet",
      scale: "1/255",
    };
    expect(parse(description)).toEqual({ ...description, scale: [1 / 255] });
  });

  it.each([
    [[], "JSON that is no object"],
    [{}, 'no field "data"'],
    [{ data: 1 }, 'field "data" is 1, expected text'],
    [{ data: "x", crop: 2 }, 'field "crop" is 2'],
    [{ data: "x", dtype: "int64" }, 'field "dtype"'],
    [{ data: "x", mean: "a" }, 'field "mean" is "a"'],
    [{ data: "x", color: "rgb" }, 'field "color"'],
  ])("refuses %j", (value, message) => {
    expect(() => parse(value)).toThrow(message);
    expect(() => parse(value)).toThrow(FormatError);
  });

  it("lets what is said directly go before the preset", () => {
    expect(preprocessingOf({ preset: "mobilenet", crop: 1 })).toEqual({
      crop: 1,
      mean: [127.5],
      scale: [1 / 127.5],
    });
    expect(preprocessingOf({})).toEqual({});
  });
});

describe("parseNumbers", () => {
  it("reads fractions and lists", () => {
    expect(parseNumbers("1/127.5", "--scale")).toEqual([1 / 127.5]);
    expect(parseNumbers("1, -2,3e-1", "--mean")).toEqual([1, -2, 0.3]);
  });

  it.each(["", "1/0", "1/", "/2", "1/2/3", "x", "1,,2", "NaN"])("refuses %j", (text) => {
    expect(() => parseNumbers(text, "--mean")).toThrow(UsageError);
  });
});
