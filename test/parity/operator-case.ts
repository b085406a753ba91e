/**
 * Runs recorded single-operator cases through the reference kernels. A case file (gzipped JSON, made by
 * scripts/fixtures/operators) holds operators with their operands and what TensorFlow Lite 2.21 answered, or the error
 * that it raised.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import {
  allocate,
  bytesOf,
  type DType,
  type StringData,
  type TensorData,
  type TypedArray,
  viewAs,
} from "../../src/base/dtype.ts";
import { LimitError } from "../../src/base/errors.ts";
import { elementCount, type Shape } from "../../src/base/shape.ts";
import { defaultsOf } from "../../src/formats/tflite/options.ts";
import type { BuiltinOptions, BuiltinOptions2 } from "../../src/formats/tflite/schema.gen.ts";
import type {
  Kernel,
  KernelContext,
  KernelNode,
  OutputView,
  TensorInfo,
  TensorView,
} from "../../src/kernels/kernel.ts";

/** Little-endian bytes in base64; for strings a list of them. */
export type Encoded = string | string[];

interface RecordedOperand {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly scale?: number[];
  readonly zeroPoint?: number[];
  readonly constant?: boolean;
  readonly data?: Encoded;
}

export interface RecordedCase {
  readonly name: string;
  readonly op: string;
  readonly version: number;
  readonly custom?: boolean;
  readonly options?: { readonly type: string; readonly value: Record<string, unknown> };
  readonly second?: boolean;
  readonly customOptions?: string;
  readonly inputs: readonly (RecordedOperand | null)[];
  readonly outputs: readonly RecordedOperand[];
  readonly expected?: readonly { readonly shape: Shape; readonly data: Encoded }[];
  readonly error?: string;
}

export interface Result {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly data: TensorData;
}

/** Reads the cases of one file under test/fixtures/operators. */
export function readCases(file: string): RecordedCase[] {
  const path = fileURLToPath(new URL(`../fixtures/operators/${file}`, import.meta.url));
  return JSON.parse(gunzipSync(readFileSync(path)).toString()) as RecordedCase[];
}

/** The elements that a case file holds. */
export function decode(dtype: DType, data: Encoded): TensorData {
  if (Array.isArray(data)) return data.map((text) => Uint8Array.from(Buffer.from(text, "base64")));
  return viewAs(dtype, Uint8Array.from(Buffer.from(data, "base64")));
}

function infoOf(operand: RecordedOperand, name: string): TensorInfo {
  const { dtype, shape, scale, zeroPoint } = operand;
  const info: TensorInfo = {
    name,
    dtype,
    shape,
    isConstant: operand.constant === true,
    isVariable: false,
  };
  if (scale === undefined || zeroPoint === undefined) return info;
  const none = new Float32Array(0);
  const quantization = {
    scale: Float32Array.from(scale),
    zeroPoint,
    min: none,
    max: none,
    quantizedDimension: 0,
  };
  return { ...info, quantization };
}

/** The operator of a case, as a kernel sees it. */
export function nodeOf(recorded: RecordedCase): KernelNode {
  const { op, version, options, customOptions } = recorded;
  const node: KernelNode = {
    op,
    version,
    where: `case ${recorded.name}`,
    inputs: recorded.inputs.map((operand, i) => (operand ? infoOf(operand, `in${i}`) : undefined)),
    outputs: recorded.outputs.map((operand, i) => infoOf(operand, `out${i}`)),
    ...(customOptions === undefined
      ? {}
      : { customOptions: Uint8Array.from(Buffer.from(customOptions, "base64")) }),
  };
  if (options === undefined) return node;
  const defaults = defaultsOf(options.type as "AddOptions") as unknown as Record<string, unknown>;
  const given = Object.entries(options.value).map(([name, value]) => [
    name,
    typeof defaults[name] === "bigint" ? BigInt(value as number) : value,
  ]);
  const value = { ...defaults, ...Object.fromEntries(given) };
  const union = { type: options.type, value };
  return recorded.second
    ? { ...node, options2: union as unknown as BuiltinOptions2 }
    : { ...node, options: union as unknown as BuiltinOptions };
}

function allocateAny(dtype: DType, shape: Shape): TensorData {
  const count = elementCount(shape);
  if (dtype !== "string") return allocate(dtype, count);
  return Array.from({ length: count }, () => new Uint8Array(0)) satisfies StringData;
}

class Output implements OutputView {
  readonly #mostElements: number;
  readonly name: string;
  readonly dtype: DType;
  readonly isConstant = false;
  readonly isVariable = false;
  shape: Shape = [];
  data: TensorData = [];

