import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isOctavoError } from "../../base/errors.ts";
import { parseFlexbuffer } from "./flexbuffer.ts";

/** {"vec": [-100, "Fred", 4.0], "bar": [1, 2, 3], "foo": 100} as the format's own encoder writes it. */
const SAMPLE = Uint8Array.from(
  Buffer.from(
    "766563000446726564000000030000009cffffff0f0000000000804006140e6261720003010203040404666f6f000310063103010311642728042a062401",
    "hex",
  ),
);

describe("parseFlexbuffer", () => {
  it("reads maps, lists, strings, floats and typed vectors", () => {
    const map = parseFlexbuffer(SAMPLE) as ReadonlyMap<string, unknown>;
    expect([...map.keys()]).toEqual(["bar", "foo", "vec"]);
    expect(map.get("foo")).toBe(100);
    expect(map.get("vec")).toEqual([-100, "Fred", 4]);
    expect(map.get("bar")).toEqual([1, 2, 3]);
  });

  it("answers every truncation and bit flip with a value or an error of ours", () => {
    fc.assert(
      fc.property(fc.nat(SAMPLE.length * 8 - 1), fc.nat(SAMPLE.length), (bit, length) => {
        const bytes = SAMPLE.slice(0, length);
        if (bit >> 3 < length) bytes[bit >> 3]! ^= 1 << (bit & 7);
        try {
          parseFlexbuffer(bytes);
        } catch (error) {
          if (!isOctavoError(error, "FormatError", "LimitError")) throw error;
        }
      }),
      { numRuns: 2000 },
    );
  });
});
