/**
 * Writing FlexBuffers: what options of custom operators need, laid out as Google's builder does (flexbuffers.h), so that
 * equal options are equal bytes. Children stand before what holds them, offsets point backward, and every vector takes
 * the narrowest width that serves all of its elements.
 */

/** A whole number, a float, and what holds them. Lists are typed vectors: their elements are of one kind. */
export type FlexItem =
  | { readonly kind: "int"; readonly value: number }
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "bool"; readonly value: boolean }
  | { readonly kind: "string"; readonly value: string | Uint8Array }
  | { readonly kind: "list"; readonly value: readonly FlexItem[] }
  | { readonly kind: "tuple"; readonly value: readonly FlexItem[] };

/** Type numbers of the format. */
const TYPE = { INT: 1, FLOAT: 3, KEY: 4, STRING: 5, MAP: 9, VECTOR: 10, BOOL: 26 } as const;
const VECTOR_INT = 11;
const VECTOR_BOOL = 36;

/** A written value: a number in its slot, or the place of one that stands before. */
interface Stored {
  readonly type: number;
  /** Bytes that the number, or the elements behind the offset, need: 1, 2, 4 or 8. */
  readonly width: number;
  readonly isInline: boolean;
  readonly value: number;
}

/** A map from names to values, written in the order of the names' bytes. */
export function encodeFlexMap(entries: ReadonlyMap<string, FlexItem>): Uint8Array {
  const writer = new FlexWriter();
  return writer.finish(writer.map(entries));
}

/** A vector whose elements may be of different kinds. */
export function encodeFlexVector(items: readonly FlexItem[]): Uint8Array {
  const writer = new FlexWriter();
  return writer.finish(writer.item({ kind: "tuple", value: items }));
}

class FlexWriter {
  readonly #bytes: number[] = [];

  finish(root: Stored): Uint8Array {
    const width = this.#slotWidth(root, 0);
    this.#align(width);
    this.#slot(root, width);
    this.#bytes.push(packed(root, 1), width);
    return Uint8Array.from(this.#bytes);
  }

  map(entries: ReadonlyMap<string, FlexItem>): Stored {
    const sorted = [...entries].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    const keys: Stored[] = [];
    const values: Stored[] = [];
    for (const [name, item] of sorted) {
      keys.push({ type: TYPE.KEY, width: 1, isInline: false, value: this.#bytes.length });
      this.#bytes.push(...new TextEncoder().encode(name), 0);
      values.push(this.item(item));
    }
    const keyVector = this.#vector(keys, VECTOR_INT + TYPE.KEY - TYPE.INT);
    return this.#vector(values, TYPE.MAP, keyVector);
  }

  item(item: FlexItem): Stored {
    switch (item.kind) {
      case "int":
        return inline(TYPE.INT, signedWidth(item.value), item.value);
      case "bool":
        return inline(TYPE.BOOL, 1, item.value ? 1 : 0);
      case "float":
        return inline(TYPE.FLOAT, Math.fround(item.value) === item.value ? 4 : 8, item.value);
      case "string":
        return this.#string(item.value);
      case "list": {
        const elements = item.value.map((each) => this.item(each));
        return this.#vector(elements, typedVector(elements[0]?.type ?? TYPE.INT));
      }
      case "tuple":
        return this.#vector(
          item.value.map((each) => this.item(each)),
          TYPE.VECTOR,
        );
    }
  }

  #string(text: string | Uint8Array): Stored {
    const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
    const width = unsignedWidth(bytes.length);
    this.#align(width);
    this.#number(bytes.length, width);
    const value = this.#bytes.length;
    for (const byte of bytes) this.#bytes.push(byte);
    this.#bytes.push(0);
    return { type: TYPE.STRING, width, isInline: false, value };
  }

  /** Length, elements, and for vectors of any kinds their types. A map has its keys' place and width in front. */
  #vector(elements: readonly Stored[], type: number, keys?: Stored): Stored {
    const prefix = keys === undefined ? 1 : 3;
    const width = Math.max(
      unsignedWidth(elements.length),
      keys === undefined ? 1 : this.#slotWidth(keys, 0),
      ...elements.map((element, i) => this.#slotWidth(element, i + prefix)),
    );
    this.#align(width);
    if (keys !== undefined) {
      this.#slot(keys, width);
      this.#number(keys.width, width);
    }
    this.#number(elements.length, width);
    const value = this.#bytes.length;
    for (const element of elements) this.#slot(element, width);
    if (type === TYPE.VECTOR || type === TYPE.MAP) {
      for (const element of elements) this.#bytes.push(packed(element, width));
    }
    return { type, width, isInline: false, value };
  }

  /** Width of a slot, `index` slots after the present end, that holds the value or reaches it. */
  #slotWidth({ isInline, width, value }: Stored, index: number): number {
    if (isInline) return width;
    for (const candidate of [1, 2, 4]) {
      const start = Math.ceil(this.#bytes.length / candidate) * candidate;
      if (unsignedWidth(start + index * candidate - value) <= candidate) return candidate;
    }
    return 8;
  }

  #slot({ isInline, type, value }: Stored, width: number): void {
    if (!isInline) this.#number(this.#bytes.length - value, width);
    else if (type === TYPE.FLOAT) this.#float(value, width);
    else this.#number(value, width);
  }

  #number(value: number, width: number): void {
    const integer = BigInt(value);
    for (let i = 0; i < width; i++) {
      this.#bytes.push(Number(BigInt.asUintN(8, integer >> BigInt(8 * i))));
    }
  }

  #float(value: number, width: number): void {
    const view = new DataView(new ArrayBuffer(width));
    if (width === 4) view.setFloat32(0, value, true);
    else view.setFloat64(0, value, true);
    this.#bytes.push(...new Uint8Array(view.buffer));
  }

  #align(width: number): void {
    while (this.#bytes.length % width !== 0) this.#bytes.push(0);
  }
}

const inline = (type: number, width: number, value: number): Stored => ({
  type,
  width,
  isInline: true,
  value,
});

function typedVector(element: number): number {
  return element === TYPE.BOOL ? VECTOR_BOOL : VECTOR_INT + element - TYPE.INT;
}

function unsignedWidth(value: number): number {
  if (value < 0x100) return 1;
  if (value < 0x1_0000) return 2;
  return value < 0x1_0000_0000 ? 4 : 8;
}

function signedWidth(value: number): number {
  return unsignedWidth(2 * (value < 0 ? -value - 1 : value));
}

/** Type and width in one byte: numbers in a slot take the slot's width. */
function packed({ type, width, isInline }: Stored, slot: number): number {
  return (type << 2) | Math.log2(isInline ? Math.max(width, slot) : width);
}
