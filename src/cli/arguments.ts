/**
 * Readers for the values of options. Each throws commander's InvalidArgumentError, which names the option and ends the
 * process with the exit code for wrong usage.
 */
import { InvalidArgumentError } from "commander";
import { UsageError } from "../base/errors.ts";
import type { Shape } from "../base/shape.ts";

/** The value of an option that may be repeated, with or without a name before it. */
export interface Named<T> {
  readonly name: string | undefined;
  readonly value: T;
}

/** Reads a whole number of at least `min`. */
export function wholeNumber(min: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < min) {
      throw new InvalidArgumentError(`Expected a whole number of at least ${min}.`);
    }
    return value;
  };
}

/** Reads a comma-separated list of names. */
export function nameList(text: string): string[] {
  const names = text.split(",").map((name) => name.trim());
  if (names.includes("")) throw new InvalidArgumentError("Expected names separated by commas.");
  return names;
}

/** Reads one `[NAME=]1,224,224,3` and appends it. Nothing after the `=` is the shape of a scalar. */
export function inputShape(text: string, earlier: readonly Named<Shape>[] = []): Named<Shape>[] {
  const split = text.lastIndexOf("=");
  const list = text.slice(split + 1);
  const shape = list === "" ? [] : list.split(",").map(dimension);
  return [...earlier, { name: split < 0 ? undefined : nonEmptyName(text, split), value: shape }];
}

function dimension(text: string): number {
  const size = text.trim();
  if (!/^\d+$/.test(size) || Number(size) > 0x7fff_ffff) {
    throw new InvalidArgumentError(
      `Expected sizes such as 1,224,224,3, with or without NAME= before them; "${text}" is no size.`,
    );
  }
  return Number(size);
}

/** Reads one `[NAME=]FILE` and appends it. */
export function namedFile(text: string, earlier: readonly Named<string>[] = []): Named<string>[] {
  const split = text.indexOf("=");
  const value = text.slice(split + 1);
  if (value === "") throw new InvalidArgumentError("Expected a file, or NAME=FILE.");
  return [...earlier, { name: split < 0 ? undefined : nonEmptyName(text, split), value }];
}

function nonEmptyName(text: string, split: number): string {
  if (split === 0) throw new InvalidArgumentError("Expected a name before the =.");
  return text.slice(0, split);
}

/**
 * Checks the values of a repeated option together.
 * @throws UsageError when some have names and some have not, or a name comes twice.
 */
export function checkNames(option: string, values: readonly Named<unknown>[]): void {
  const names = values.flatMap(({ name }) => (name === undefined ? [] : [name]));
  if (names.length > 0 && names.length < values.length) {
    throw new UsageError({
      where: option,
      found: "some values with a name and some without",
      expected: "a name for each or for none",
      option,
    });
  }
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) {
    throw new UsageError({
      where: option,
      found: `two values for "${twice}"`,
      expected: "one",
      option,
    });
  }
}
