import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseNpy } from "../formats/npy/npy.ts";
import { centralSquare, type Image, withChannels } from "./image.ts";
import { type ResizeMethod, resize } from "./resize.ts";

const folder = new URL("../../test/fixtures/resize/", import.meta.url);
const load = (name: string) => parseNpy(new Uint8Array(readFileSync(new URL(name, folder))), name);
const pixels = load("image.npy").data as Uint8Array;
const image: Image = { width: 9, height: 13, channels: 3, data: pixels };
const cases = readdirSync(folder).filter((name) => name !== "image.npy");

/**
 * TensorFlow computes source positions (up to 13 pixels) in float32, two roundings for each; a pixel's worth of position
 * is worth at most 255 grey levels, in each direction.
 */
const BOUND = 2 * 255 * 13 * 2 ** -23;

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Math.max(...Array.from(a, (value, index) => Math.abs(value - b[index]!)));
}

describe("resize", () => {
  it.each(cases)("equals TensorFlow but for its float32 positions: %s", (name) => {
    const expected = load(name);
    const [height = 0, width = 0] = expected.shape;
    const actual = resize(image, width, height, name.split("_")[0] as ResizeMethod);
    expect(largestDifference(actual, expected.data as Float32Array)).toBeLessThan(BOUND);
  });

  it("leaves an image of the wanted size as it is", () => {
    expect([...resize(image, 9, 13, "antialiased")]).toEqual([...pixels]);
  });
});

describe("centralSquare", () => {
  const ramp = (width: number, height: number): Image => ({
    width,
    height,
    channels: 1,
    data: Uint8Array.from({ length: width * height }, (_, index) => index),
  });

  it("cuts the middle of the longer side, and the fraction of the shorter", () => {
    expect(centralSquare(ramp(6, 4), 0.5)).toEqual({
      width: 2,
      height: 2,
      channels: 1,
      data: new Uint8Array([8, 9, 14, 15]),
    });
    expect(centralSquare(ramp(4, 6), 1)).toMatchObject({ width: 4, height: 4 });
  });

  it("keeps at least one pixel", () => {
    expect(centralSquare(ramp(3, 3), 0.01)).toMatchObject({ width: 1, height: 1 });
  });
});

describe("withChannels", () => {
  it("makes luma from colour and colour from grey", () => {
    const colour: Image = { width: 1, height: 1, channels: 3, data: new Uint8Array([255, 0, 0]) };
    expect([...withChannels(colour, 1).data]).toEqual([76]);
    const grey: Image = { width: 2, height: 1, channels: 1, data: new Uint8Array([7, 9]) };
    expect([...withChannels(grey, 3).data]).toEqual([7, 7, 7, 9, 9, 9]);
    expect(() => withChannels(grey, 4)).toThrow("4 channels wanted from 1");
  });
});
