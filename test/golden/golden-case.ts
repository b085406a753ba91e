/** Reading a reference case: its description, its arrays, and how far outputs are from those that are expected. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import type { TensorData } from "../../src/base/dtype.ts";
import type { Shape } from "../../src/base/shape.ts";
import { type NpyArray, parseNpy } from "../../src/formats/npy/npy.ts";
import { hasShared, sharedPath } from "../shared.ts";

export interface ArrayFile {
  readonly name: string;
  readonly dtype: string;
  readonly shape: Shape;
  readonly file: string;
}

interface Variant {
  readonly mode: string;
  readonly path: string;
  readonly bytes: number;
}

export interface GoldenCase {
  readonly name: string;
  readonly folder: string;
  readonly source: { readonly kind: string; readonly path: string };
  readonly variants: readonly Variant[];
  /** One list per step; one step for cases that run once. */
  readonly steps: readonly (readonly ArrayFile[])[];
  /** TensorFlow's own outputs, one list per step. */
  readonly expected: readonly (readonly ArrayFile[])[];
}

/** Names of a family's cases; none where the outside material is missing. */
export function caseNames(family: string): string[] {
  if (!hasShared) return [];
  const folder = sharedPath("goldens", family);
  return readdirSync(folder)
    .filter((name) => existsSync(`${folder}/${name}/case.json`))
    .sort();
}

export function readCase(family: string, name: string): GoldenCase {
  const folder = sharedPath("goldens", family, name);
  const json = JSON.parse(readFileSync(`${folder}/case.json`, "utf8")) as {
    source: GoldenCase["source"];
    variants: Variant[];
    inputs: ArrayFile[] | ArrayFile[][];
    outputs: { tf?: { tf?: ArrayFile[] | ArrayFile[][] } };
  };
  return {
    name,
    folder,
    source: json.source,
    variants: json.variants,
    steps: asSteps(json.inputs),
    expected: asSteps(json.outputs.tf?.tf ?? []),
  };
}

function asSteps(list: ArrayFile[] | ArrayFile[][]): ArrayFile[][] {
  return Array.isArray(list[0]) ? (list as ArrayFile[][]) : [list as ArrayFile[]];
}

export function loadArray({ folder }: GoldenCase, { file }: ArrayFile): NpyArray {
  return parseNpy(new Uint8Array(readFileSync(`${folder}/${file}`)), file);
}

/**
 * Largest difference divided by the largest finite expected value. Integers and truth values must be equal: 1 if not.
 * NaN equals NaN, an infinity itself.
 */
export function relativeError(expected: TensorData, actual: TensorData): number {
  if (expected.length !== actual.length) return Number.POSITIVE_INFINITY;
  const isFloat = expected instanceof Float32Array || expected instanceof Float64Array;
  let largest = 0;
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    const [x, y] = [Number(expected[i]), Number(actual[i])];
    if (Number.isFinite(x)) largest = Math.max(largest, Math.abs(x));
    if (x === y || (Number.isNaN(x) && Number.isNaN(y))) continue;
    const difference = Math.abs(x - y);
    worst = Math.max(worst, Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference);
  }
  if (worst === 0) return 0;
  return isFloat ? worst / Math.max(largest, 1e-30) : 1;
}
