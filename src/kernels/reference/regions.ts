/** Functions on two stored elements that operators are given: by name, or as another subgraph of the model. */
import { allocate, type DType } from "../../base/dtype.ts";
import type { CallableSubgraph, KernelNode } from "../kernel.ts";
import { inputAt, requireWholeBytes, unsupported } from "../require.ts";
import { elementsOf, unitsPerElement } from "./elements.ts";
import { halfFormat, halfPair } from "./half.ts";
import type { NumberPair } from "./pairwise.ts";

/** A function on two elements as they are stored. */
export type StoredPair = (a: unknown, b: unknown) => unknown;

type Scalar = number & bigint;

const ON_NUMBERS: Readonly<Record<string, (a: Scalar, b: Scalar) => unknown>> = {
  ADD: (a, b) => a + b,
  MUL: (a, b) => a * b,
  MINIMUM: (a, b) => (a <= b ? a : b),
  MAXIMUM: (a, b) => (a >= b ? a : b),
  LOGICAL_AND: (a, b) => (a && b ? 1 : 0),
  LOGICAL_OR: (a, b) => (a || b ? 1 : 0),
};

/** How many bits integers of a type wrap at. */
const WRAPS: Readonly<Partial<Record<DType, (value: number) => number>>> = {
  int8: (value) => (value << 24) >> 24,
  uint8: (value) => value & 255,
  int16: (value) => (value << 16) >> 16,
  uint16: (value) => value & 0xffff,
  int32: (value) => value | 0,
  uint32: (value) => value >>> 0,
};

/** The named operation on the stored elements of a type; undefined where there is none. */
export function storedPair(name: string, dtype: DType): StoredPair | undefined {
  const pair = ON_NUMBERS[name] as StoredPair | undefined;
  if (pair === undefined) return undefined;
  switch (dtype) {
    case "float32":
      return (a, b) => Math.fround(pair(a, b) as number);
    case "float64":
      return pair;
    case "bool":
      return (a, b) => (pair(a, b) ? 1 : 0);
    case "int64":
      if (name.startsWith("LOGICAL")) return (a, b) => (pair(a, b) ? 1n : 0n);
      return (a, b) => BigInt.asIntN(64, pair(a, b) as bigint);
    case "uint64":
      if (name.startsWith("LOGICAL")) return (a, b) => (pair(a, b) ? 1n : 0n);
      return (a, b) => BigInt.asUintN(64, pair(a, b) as bigint);
  }
  const half = halfFormat(dtype);
  if (half !== undefined) return halfPair(half, pair as NumberPair) as StoredPair;
  const wrap = WRAPS[dtype];
  if (wrap === undefined) return undefined;
  // Products of 32-bit integers are not exact in doubles.
  if (name === "MUL") return (a, b) => wrap(Math.imul(a as number, b as number));
  return (a, b) => wrap(pair(a, b) as number);
}

/**
 * A subgraph of two scalars as a function on stored elements. It is run for each pair, so bodies of any kind work.
 *
 * @throws {UnsupportedError} when it does not take two scalars of the operand's type and give one.
 */
export function scalarFunction(node: KernelNode, body: CallableSubgraph): StoredPair {
  const { dtype } = inputAt(node, 0);
  const operands = [...body.inputs, ...body.outputs];
  const fits = body.inputs.length === 2 && body.outputs.length === 1;
  if (!fits || operands.some((operand) => operand.dtype !== dtype)) {
    throw unsupported(node, `with a body that is no function of two ${dtype} scalars`);
  }
  if (dtype === "string" || unitsPerElement(dtype) > 1) throw unsupported(node, `on ${dtype}`);
  requireWholeBytes(node, inputAt(node, 0));
  const views = body.inputs.map((input) => ({ ...input, shape: [], data: allocate(dtype, 1) }));
  const cells = views.map(elementsOf);
  return (a, b) => {
    cells[0][0] = a;
    cells[1][0] = b;
    return elementsOf(body.run(views)[0])[0];
  };
}
