/** Reads a JSON document field by field; every complaint names the place in the document. */
import { FormatError } from "../../base/errors.ts";

export type JsonObject = Readonly<Record<string, unknown>>;

export class JsonReader {
  readonly #where: string;
  readonly #fields: JsonObject;

  /** @throws {FormatError} unless `value` is an object with no other fields than `known` */
  constructor(value: unknown, where: string, known: readonly string[]) {
    this.#where = where;
    this.#fields = checkFields(value, where, known);
  }

  has(name: string): boolean {
    return this.#fields[name] !== undefined && this.#fields[name] !== null;
  }

  /** The raw value, with its place for further reading. */
  value(name: string): { value: unknown; where: string } {
    return { value: this.#fields[name], where: this.place(name) };
  }

  place(name: string): string {
    return `${this.#where}, "${name}"`;
  }

  text(name: string): string {
    const value = this.#fields[name];
    if (typeof value !== "string") throw badJson(this.place(name), describeJson(value), "a string");
    return value;
  }

  /** One of the given strings. */
  choice<T extends string>(name: string, choices: readonly T[]): T {
    const text = this.text(name);
    const found = choices.find((choice) => choice === text);
    if (found === undefined) {
      throw badJson(this.place(name), `"${text}"`, `one of ${choices.join(", ")}`);
    }
    return found;
  }

  flag(name: string, standard: boolean): boolean {
    if (!this.has(name)) return standard;
    const value = this.#fields[name];
    if (typeof value !== "boolean") {
      throw badJson(this.place(name), describeJson(value), "true or false");
    }
    return value;
  }

  /** A whole number of at least 0. */
  count(name: string, standard?: number): number {
    if (!this.has(name) && standard !== undefined) return standard;
    const value = this.#fields[name];
    if (typeof value !== "number" || !Number.isInteger(value) || value < 0) {
      throw badJson(this.place(name), describeJson(value), "a whole number");
    }
    return value;
  }
}

/** @throws {FormatError} unless `value` is an object with no other fields than `known` */
export function checkFields(value: unknown, where: string, known: readonly string[]): JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw badJson(where, describeJson(value), "an object");
  }
  const unknown = Object.keys(value).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    const expected = known.length === 0 ? "none" : `one of ${known.join(", ")}`;
    throw badJson(where, `the unknown field "${unknown}"`, expected);
  }
  return value as JsonObject;
}

export function badJson(where: string, found: string, expected: string): FormatError {
  return new FormatError({ where, found, expected, format: "recipe" });
}

/** Names a JSON value for a message. */
export function describeJson(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  return Array.isArray(value) ? "an array" : "an object";
}
