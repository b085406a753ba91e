import { describe, expect, it } from "vitest";
import type { FastFeatures } from "../fast-kernel.ts";
import { chooseGemm } from "./choose.ts";
import type { TileRows } from "./measure.ts";

/** Features with these speeds, and what was asked of them. */
function measuring(speeds: Readonly<Record<string, number>> | undefined) {
  const asked: TileRows[] = [];
  const features: FastFeatures = {
    relaxed: true,
    dot: "uint8",
    speeds: (_, rows) => {
      asked.push(rows);
      return speeds && new Map(Object.entries(speeds));
    },
  };
  const tileOf = (rows: number, n: number, k: number, data: "f32" | "qd8" = "qd8"): string => {
    const { mr, nr } = chooseGemm(data, { rows, n, k }, features);
    return `${mr}x${nr}`;
  };
  return { asked, tileOf };
}

const LARGE = [4096, 4096] as const;

describe("chooseGemm", () => {
  it("takes the tile of one row that is fastest on weights from memory", () => {
    const four = measuring({ "1x8": 20, "1x16": 25, "1x32": 40 });
    expect(four.tileOf(1, ...LARGE)).toBe("1x32");
    expect(four.asked).toEqual(["one"]);
    expect(measuring({ "1x8": 20, "1x16": 35, "1x32": 25 }).tileOf(1, ...LARGE)).toBe("1x16");
  });

  it("compares measured tiles with each other only, however slow the memory", () => {
    expect(measuring({ "1x8": 2, "1x16": 3, "1x32": 2 }).tileOf(1, ...LARGE)).toBe("1x16");
  });

  it("measures no single row whose weights a cache holds, and no floats", () => {
    const { asked, tileOf } = measuring({ "1x8": 1 });
    tileOf(1, 64, 64);
    tileOf(3, ...LARGE);
    expect(tileOf(1, ...LARGE, "f32")).toBe("1x32");
    expect(asked).toEqual([]);
  });

  it("takes the usual speeds where nothing can be measured", () => {
    const { asked, tileOf } = measuring(undefined);
    expect(tileOf(196, 96, 576)).toBe("6x8");
    expect(tileOf(1, ...LARGE)).toBe("1x32");
    expect(asked).toEqual(["several", "one"]);
  });
});
