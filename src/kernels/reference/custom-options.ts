/** Options of custom operators: a FlexBuffers map, or a C structure of 32-bit integers. */
import {
  type FlexMap,
  type FlexValue,
  parseFlexbuffer,
} from "../../formats/flexbuffer/flexbuffer.ts";
import type { KernelNode } from "../kernel.ts";
import { unsupported } from "../require.ts";

/** Named options as numbers. */
export class OptionMap {
  readonly #node: KernelNode;
  readonly #map: FlexMap;

  /** @throws {UnsupportedError} when the operator has no map of options. */
  constructor(node: KernelNode) {
    this.#node = node;
    const root: FlexValue = node.customOptions
      ? parseFlexbuffer(node.customOptions, `${node.where} options`)
      : null;
    if (!(root instanceof Map)) throw unsupported(node, "without a map of options");
    this.#map = root;
  }

  /** A number or truth value; `fallback` where the option is absent, which is an error where there is none. */
  number(key: string, fallback?: number): number {
    const value = this.#map.get(key) ?? fallback;
    if (typeof value === "number") return value;
    if (typeof value === "boolean") return value ? 1 : 0;
    throw unsupported(this.#node, `with option ${key} that is no number`);
  }

  /** A list of numbers. */
  numbers(key: string): number[] {
    const value = this.#map.get(key);
    if (Array.isArray(value)) {
      return value.map((entry: FlexValue) => {
        if (typeof entry === "number") return entry;
        throw unsupported(this.#node, `with option ${key} that is no list of numbers`);
      });
    }
    throw unsupported(this.#node, `with option ${key} that is no list of numbers`);
  }
}

/** The first `count` int32 of options that are a C structure. */
export function integerOptions(node: KernelNode, count: number): number[] {
  const bytes = node.customOptions ?? new Uint8Array(0);
  if (bytes.length < 4 * count) throw unsupported(node, `with ${bytes.length} bytes of options`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: count }, (_, i) => view.getInt32(4 * i, true));
}
