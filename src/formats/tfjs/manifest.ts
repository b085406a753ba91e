/**
 * Weights of a TF.js model: groups of binary files, each group cut into tensors in the order of the manifest
 * (tfjs-core/src/io/types.ts, tfjs-converter/python/tensorflowjs/quantization.py).
 */
import { byteLengthOf, type DType, type StringData, viewAs } from "../../base/dtype.ts";
import { FormatError, IoError, UnsupportedError } from "../../base/errors.ts";
import { widenFloat16 } from "../../base/float16.ts";
import { elementCount, formatShape, type Shape } from "../../base/shape.ts";
import type { FileTree } from "../../io/byte-source.ts";
import { readWhole } from "../../io/read-whole.ts";
import type { TensorRecord } from "../tensorflow/tensor-record.ts";

/** value = q · scale + min; float16 has neither. */
export interface WeightQuantization {
  readonly dtype: string;
  readonly scale?: number;
  readonly min?: number;
}

export interface WeightSpec {
  readonly name: string;
  readonly shape: Shape;
  readonly dtype: string;
  readonly quantization?: WeightQuantization;
  /** What an optimizer remembers takes room in the files and is no weight of the model. */
  readonly isOptimizerState: boolean;
}

export interface WeightGroup {
  readonly paths: readonly string[];
  readonly weights: readonly WeightSpec[];
}

/** Element types of weights that are stored as they are. */
const DTYPES: ReadonlyMap<string, DType> = new Map([
  ["float32", "float32"],
  ["int32", "int32"],
  ["bool", "bool"],
  ["uint8", "uint8"],
  ["uint16", "uint16"],
  ["float16", "float16"],
  ["complex64", "complex64"],
  ["string", "string"],
]);
/** Element types that quantized weights are stored in. */
const CODES: ReadonlySet<string> = new Set(["uint8", "uint16", "float16"]);

/**
 * Reads all weights.
 *
 * @throws {FormatError} when a path leads out of the folder, or sizes and files do not fit.
 * @throws {IoError} when a file is missing.
 */
export async function readManifest(
  tree: FileTree,
  groups: readonly WeightGroup[],
  where: string,
): Promise<Map<string, TensorRecord>> {
  refusePaths(groups, where);
  const weights = new Map<string, TensorRecord>();
  for (const { paths, weights: specs } of groups) {
    const bytes = await readGroup(tree, paths);
    let offset = 0;
    for (const spec of specs) {
      const place = `${where}, weight "${spec.name}"`;
      const { tensor, byteLength } = readWeight(spec, bytes.subarray(offset), place);
      offset += byteLength;
      if (spec.isOptimizerState) continue;
      if (weights.has(spec.name)) throw malformed(place, "a second weight of this name", "one");
      weights.set(spec.name, tensor);
    }
  }
  return weights;
}

/**
 * A model must not make us read files beside its folder, nor one file any number of times: of a small model that would
 * make any amount of weights.
 */
function refusePaths(groups: readonly WeightGroup[], where: string): void {
  const known = new Set<string>();
  for (const path of groups.flatMap(({ paths }) => paths)) {
    const isPlain =
      !/^[a-z]+:/i.test(path) &&
      !/[\\\0]/.test(path) &&
      path.split("/").every((part) => part !== "" && part !== "." && part !== "..");
    if (!isPlain) {
      throw malformed(where, `weights at "${path}"`, "a path inside the model's folder");
    }
    if (known.has(path)) throw malformed(where, `weights at "${path}" twice`, "each file once");
    known.add(path);
  }
}

async function readGroup(tree: FileTree, paths: readonly string[]): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (const path of paths) parts.push(await readShard(tree, path));
  const only = parts[0];
  if (parts.length === 1 && only !== undefined) return only;
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

async function readShard(tree: FileTree, path: string): Promise<Uint8Array> {
  const source = await tree.open(path);
  if (source === undefined) {
    throw new IoError({
      where: `${tree.name}/${path}`,
      found: "no such file",
      expected: "a file of weights that the model names",
      remedy: "Copy the model's folder whole",
      path,
    });
  }
  return readWhole(source);
}

