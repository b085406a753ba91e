/**
 * Access to the outside material (official results, real models, labelled data) that lies beside a checkout. It is not
 * part of the project: suites that need it run where it is there and say so where it is not.
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, test } from "vitest";

const root = fileURLToPath(new URL("../../shared/", import.meta.url));

/** Whether the outside material is there. */
export const hasShared = existsSync(`${root}goldens`);

/** A path in the outside material: `sharedPath("models", "imagenet")`. */
export function sharedPath(...parts: string[]): string {
  return `${root}${parts.join("/")}`;
}

/** Like `describe`, but the whole suite is skipped, and named as skipped, where the outside material is missing. */
export function describeWithShared(title: string, define: () => void): void {
  if (hasShared) describe(title, define);
  else describe.skip(title, () => test.todo("needs ../shared beside the project"));
}
