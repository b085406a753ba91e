import { describe, expect, it } from "vitest";
import { byteText, textTable } from "./text.ts";

describe("text tables", () => {
  it("align numbers to the right and words to the left", () => {
    const rows = [
      ["name", "size"],
      ["a", "9 B"],
      ["long", "1.2 kB"],
    ];
    expect(textTable(rows)).toBe("name    size\na        9 B\nlong  1.2 kB");
  });

  it.each([
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1.0 kB"],
    [13_640_000, "13.6 MB"],
    [999_600, "1.0 MB"],
    [512_000_000, "512 MB"],
    [3_000_000_000_000_000, "3000 TB"],
  ])("print %d bytes as %s", (count, text) => {
    expect(byteText(count)).toBe(text);
  });
});
