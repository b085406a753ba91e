import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { UnsupportedError } from "../base/errors.ts";
import { decodeImage } from "./decode-image.ts";

const fixtures = new URL("../../test/fixtures/", import.meta.url);
const load = (path: string) => new Uint8Array(readFileSync(new URL(path, fixtures)));

describe("decodeImage", () => {
  it("goes by the contents and not by the name", () => {
    expect(decodeImage(load("jpeg/subsampled_420.jpg"), "x.png")).toMatchObject({ width: 37 });
    expect(decodeImage(load("png/type6_8bit.png"), "x.jpg")).toMatchObject({ width: 13 });
  });

  it("says what it found instead of an image", () => {
    expect(() => decodeImage(load("npy/f4.npy"), "x.jpg")).toThrow(
      "x.jpg: a file that begins with 93 4e 55 4d, expected a JPEG or PNG image. " +
        "Convert the images to PNG, or give the data as an .npy array.",
    );
    expect(() => decodeImage(new Uint8Array(0), "x.jpg")).toThrow(UnsupportedError);
  });
});
