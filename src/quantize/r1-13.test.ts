import { describe, expect, test } from "vitest";
import { quantizeAsymmetricR113, quantizeSymmetricR113 } from "./r1-13.ts";

describe("symmetric weights of TensorFlow 1.13", () => {
  test("multiplies by f32(127 / range), rounds half away from zero", () => {
    const out = new Int8Array(5);
    const { scale } = quantizeSymmetricR113(Float32Array.of(-10, 0, 10, 20, 30), 30, out);
    expect([...scale]).toEqual([Math.fround(30 / 127)]);
    expect([...out]).toEqual([-42, 0, 42, 85, 127]);
  });

  test("gives a tensor of zeros the scale 1", () => {
    const out = new Int8Array(3);
    expect([...quantizeSymmetricR113(new Float32Array(3), 0, out).scale]).toEqual([1]);
    expect([...out]).toEqual([0, 0, 0]);
  });
});

describe("asymmetric weights of TensorFlow 1.13", () => {
  test("spread min … max over 0 … 255", () => {
    const { bytes, scale, zeroPoint } = quantizeAsymmetricR113(Float32Array.of(-1, 0, 0.5, 1.55));
    expect(scale[0]).toBe(Math.fround(Math.fround(2.55) / 255));
    expect(zeroPoint).toEqual([100]);
    expect([...bytes]).toEqual([0, 100, 150, 255]);
  });

  test("keep weights of one sign within the range, where the original wraps around", () => {
    const { bytes, zeroPoint } = quantizeAsymmetricR113(Float32Array.of(1, 2));
    expect(zeroPoint).toEqual([0]);
    expect([...bytes]).toEqual([127, 255]);
  });

  test("store zeros exactly", () => {
    const { bytes, scale, zeroPoint } = quantizeAsymmetricR113(new Float32Array(2));
    expect([[...bytes], [...scale], zeroPoint]).toEqual([[0, 0], [0], [0]]);
  });
});