  constructor(info: TensorInfo, shape: Shape | undefined, mostElements: number) {
    this.#mostElements = mostElements;
    this.name = info.name;
    this.dtype = info.dtype;
    if (shape !== undefined) this.resize(shape);
  }

  resize(shape: Shape): TensorData {
    const value = elementCount(shape);
    const max = this.#mostElements;
    if (value > max) {
      const found = `${value} elements`;
      throw new LimitError({ where: this.name, found, limit: "elements", value, max });
    }
    this.shape = shape;
    this.data = allocateAny(this.dtype, shape);
    return this.data;
  }
}

const CONTEXT_WITHOUT_MODEL: Omit<KernelContext, "known"> = {
  constant: () => undefined,
  resources: {
    handleOf: () => {
      throw new Error("no resources in a single-operator case");
    },
    get: () => undefined,
    set: () => undefined,
  },
  subgraph: () => {
    throw new Error("no subgraphs in a single-operator case");
  },
  checkTime: () => undefined,
};

/**
 * Runs a case from check to result, with constants known at load and the other operands when it runs. Outputs of more
 * than `mostElements` elements are refused, as the runtime refuses those beyond its memory limit.
 */
export function runCase(
  kernel: Kernel,
  recorded: RecordedCase,
  mostElements: number = 2 ** 24,
): Result[] {
  const node = nodeOf(recorded);
  const views = recorded.inputs.map((operand, i): TensorView | undefined => {
    const info = node.inputs[i];
    if (operand?.data === undefined || info === undefined) return undefined;
    return { ...info, data: decode(operand.dtype, operand.data) };
  });
  const known = (i: number) => (views[i]?.isConstant ? views[i] : undefined);
  const { subgraph } = CONTEXT_WITHOUT_MODEL;
  kernel.check(node);
  let shapes = kernel.shapes(node, known, subgraph);
  if (shapes.includes(undefined)) shapes = kernel.shapes(node, (i) => views[i], subgraph);
  const outputs = node.outputs.map((info, i) => new Output(info, shapes[i], mostElements));
  const final = {
    ...node,
    outputs: node.outputs.map((info, i) => ({ ...info, shape: shapes[i] ?? info.shape })),
  };
  kernel.create(final, { ...CONTEXT_WITHOUT_MODEL, known })(views, outputs);
  return outputs;
}

/** What the official interpreter answered. */
export function expectedOf(recorded: RecordedCase): Result[] {
  return (recorded.expected ?? []).map(({ shape, data }, i) => {
    const dtype = recorded.outputs[i]!.dtype;
    return { dtype, shape, data: decode(dtype, data) };
  });
}

/** Describes how a result differs from what was expected; empty when it does not. Floats: 1e-5 of the largest value. */
export function difference(got: Result, want: Result): string {
  if (JSON.stringify(got.shape) !== JSON.stringify(want.shape)) {
    return `shape [${got.shape}] instead of [${want.shape}]`;
  }
  if (Array.isArray(want.data)) {
    const text = (data: TensorData) => JSON.stringify((data as StringData).map((s) => [...s]));
    return text(got.data) === text(want.data) ? "" : `strings ${text(got.data)}`;
  }
  const [a, b] = [numbers(got), numbers(want)];
  if (a.length !== b.length) return `${a.length} elements instead of ${b.length}`;
  const largest = Math.max(1e-30, ...b.filter(Number.isFinite).map(Math.abs));
  const tolerance = /float|complex/.test(want.dtype) ? 1e-5 * largest : 0;
  const wrong = a.flatMap((x, i) =>
    Math.abs(x - b[i]!) <= tolerance || Object.is(x, b[i]) ? [] : i,
  );
  const [first] = wrong;
  if (first === undefined) return "";
  return `${wrong.length} of ${b.length} differ, element ${first}: ${a[first]} instead of ${b[first]}`;
}

function numbers({ dtype, data }: Result): number[] {
  const array = data as TypedArray;
  const bits = () => new Uint16Array(bytesOf(array).slice().buffer);
  if (dtype === "float16") return Array.from(bits(), halfToNumber);
  if (dtype === "bfloat16") return Array.from(bits(), bfloatToNumber);
  return Array.from(array as Float32Array, Number);
}

function bfloatToNumber(bits: number): number {
  return new Float32Array(Uint32Array.of(bits * 65_536).buffer)[0]!;
}

function halfToNumber(bits: number): number {
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
  const size = exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25);
  return bits & 0x8000 ? -size : size;
}
