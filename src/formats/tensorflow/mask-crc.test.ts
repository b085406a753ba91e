import { expect, it } from "vitest";
import { maskCrc } from "./mask-crc.ts";

it("masks by rotation and offset, as LevelDB does", () => {
  expect(maskCrc(0)).toBe(0xa282ead8);
  expect(maskCrc(0x8000)).toBe((0xa282ead8 + 1) >>> 0);
  expect(maskCrc(0xffffffff)).toBe(0xa282ead7);
});
