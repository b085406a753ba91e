/** Reading the JSON configuration of a Keras model: the value of the kind that is wanted, or an error with its place. */
import { FormatError, LimitError } from "../../base/errors.ts";

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

/** Values inside values; models inside models take about six levels each. Readers follow them by recursion. */
const MAX_DEPTH = 200;

/** @throws {FormatError} when the text is not JSON; {LimitError} when it is nested too deep. */
export function parseJson(text: string, where: string): Json {
  refuseDepth(text, where);
  try {
    return JSON.parse(withoutPythonNumbers(text)) as Json;
  } catch (cause) {
    throw new FormatError({
      format: "keras",
      where,
      found: cause instanceof Error ? cause.message : String(cause),
      expected: "JSON",
      remedy: "Copy or save the model again",
      cause,
    });
  }
}

/** Python writes infinity and NaN, which JSON has not: a number too large to be finite, and null. */
function withoutPythonNumbers(text: string): string {
  if (!/Infinity|NaN/.test(text)) return text;
  return text.replace(/"(?:[^"\\]|\\.)*"|Infinity|NaN/g, (found) =>
    found === "Infinity" ? "1e999" : found === "NaN" ? "null" : found,
  );
}

function refuseDepth(text: string, where: string): void {
  let depth = 0;
  let isText = false;
  for (let i = 0; i < text.length && depth <= MAX_DEPTH; i++) {
    const char = text[i];
    if (isText && char === "\\") i++;
    else if (char === '"') isText = !isText;
    else if (isText) continue;
    else if (char === "[" || char === "{") depth++;
    else if (char === "]" || char === "}") depth--;
  }
  if (depth <= MAX_DEPTH) return;
  throw new LimitError({
    where,
    found: `JSON nested more than ${MAX_DEPTH} deep`,
    expected: "the description of a model",
    limit: "nested values",
    value: depth,
    max: MAX_DEPTH,
  });
}

/** The version of models that TF.js itself has saved, whose defaults are those of Keras 1. */
export const TFJS_VERSION = 1;

/** Major + minor / 100: 3.1 for "3.10.0". What does not say is of Keras 2. */
export function kerasVersionOf(version: Json | undefined): number {
  const [, major, minor] = /^(\d+)(?:\.(\d{1,2}))?/.exec(String(version ?? "")) ?? [];
  return major === undefined ? 2 : Number(major) + Number(minor ?? 0) / 100;
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** An object of the configuration, and where it is. */
export class Config {
  readonly where: string;
  readonly #values: JsonObject;

  constructor(values: Json | undefined, where: string) {
    this.where = where;
    if (!isObject(values)) throw this.wrong(describe(values), "an object");
    this.#values = values;
  }

  get(name: string): Json | undefined {
    const value = Object.hasOwn(this.#values, name) ? this.#values[name] : undefined;
    return value === null ? undefined : value;
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  /** Whether the object says that there is no such value, which is more than not to speak of it. */
  isNull(name: string): boolean {
    return Object.hasOwn(this.#values, name) && this.#values[name] === null;
  }

  object(name: string): Config {
    return new Config(this.get(name), `${this.where}, ${name}`);
  }

  list(name: string): readonly Json[] {
    const value = this.get(name);
    if (Array.isArray(value)) return value;
    throw this.wrong(`${name} ${describe(value)}`, "a list");
  }

  text(name: string, fallback?: string): string {
    const value = this.get(name) ?? fallback;
    if (typeof value === "string") return value;
    throw this.wrong(`${name} ${describe(value)}`, "a string");
  }

  number(name: string, fallback?: number): number {
    const value = this.get(name) ?? fallback;
    if (typeof value === "number") return value;
    throw this.wrong(`${name} ${describe(value)}`, "a number");
  }

  /** A whole number from 0 to 2^31. */
  count(name: string, fallback?: number): number {
    const value = this.number(name, fallback);
    if (Number.isInteger(value) && value >= 0 && value < 2 ** 31) return value;
    throw this.wrong(`${name} ${value}`, "a count");
  }

  flag(name: string, fallback: boolean): boolean {
    const value = this.get(name) ?? fallback;
    if (typeof value === "boolean") return value;
    throw this.wrong(`${name} ${describe(value)}`, "true or false");
  }

  /** Whole numbers: a list of `rank`, or one that stands for all of them. */
  sizes(name: string, rank: number, fallback?: number): number[] {
    const value = this.get(name) ?? fallback;
    const list = Array.isArray(value) ? value : new Array<Json | undefined>(rank).fill(value);
    if (list.length === rank && list.every((item) => Number.isInteger(item)))
      return list as number[];
    throw this.wrong(`${name} ${describe(value)}`, `${rank} whole numbers`);
  }

  /** The same object with other values in place of some of its own. */
  with(values: JsonObject): Config {
    return new Config({ ...this.#values, ...values }, this.where);
  }

  wrong(found: string, expected: string): FormatError {
    return new FormatError({ format: "keras", where: this.where, found, expected });
  }
}

/** A value as messages show it. */
export function describe(value: Json | undefined): string {
  if (value === undefined || value === null) return "nothing";
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
