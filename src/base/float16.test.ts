import { expect, test } from "vitest";
import { FLOAT16_MAX, fromFloat16, narrowFloat16, toFloat16, widenFloat16 } from "./float16.ts";

test("every half float widens to its value and narrows back to its bits", () => {
  const bits = Uint16Array.from({ length: 0x10000 }, (_, index) => index);
  const wide = new Float32Array(bits.length);
  widenFloat16(bits, wide);
  const back = new Uint16Array(bits.length);
  narrowFloat16(wide, back);
  const wrong = [...bits].filter((pattern) => {
    const value = fromFloat16(pattern);
    const narrowed = back[pattern]!;
    const same = Number.isNaN(value) ? narrowed === (pattern | 0x200) : narrowed === pattern;
    return !Object.is(wide[pattern], value) || !same;
  });
  expect(wrong).toEqual([]);
  expect(fromFloat16(0x3555)).toBe(0.333251953125);
});

test("narrowing rounds to nearest with ties to even, in the normal and the subnormal range", () => {
  const wrong: number[] = [];
  for (let bits = 0; bits < 0x7bff; bits++) {
    const middle = (fromFloat16(bits) + fromFloat16(bits + 1)) / 2;
    const even = bits % 2 === 0 ? bits : bits + 1;
    const right =
      toFloat16(middle) === even &&
      toFloat16(-middle) === (0x8000 | even) &&
      toFloat16(middle * (1 + 2 ** -20)) === bits + 1 &&
      toFloat16(middle * (1 - 2 ** -20)) === bits;
    if (!right) wrong.push(bits);
  }
  expect(wrong).toEqual([]);
});

test("narrowing overflows to infinity from half a step above the largest finite value", () => {
  expect(toFloat16(FLOAT16_MAX)).toBe(0x7bff);
  expect(toFloat16(65519.99)).toBe(0x7bff);
  expect(toFloat16(65520)).toBe(0x7c00);
  expect(toFloat16(-1e30)).toBe(0xfc00);
});
