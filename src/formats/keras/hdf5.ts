/**
 * HDF5 files, as far as Keras uses them: groups, attributes that are strings or lists of strings, numeric datasets. The
 * HDF5 library itself, compiled to WebAssembly (h5wasm), is loaded when the first file is opened; it sees the file in a
 * memory of its own, so that damage cannot reach ours.
 */
import type { DType, TypedArray } from "../../base/dtype.ts";
import { FormatError, LimitError, UnsupportedError } from "../../base/errors.ts";
import { elementCount } from "../../base/shape.ts";
import { verifyGlobalHeaps } from "./hdf5-heaps.ts";

/** Numbers in a file. Half floats come as float32. */
export interface Hdf5Dataset {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: TypedArray;
}

/** An open file. Paths have "/" between names; names may hold "/" themselves, which means nested groups. */
export interface Hdf5File {
  /** Names in a group; empty when there is no such group. */
  keys(group: string): string[];
  /** A string attribute; undefined when there is none. */
  text(path: string, attribute: string): string | undefined;
  /** A list of strings; undefined when there is none. An empty list may have any type. */
  texts(path: string, attribute: string): string[] | undefined;
  /** @throws {FormatError} when there is no such dataset or it cannot be read. */
  dataset(path: string): Hdf5Dataset;
  close(): void;
}

/** Most bytes that a compressed dataset may unfold to for each byte of the file. Weights compress badly. */
const MAX_EXPANSION = 64;

const DTYPES = new Map<string, DType>([
  ["Float32Array", "float32"],
  ["Float64Array", "float64"],
  ["Int8Array", "int8"],
  ["Uint8Array", "uint8"],
  ["Int16Array", "int16"],
  ["Uint16Array", "uint16"],
  ["Int32Array", "int32"],
  ["Uint32Array", "uint32"],
  ["BigInt64Array", "int64"],
  ["BigUint64Array", "uint64"],
]);

/** @throws {FormatError} when the bytes are no HDF5 file. */
export async function openHdf5(bytes: Uint8Array, where: string): Promise<Hdf5File> {
  verifyGlobalHeaps(bytes, where);
  const library = await import("h5wasm");
  const module = await library.ready;
  const { FS } = module;
  const path = freeName((name) => FS.analyzePath(name, true).exists);
  const guarded = <T>(what: string, read: () => T): T => {
    try {
      return read();
    } catch (cause) {
      if (cause instanceof FormatError || cause instanceof LimitError) throw cause;
      throw damaged(where, what, cause);
    }
  };
  const file = guarded("the file", () => {
    // Else it prints what is wrong and goes on.
    module.activate_throwing_error_handler();
    // Read only, so that the bytes need no copy.
    FS.createDataFile("/", path, bytes, true, false, true);
    try {
      const opened = new library.File(path, "r");
      if (opened.file_id < 0n) throw new Error("not an HDF5 file");
      return opened;
    } catch (error) {
      FS.unlink(path);
      throw error;
    }
  });
  const attributeOf = (object: string, name: string): unknown =>
    guarded(`attribute "${name}" of "${object}"`, () => {
      const entity = object === "" ? file : file.get(object);
      if (entity === null || !("attrs" in entity)) return undefined;
      const attribute = Object.hasOwn(entity.attrs, name) ? entity.attrs[name] : undefined;
      return attribute?.value ?? undefined;
    });
  return {
    keys: (group) =>
      guarded(`group "${group}"`, () => {
        const entity = group === "" ? file : file.get(group);
        return entity instanceof library.Group ? entity.keys() : [];
      }),
    text(object, name) {
      const value = attributeOf(object, name);
      return typeof value === "string" ? trimNul(value) : undefined;
    },
    texts(object, name) {
      const value = attributeOf(object, name);
      if (value === undefined) return undefined;
      if (ArrayBuffer.isView(value)) return [];
      return [value].flat().map((item) => trimNul(String(item)));
    },
    dataset: (object) =>
      guarded(`dataset "${object}"`, () => {
        const entity = file.get(object);
        if (!(entity instanceof library.Dataset)) throw new Error("no such dataset");
        const { size, chunks } = entity.metadata;
        const shape = entity.shape ?? [];
        refuseOversize(
          elementCount(shape) * size,
          chunks !== null,
          bytes.length,
          `${where}, ${object}`,
        );
        return toDataset(entity.value, shape, `${where}, ${object}`);
      }),
    close: () =>
      guarded("the file", () => {
        FS.unlink(path);
        file.close();
      }),
  };
}

/** The library's memory file system belongs to the whole process: two files must not have one name. */
function freeName(exists: (name: string) => boolean): string {
  for (let i = 0; ; i++) {
    const name = `model-${i}.h5`;
    if (!exists(name)) return name;
  }
}

function toDataset(value: unknown, shape: readonly number[], where: string): Hdf5Dataset {
  // A scalar comes as a number.
  const data = typeof value === "number" ? Float32Array.of(value) : value;
  const dtype = ArrayBuffer.isView(data) ? DTYPES.get(data.constructor.name) : undefined;
  if (dtype === undefined) {
    throw new UnsupportedError({
      where,
      found: "a dataset that does not hold numbers",
      expected: "floats or integers",
      features: ["HDF5 datasets of this type"],
    });
  }
  return { dtype, shape, data: data as TypedArray };
}

function refuseOversize(
  wanted: number,
  compressed: boolean,
  fileLength: number,
  where: string,
): void {
  const max = compressed ? fileLength * MAX_EXPANSION : fileLength;
  if (wanted <= max) return;
  throw new LimitError({
    where,
    found: `a dataset of ${wanted} bytes in a file of ${fileLength}`,
    expected: `at most ${max}`,
    limit: "dataset size",
    value: wanted,
    max,
  });
}

/** Fixed-length strings are padded with NULs. */
function trimNul(text: string): string {
  const end = text.indexOf("\0");
  return end < 0 ? text : text.slice(0, end);
}

/** The library reports a stack of calls; the innermost says what is wrong. */
function reasonOf(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  const reasons = [...text.matchAll(/in \w+\(\): (.+)/g)];
  return reasons.at(-1)?.[1] ?? text;
}

/** Some damage breaks the library itself; what it says of other files after that means nothing. */
function damaged(where: string, what: string, cause: unknown): FormatError {
  const isBroken = cause instanceof Error && cause.name === "RuntimeError";
  return new FormatError({
    format: "hdf5",
    where: `${where}, ${what}`,
    found: isBroken ? `the HDF5 library broke down (${cause.message})` : reasonOf(cause),
    expected: "a whole HDF5 file of Keras",
    remedy: isBroken
      ? "Start a new process for other files, and copy or save this model again"
      : "Copy or save the model again",
    cause,
  });
}
