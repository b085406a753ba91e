/** Sizes that a file may name are refused before anything is allocated. */
import { expect, it } from "vitest";
import { LimitError } from "../base/errors.ts";
import { allocateData } from "./tensor-data.ts";

it("refuses more strings than an engine's heap holds", () => {
  expect(() => allocateData("tensor", "string", [2 ** 25])).toThrow(LimitError);
  expect(allocateData("tensor", "string", [3])).toHaveLength(3);
});
