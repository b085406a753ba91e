import { expect, it } from "vitest";
import { crc32c, maskCrc } from "./crc32c.ts";

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

it("agrees with the published check values (RFC 3720, B.4)", () => {
  expect(crc32c(ascii("123456789"))).toBe(0xe3069283);
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
  expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
});

it("continues from the checksum of what came before, at any cut", () => {
  const whole = Uint8Array.from({ length: 61 }, (_, i) => (i * 37) & 0xff);
  for (let cut = 0; cut <= whole.length; cut++) {
    expect(crc32c(whole.subarray(cut), crc32c(whole.subarray(0, cut)))).toBe(crc32c(whole));
  }
});

it("masks by rotation and offset, as LevelDB does", () => {
  expect(maskCrc(0)).toBe(0xa282ead8);
  expect(maskCrc(0x8000)).toBe((0xa282ead8 + 1) >>> 0);
  expect(maskCrc(0xffffffff)).toBe(0xa282ead7);
});
