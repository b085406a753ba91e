import { describe, expect, it } from "vitest";
import { ShapeError, UnsupportedError, UsageError } from "../base/errors.ts";
import type { Quantization } from "../model/ir.ts";
import type { Sample } from "./dataset.ts";
import { type InputDescription, toModelInput } from "./preprocess.ts";

const quantized = (scale: number, zeroPoint: number): Quantization => ({
  scale: new Float32Array([scale]),
  zeroPoint: [zeroPoint],
  min: new Float32Array(0),
  max: new Float32Array(0),
  quantizedDimension: 0,
});

const input = (
  dtype: InputDescription["dtype"],
  shape: number[],
  quantization?: Quantization,
): InputDescription => ({
  name: "x",
  shape,
  dtype,
  ...(quantization === undefined ? {} : { quantization }),
});

const image = (...data: number[]): Sample => ({
  name: "i.png",
  label: undefined,
  value: { width: data.length / 3, height: 1, channels: 3, data: Uint8Array.from(data) },
});

const bytes = (...data: number[]): Sample => ({
  name: "b.bin",
  label: undefined,
  value: { dtype: "int8", data: Int8Array.from(data) },
});

describe("toModelInput", () => {
  it("scales images to -1..1, to pixels or to pixels - 128, as the input's type asks", () => {
    const sample = image(0, 127, 255);
    const shape = [1, 1, 1, 3];
    const float = toModelInput(sample, input("float32", shape));
    expect([...float].map(Number)).toEqual([-1, Math.fround(-0.5 / 127.5), 1]);
    expect(toModelInput(sample, input("uint8", shape))).toEqual(new Uint8Array([0, 127, 255]));
    expect(toModelInput(sample, input("int8", shape))).toEqual(new Int8Array([-128, -1, 127]));
  });

  it("quantizes real values with the input's own scale, within its range", () => {
    const sample = image(0, 128, 255);
    const uint8 = input("uint8", [1, 1, 1, 3], quantized(1 / 128, 128));
    const scaling = { mean: [128], scale: [1 / 128] };
    expect(toModelInput(sample, uint8, scaling)).toEqual(new Uint8Array([0, 128, 255]));
    const narrow = input("int8", [1, 1, 1, 3], quantized(1, 0));
    expect(toModelInput(sample, narrow, { mean: [0] })).toEqual(new Int8Array([0, 127, 127]));
  });

  it("scales each channel by its own numbers", () => {
    const scaling = { mean: [1, 2, 3], scale: [1, 10, 100] };
    const values = toModelInput(image(1, 3, 5, 2, 2, 2), input("float32", [1, 1, 2, 3]), scaling);
    expect([...values]).toEqual([0, 10, 200, 1, 0, -100]);
    expect(() =>
      toModelInput(image(1, 3, 5), input("float32", [1, 1, 1, 3]), { mean: [1, 2] }),
    ).toThrow(UsageError);
  });

  it("turns raw bytes into reals as the keyword data asks: (q - 83) x 0.584703", () => {
    const scaling = { mean: [83], scale: [0.584703] };
    const float = toModelInput(bytes(83, 84, -128), input("float32", [1, 3]), scaling);
    expect([...float]).toEqual([0, Math.fround(0.584703), Math.fround(-211 * 0.584703)]);
    const back = input("int8", [1, 3], quantized(0.584703, 83));
    expect(toModelInput(bytes(83, 84, -128), back, scaling)).toEqual(new Int8Array([83, 84, -128]));
  });

  it("passes arrays of the input's own type unchanged, and converts others as real values", () => {
    const own = input("int8", [1, 2], quantized(0.5, 3));
    expect(toModelInput(bytes(-5, 7), own)).toEqual(new Int8Array([-5, 7]));
    expect(toModelInput(bytes(-5, 7), input("float32", [2]))).toEqual(new Float32Array([-5, 7]));
    expect(toModelInput(bytes(-5, 7), input("int64", [2]))).toEqual(new BigInt64Array([-5n, 7n]));
    expect(toModelInput(bytes(1, 2), input("float16", [2]))).toEqual(
      new Uint16Array([0x3c00, 0x4000]),
    );
  });

  it("refuses samples that do not fit, naming both sides", () => {
    expect(() => toModelInput(bytes(1, 2, 3), input("int8", [1, 2]))).toThrow(
      'b.bin: 3 numbers, expected 2 for input "x" [1, 2].',
    );
    expect(() => toModelInput(image(1, 2, 3), input("float32", [1, 3]))).toThrow(ShapeError);
    expect(() => toModelInput(bytes(1), input("bool", [1]))).toThrow(UnsupportedError);
  });
});
