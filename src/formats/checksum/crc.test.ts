import { expect, it } from "vitest";
import { crc32, crc32c } from "./crc.ts";

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

it("CRC-32 agrees with published check values (RFC 1952; the catalogue of parametrised CRCs)", () => {
  expect(crc32(ascii("123456789"))).toBe(0xcbf43926);
  expect(crc32(ascii("a"))).toBe(0xe8b7be43);
  expect(crc32(new Uint8Array(0))).toBe(0);
});

it("CRC-32C agrees with the published check values (RFC 3720, B.4)", () => {
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
