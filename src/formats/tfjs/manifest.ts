/**
 * Weights of a TF.js model: groups of binary files, each group cut into tensors in the order of the manifest
 * (tfjs-core/src/io/types.ts, tfjs-converter/python/tensorflowjs/quantization.py).
 */
import { allocate, byteLengthOf, bytesOf, type DType, viewAs } from "../../base/dtype.ts";
import { FormatError, IoError, UnsupportedError } from "../../base/errors.ts";
import { widenFloat16 } from "../../base/float16.ts";
import { elementCount, type Shape } from "../../base/shape.ts";
import type { FileTree } from "../../io/byte-source.ts";
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
}

export interface WeightGroup {
  readonly paths: readonly string[];
  readonly weights: readonly WeightSpec[];
}

const DTYPES: ReadonlyMap<string, DType> = new Map([
  ["float32", "float32"],
  ["int32", "int32"],
  ["bool", "bool"],
  ["uint8", "uint8"],
  ["uint16", "uint16"],
  ["float16", "float16"],
  ["complex64", "complex64"],
]);

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
  const weights = new Map<string, TensorRecord>();
  for (const { paths, weights: specs } of groups) {
    const bytes = await readGroup(tree, paths, where);
    let offset = 0;
    for (const spec of specs) {
      const place = `${where}, weight "${spec.name}"`;
      const dtype = toStored(spec.quantization?.dtype ?? spec.dtype, place);
      const length = byteLengthOf(dtype, elementCount(spec.shape)) ?? 0;
      if (!Number.isSafeInteger(length) || length > bytes.length - offset) {
        throw malformed(
          place,
          `${length} bytes`,
          `at most the ${bytes.length - offset} that are left`,
        );
      }
      weights.set(spec.name, decode(spec, dtype, bytes.subarray(offset, offset + length), place));
      offset += length;
    }
  }
  return weights;
}

async function readGroup(
  tree: FileTree,
  paths: readonly string[],
  where: string,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (const path of paths) {
    refuseTraversal(path, where);
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
    try {
      parts.push(await source.read(0, source.byteLength));
    } finally {
      await source.close?.();
    }
  }
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

/** A model must not make us read files beside its folder. */
function refuseTraversal(path: string, where: string): void {
  const isPlain =
    !/^[a-z]+:/i.test(path) &&
    !path.includes("\\") &&
    path.split("/").every((part) => part !== "" && part !== "." && part !== "..");
  if (!isPlain) throw malformed(where, `weights at "${path}"`, "a path inside the model's folder");
}

function toStored(name: string, where: string): DType {
  const dtype = DTYPES.get(name);
  if (dtype !== undefined) return dtype;
  throw new UnsupportedError({
    where,
    found: `type ${name}`,
    expected: [...DTYPES.keys()].join(", "),
    features: [`TF.js weights of type ${name}`],
  });
}

function decode(spec: WeightSpec, stored: DType, bytes: Uint8Array, where: string): TensorRecord {
  const { shape, quantization } = spec;
  const data = viewAs(stored, bytes);
  if (quantization === undefined) return { dtype: stored, shape, data };
  const dtype = toStored(spec.dtype, where);
  const result = allocate(dtype, elementCount(shape));
  if (stored === "float16") {
    widenFloat16(data as Uint16Array, result as Float32Array);
    return { dtype, shape, data: result };
  }
  const { scale, min } = quantization;
  if (scale === undefined || min === undefined)
    throw malformed(where, "no scale or no min", "both");
  const isInteger = dtype !== "float32";
  for (let i = 0; i < data.length; i++) {
    const value = Number(data[i]) * scale + min;
    result[i] = isInteger ? Math.round(value) : value;
  }
  return { dtype, shape, data: viewAs(dtype, bytesOf(result)) };
}

function malformed(where: string, found: string, expected: string): FormatError {
  return new FormatError({ format: "tfjs", where, found, expected });
}
