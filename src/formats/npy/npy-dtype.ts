/**
 * Element types as the .npy header spells them: byte order (`<` little, `>` big, `|` none), kind, bytes per element.
 * Strings have the length in the type: `|S5` is five bytes, `<U5` five code points of four bytes, both padded with zeros.
 * Structured, object, date and long double types are not read.
 */
import type { DType } from "../../base/dtype.ts";
import { FormatError, UnsupportedError } from "../../base/errors.ts";

/** How the elements of one array lie in the file. */
export interface NpyElement {
  readonly dtype: DType;
  /** Bytes per element in the file. */
  readonly itemBytes: number;
  /** Bytes that are swapped as one unit when the file is big endian: half an element for complex numbers. */
  readonly unitBytes: number;
  readonly bigEndian: boolean;
  /** `bytes`: zero-padded byte strings; `utf32`: zero-padded code points; `number`: everything else. */
  readonly storage: "number" | "bytes" | "utf32";
}

const DTYPE_BY_CODE: Readonly<Record<string, DType>> = {
  b1: "bool",
  i1: "int8",
  i2: "int16",
  i4: "int32",
  i8: "int64",
  u1: "uint8",
  u2: "uint16",
  u4: "uint32",
  u8: "uint64",
  f2: "float16",
  f4: "float32",
  f8: "float64",
  c8: "complex64",
  c16: "complex128",
};

const CODE_BY_DTYPE: ReadonlyMap<DType, string> = new Map(
  Object.entries(DTYPE_BY_CODE).map(([code, dtype]) => [dtype, code]),
);

const DESCRIPTION = /^([<>|=])?([a-zA-Z])(\d{1,9})$/;

/**
 * Reads a type description such as `<f4`. `=` and no byte order mean little endian.
 * @throws {FormatError} when it is no type description at all
 * @throws {UnsupportedError} for types that have no counterpart here
 */
export function parseNpyDescription(description: string, where: string): NpyElement {
  const match = DESCRIPTION.exec(description);
  if (match === null) {
    throw new FormatError({
      where,
      found: `element type '${description}'`,
      expected: "a type such as '<f4'",
      format: "npy",
    });
  }
  const [, order, kind = "", digits = ""] = match;
  const bigEndian = order === ">";
  const size = Number(digits);
  if (kind === "S" && size > 0) return stringElement("bytes", size, 1, false);
  if (kind === "U" && size > 0) return stringElement("utf32", size * 4, 4, bigEndian);
  const dtype = DTYPE_BY_CODE[kind + digits];
  if (dtype === undefined) {
    throw new UnsupportedError({
      where,
      found: `element type '${description}'`,
      expected: "booleans, integers, floats, complex numbers or strings",
      remedy: "Store the array with one of those types, for example array.astype('float32')",
      features: [`npy type ${description}`],
    });
  }
  const unitBytes = kind === "c" ? size / 2 : size;
  return { dtype, itemBytes: size, unitBytes, bigEndian, storage: "number" };
}

/** The description of a fixed-size type, little endian; undefined where .npy has none (bfloat16, packed integers, string). */
export function npyDescription(dtype: DType): string | undefined {
  const code = CODE_BY_DTYPE.get(dtype);
  if (code === undefined) return undefined;
  return code.endsWith("1") ? `|${code}` : `<${code}`;
}

function stringElement(
  storage: "bytes" | "utf32",
  itemBytes: number,
  unitBytes: number,
  bigEndian: boolean,
): NpyElement {
  return { dtype: "string", itemBytes, unitBytes, bigEndian, storage };
}