/** Takes one weight from the front of the bytes that are left of its group. */
function readWeight(
  spec: WeightSpec,
  left: Uint8Array,
  where: string,
): { tensor: TensorRecord; byteLength: number } {
  const { shape, quantization } = spec;
  const dtype = typeOf(spec.dtype, where);
  const count = elementCount(shape);
  if (dtype === "string") {
    const { data, byteLength } = readStrings(count, left, where);
    return { tensor: { dtype, shape, data }, byteLength };
  }
  const stored = quantization === undefined ? dtype : codeType(quantization, where);
  const byteLength = byteLengthOf(stored, count);
  if (byteLength === undefined || !(byteLength <= left.length)) {
    throw malformed(
      where,
      `${formatShape(shape)} of ${stored}, ${byteLength} bytes`,
      `at most the ${left.length} that are left`,
    );
  }
  const bytes = left.subarray(0, byteLength);
  if (quantization === undefined) {
    return { tensor: { dtype, shape, data: viewAs(dtype, bytes) }, byteLength };
  }
  const codes = viewAs(stored, bytes) as Uint8Array | Uint16Array;
  return { tensor: { shape, ...restore(codes, dtype, quantization, where) }, byteLength };
}

function typeOf(name: string, where: string): DType {
  const dtype = DTYPES.get(name);
  if (dtype !== undefined) return dtype;
  throw new UnsupportedError({
    where,
    found: `type ${name}`,
    expected: [...DTYPES.keys()].join(", "),
    features: [`TF.js weights of type ${name}`],
  });
}

function codeType({ dtype }: WeightQuantization, where: string): DType {
  if (CODES.has(dtype)) return typeOf(dtype, where);
  throw new UnsupportedError({
    where,
    found: `weights quantized to ${dtype}`,
    expected: [...CODES].join(", "),
    features: [`TF.js weights quantized to ${dtype}`],
  });
}

/** Each string is its length (32 bits, little endian) and its bytes. */
function readStrings(
  count: number,
  left: Uint8Array,
  where: string,
): { data: StringData; byteLength: number } {
  const view = new DataView(left.buffer, left.byteOffset, left.byteLength);
  const short = (): FormatError =>
    malformed(where, `${count} strings`, `at most the ${left.length} bytes that are left`);
  if (!(count * 4 <= left.length)) throw short();
  const data: StringData = [];
  let offset = 0;
  for (let i = 0; i < count; i++) {
    if (offset + 4 > left.length) throw short();
    const end = offset + 4 + view.getUint32(offset, true);
    if (end > left.length) throw short();
    data.push(left.subarray(offset + 4, end));
    offset = end;
  }
  return { data, byteLength: offset };
}

/** value = code · scale + min, rounded where the weight is of integers; half floats are values already. */
function restore(
  codes: Uint8Array | Uint16Array,
  dtype: DType,
  { dtype: stored, scale, min }: WeightQuantization,
  where: string,
): Pick<TensorRecord, "dtype" | "data"> {
  if (stored === "float16" && dtype === "float32") {
    const data = new Float32Array(codes.length);
    widenFloat16(codes as Uint16Array, data);
    return { dtype, data };
  }
  if (scale === undefined || min === undefined || stored === "float16") {
    throw malformed(where, `${dtype} as ${stored}, scale ${scale}, min ${min}`, "both");
  }
  const real = (code: number): number => code * scale + min;
  if (dtype === "float32") return { dtype, data: Float32Array.from(codes, real) };
  if (dtype === "int32") {
    return { dtype, data: Int32Array.from(codes, (code) => Math.round(real(code))) };
  }
  throw malformed(where, `quantized weights of type ${dtype}`, "float32 or int32");
}

function malformed(where: string, found: string, expected: string): FormatError {
  return new FormatError({ format: "tfjs", where, found, expected });
}
