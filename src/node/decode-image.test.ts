import { readFileSync } from "node:fs";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { FormatError } from "../base/errors.ts";
import { parseNpy } from "../formats/npy/npy.ts";
import { decodeImage } from "./decode-image.ts";

const red = { width: 3, height: 2, channels: 3, background: { r: 255, g: 0, b: 0 } } as const;

describe("decodeImage", () => {
  it("decodes JPEG without sharp, as TensorFlow does", async () => {
    const folder = new URL("../../test/fixtures/jpeg/", import.meta.url);
    const file = new Uint8Array(readFileSync(new URL("subsampled_420.jpg", folder)));
    const expected = parseNpy(new Uint8Array(readFileSync(new URL("subsampled_420.npy", folder))));
    expect((await decodeImage(file, "x.jpg")).data).toEqual(expected.data);
  });

  it("decodes to red, green and blue, whatever the file holds", async () => {
    const transparent = {
      ...red,
      channels: 4,
      background: { r: 255, g: 0, b: 0, alpha: 0.5 },
    } as const;
    for (const file of [
      sharp({ create: red }).png(),
      sharp({ create: transparent }).png(),
      sharp({ create: red }).tiff({ compression: "lzw" }),
    ]) {
      const image = await decodeImage(await file.toBuffer(), "red");
      expect(image).toMatchObject({ width: 3, height: 2, channels: 3 });
      expect([...image.data.subarray(0, 3)]).toEqual([255, 0, 0]);
    }
  });

  it("decodes grey and 16-bit files to three channels of 8 bits", async () => {
    const grey = { ...red, background: { r: 90, g: 90, b: 90 } };
    const file = await sharp({ create: grey }).toColourspace("b-w").png().toBuffer();
    expect([...(await decodeImage(file, "grey")).data]).toEqual(new Array(18).fill(90));
    const deep = await sharp({ create: grey }).toColourspace("rgb16").png().toBuffer();
    const { data, channels } = await decodeImage(deep, "deep");
    expect(channels).toBe(3);
    expect(data).toHaveLength(18);
    expect(Math.abs((data[0] ?? 0) - 90)).toBeLessThanOrEqual(1);
  });

  it("refuses what is no image, and one that is cut off", async () => {
    await expect(decodeImage(new TextEncoder().encode("hello"), "x.jpg")).rejects.toThrow(
      FormatError,
    );
    const jpeg = await sharp({ create: { ...red, width: 300, height: 300 } })
      .jpeg()
      .toBuffer();
    await expect(decodeImage(jpeg.subarray(0, jpeg.length / 2), "half.jpg")).rejects.toThrow(
      "half.jpg: ",
    );
  });
});
