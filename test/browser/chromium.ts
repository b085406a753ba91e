/**
 * Chromium for tests: the one that is installed, driven by playwright-core. Suites that need it are skipped, and named
 * as skipped, where there is none; with OCTAVO_REQUIRE_CHROMIUM set they fail there instead.
 */
import { existsSync } from "node:fs";
import { type Browser, chromium, type Page } from "playwright-core";
import { describe, test } from "vitest";
import type { Served } from "./page-server.ts";

const CANDIDATES = [
  process.env["CHROMIUM"] ?? "",
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/** Nothing that needs a graphics card, a user or the network beyond this machine. */
const FLAGS = [
  ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
  ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
];

const executable = CANDIDATES.find((path) => path !== "" && existsSync(path));
const isRequired = process.env["OCTAVO_REQUIRE_CHROMIUM"] !== undefined;

/** Like `describe`, but skipped, and named as skipped, where there is no Chromium. */
export function describeInChromium(title: string, define: () => void): void {
  if (executable !== undefined || isRequired) describe(title, define);
  else describe.skip(title, () => test.todo("needs Chromium: install it, or name it in CHROMIUM"));
}

/** Starts the browser; the caller closes it. */
export function launchChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: executable ?? "/usr/bin/chromium", args: FLAGS });
}

/** What a page computes with: to be compared to the bit with a Node without relaxed SIMD it must do without as well. */
export type Engine = "as it is" | "without relaxed SIMD";

/** Opens the test page of a server, ready for calls. */
export async function openPage(
  browser: Browser,
  served: Served,
  engine: Engine = "as it is",
): Promise<Page> {
  const page = await browser.newPage();
  if (engine === "without relaxed SIMD") await page.addInitScript(refuseRelaxedSimd);
  await page.goto(`${served.origin}/index.html`);
  await page.waitForFunction(() => "octavoTest" in globalThis);
  return page;
}

/** Runs in the page: its engine then answers `validate` as one without `f32x4.relaxed_madd` (0xfd 0x105) does. */
function refuseRelaxedSimd(): void {
  const validate = WebAssembly.validate.bind(WebAssembly);
  WebAssembly.validate = (source) => {
    const bytes = new Uint8Array(source instanceof ArrayBuffer ? source : source.buffer);
    const usesIt = bytes.some((byte, at) => {
      return byte === 0xfd && bytes[at + 1] === 0x85 && bytes[at + 2] === 0x02;
    });
    return !usesIt && validate(source);
  };
}
