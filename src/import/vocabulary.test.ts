import { describe, expect, it } from "vitest";
import { readVocabulary, type VocabularyFormat } from "./vocabulary.ts";

const text = (index: number) => ({ index, isText: true });
const number = (index: number) => ({ index, isText: false });
const FORMAT: VocabularyFormat = {
  key: text(-2),
  value: number(-1),
  size: -1,
  delimiter: "\t",
  offset: 0,
};

function read(content: string, format: Partial<VocabularyFormat> = {}) {
  const bytes = new TextEncoder().encode(content);
  const { keys, values } = readVocabulary(bytes, { ...FORMAT, ...format }, "words.txt");
  const plain = ({ data }: typeof keys) =>
    Array.isArray(data) ? data.map((each) => new TextDecoder().decode(each)) : [...data];
  return { keys: plain(keys), values: plain(values) };
}

describe("a vocabulary", () => {
  it("has a line an entry, with or without an end of the last one", () => {
    expect(read("a\nb c\n")).toEqual({ keys: ["a", "b c"], values: [0n, 1n] });
    expect(read("a\r\n\nc")).toEqual({ keys: ["a", "", "c"], values: [0n, 1n, 2n] });
    expect(read("")).toEqual({ keys: [], values: [] });
  });

  it("has columns, of which the model says the numbers", () => {
    const format = { key: number(2), value: text(0), delimiter: "," };
    expect(read("x,1,-5\ny,2,9223372036854775807", format)).toEqual({
      keys: [-5n, 2n ** 63n - 1n],
      values: ["x", "y"],
    });
  });

  it("may be longer than the model wants, and count from elsewhere", () => {
    expect(read("a\nb\nc", { size: 2, offset: 10 })).toEqual({
      keys: ["a", "b"],
      values: [10n, 11n],
    });
  });

  it.each([
    ["a line with too few columns", "a\tb\nc", { key: text(1) }, /line 2: too few columns/],
    ["no number", "7\nx", { key: number(-2) }, /line 2: "x", expected a whole number/],
    ["a number beyond 64 bits", "9223372036854775808", { key: number(-2) }, /line 1: "9223/],
    ["fewer lines than the model says", "a\nb", { size: 3 }, /2 lines, expected 3/],
  ])("with %s is refused", (_, content, format, message) => {
    expect(() => read(content, format)).toThrow(message);
  });
});
