import { describe, expect, test } from "vitest";
import { bytesOf } from "../base/dtype.ts";
import { type Buffer as ModelBuffer, residentBuffer } from "../model/ir.ts";
import { openFastRun } from "./fast-symmetric.ts";
import { quantizeConstant } from "./quantize-constant.ts";
import { quantizeWeight } from "./quantize-weight.ts";
import type { WeightFormat } from "./weight-format.ts";

const ROWS = 660;
const COLUMNS = 1024;
const SHAPE = [ROWS, COLUMNS];

/** More than two pieces; row sizes differ a hundredfold. */
function testValues(): Float32Array {
  let state = 5;
  return Float32Array.from({ length: ROWS * COLUMNS }, (_, index) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 31 - 1) * (1 + (Math.floor(index / COLUMNS) % 100));
  });
}

/** A buffer that is not in memory and counts what is asked of it. */
function distantBuffer(values: Float32Array): { buffer: ModelBuffer; largestRead(): number } {
  const bytes = bytesOf(values);
  let largest = 0;
  return {
    buffer: {
      byteLength: bytes.byteLength,
      load: async () => {
        largest = bytes.byteLength;
        return bytes;
      },
      loadInto: async (start, target) => {
        largest = Math.max(largest, target.length);
        target.set(bytes.subarray(start, start + target.length));
      },
    },
    largestRead: () => largest,
  };
}

const FORMATS: readonly WeightFormat[] = [
  { dtype: "int8", granularity: { kind: "channel", axis: 0 }, method: "min_max" },
  { dtype: "int8", granularity: { kind: "tensor" }, method: "min_max" },
  { dtype: "int8", granularity: { kind: "tensor" }, method: "r1.13" },
  { dtype: "int4", granularity: { kind: "channel", axis: 0 }, method: "mse" },
  { dtype: "int4", granularity: { kind: "tensor" }, method: "min_max" },
  { dtype: "int4", granularity: { kind: "block", size: 256 }, method: "octav" },
  { dtype: "float16" },
];

describe("constants in pieces", () => {
  const values = testValues();

  test.each(FORMATS)(
    "are stored as they are whole, from a megabyte at a time: %j",
    async (format) => {
      const { buffer, largestRead } = distantBuffer(values);
      const whole = quantizeWeight(values, SHAPE, format);
      for (const source of [buffer, residentBuffer(bytesOf(values))]) {
        const stored = await quantizeConstant(source, SHAPE, format);
        if (stored.bytes === undefined || whole.bytes === undefined) throw new Error("not stored");
        const { tally, ...rest } = stored;
        const { tally: expected, ...others } = whole;
        expect(stored.bytes.findIndex((byte, index) => byte !== whole.bytes[index])).toBe(-1);
        expect(stored.bytes).toHaveLength(whole.bytes.length);
        expect({ ...rest, bytes: 0 }).toEqual({ ...others, bytes: 0 });
        expect(tally.noise / expected.noise).toBeCloseTo(1, 9);
        expect(tally.largestError).toBe(expected.largestError);
      }
      expect(largestRead()).toBeLessThanOrEqual(1 << 20);
    },
  );

  test("are loaded whole where the channels are columns", async () => {
    const { buffer, largestRead } = distantBuffer(values);
    const format = {
      dtype: "int8",
      granularity: { kind: "channel", axis: 1 },
      method: "min_max",
    } as const;
    const stored = await quantizeConstant(buffer, SHAPE, format);
    expect("scale" in stored && stored.scale.length).toBe(COLUMNS);
    expect(largestRead()).toBe(4 * ROWS * COLUMNS);
  });

  test("stay float when the last piece has an infinity", async () => {
    const spoiled = values.slice();
    spoiled[spoiled.length - 1] = Number.POSITIVE_INFINITY;
    for (const format of FORMATS.slice(0, 2)) {
      const { buffer } = distantBuffer(spoiled);
      expect(await quantizeConstant(buffer, SHAPE, format)).toEqual({ infinite: 1 });
    }
  });
});

test("one scale is written for every channel where the kernel reads one each", async () => {
  const format = {
    dtype: "int8",
    granularity: { kind: "tensor" },
    method: "min_max",
    repeatAlong: 3,
  } as const;
  const values = Float32Array.of(1, -2, 3, 127);
  const stored = await quantizeConstant(residentBuffer(bytesOf(values)), [1, 1, 2, 2], format);
  expect(stored).toMatchObject({
    scale: Float32Array.of(1, 1),
    zeroPoint: [0, 0],
    quantizedDimension: 3,
  });
});

test.each(FORMATS.slice(0, 2))(
  "large constants keep no integers and make the same ones when asked, in any window: %j",
  async (format) => {
    const rows = 4100;
    const values = new Float32Array(rows * COLUMNS);
    for (let at = 0; at < values.length; at += ROWS * COLUMNS) {
      values.set(testValues().subarray(0, Math.min(ROWS * COLUMNS, values.length - at)), at);
    }
    values[77] = Number.NaN;
    const shape = [rows, COLUMNS];
    const { buffer, largestRead } = distantBuffer(values);
    const stored = await quantizeConstant(buffer, shape, format, openFastRun());
    const whole = quantizeWeight(values, shape, format);
    if (stored.bytes === undefined || whole.bytes === undefined) throw new Error("finite values");
    expect(stored.bytes.byteLength).toBe(0);
    expect(stored.onDemand?.byteLength).toBe(values.length);
    expect(stored.scale).toEqual(whole.scale);
    expect(stored.nan).toBe(1);
    for (const [start, length] of [
      [0, 5000],
      [1023, 3],
      [777_777, 300_001],
      [values.length - 9, 9],
    ] as const) {
      const window = new Uint8Array(length);
      await stored.onDemand?.loadInto?.(start, window);
      expect(Buffer.compare(window, whole.bytes.subarray(start, start + length))).toBe(0);
    }
    expect(largestRead()).toBeLessThanOrEqual(1 << 20);
  },
);
