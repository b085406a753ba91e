/**
 * Arithmetic on two operands with broadcasting: ADD, SUB, MUL, DIV, MAXIMUM, MINIMUM, POW, FLOOR_DIV, FLOOR_MOD,
 * SQUARED_DIFFERENCE, ATAN2. Floats are computed in double and rounded once when stored, which for the four basic
 * operations is what float32 arithmetic gives; integers wrap. Quantized forms are in quantized-arithmetic.ts.
 */
import type { DType } from "../../base/dtype.ts";
import type { ActivationFunctionType } from "../../formats/tflite/schema.gen.ts";
import type { KernelNode, KernelTable } from "../kernel.ts";
import { optionsOf } from "../options.ts";
import { badValue, inputAt } from "../require.ts";
import { type ClampRange, clampRange } from "./activation.ts";
import { complexProductKernel } from "./complex.ts";
import { isQuantized } from "./elements.ts";
import { halfPairs } from "./half.ts";
import { type BigintPair, type NumberPair, type Pair, pairKernel } from "./pairwise.ts";
import {
  quantizedDivision,
  quantizedProduct,
  quantizedSquaredDifference,
  quantizedSum,
} from "./quantized-arithmetic.ts";

type ByType = Readonly<Partial<Record<DType, Pair>>>;

/** `pair`, with its results clamped to what a fused activation allows. */
function clamped(pair: NumberPair, { min, max }: ClampRange): NumberPair {
  if (min === -Infinity && max === Infinity) return pair;
  return (a, b) => {
    const value = pair(a, b);
    return value < min ? min : value > max ? max : value;
  };
}

function clampedBigint(pair: BigintPair, { min, max }: ClampRange): BigintPair {
  if (min === -Infinity && max === Infinity) return pair;
  return (a, b) => {
    const value = BigInt.asIntN(64, pair(a, b));
    return value < min ? BigInt(min) : value > max ? BigInt(max) : value;
  };
}

/** A row of functions on numbers and bigints under one fused activation. */
function activated(
  node: KernelNode,
  activation: ActivationFunctionType,
  pairs: { readonly [Type in DType]?: Type extends "int64" ? BigintPair : NumberPair },
): Pair | undefined {
  const range = clampRange(node, activation);
  const { dtype } = inputAt(node, 0);
  if (dtype === "int64") return pairs.int64 && clampedBigint(pairs.int64, range);
  const pair = pairs[dtype] as NumberPair | undefined;
  return pair && clamped(pair, range);
}

const add: NumberPair = (a, b) => a + b;
const subtract: NumberPair = (a, b) => a - b;
const multiply: NumberPair = (a, b) => a * b;
const wrapAdd: NumberPair = (a, b) => (a + b) | 0;
const wrapSubtract: NumberPair = (a, b) => (a - b) | 0;
const addBigints: BigintPair = (a, b) => a + b;
const subtractBigints: BigintPair = (a, b) => a - b;
const multiplyBigints: BigintPair = (a, b) => a * b;
const larger: NumberPair = (a, b) => (a > b ? a : b);
const smaller: NumberPair = (a, b) => (a < b ? a : b);
const largerBigint: BigintPair = (a, b) => (a > b ? a : b);
const smallerBigint: BigintPair = (a, b) => (a < b ? a : b);

/** Refuses a zero divisor before `pair` sees it. */
function withDivisor(node: KernelNode, pair: NumberPair): NumberPair {
  return (a, b) => {
    if (b === 0) throw badValue(node, "a divisor of 0", "divisors other than 0");
    return pair(a, b);
  };
}

function withBigintDivisor(node: KernelNode, pair: BigintPair): BigintPair {
  return (a, b) => {
    if (b === 0n) throw badValue(node, "a divisor of 0", "divisors other than 0");
    return pair(a, b);
  };
}

/** The remainder with the sign of the divisor. */
const floorRemainder: NumberPair = (a, b) => {
  const remainder = a % b;
  return remainder !== 0 && remainder < 0 !== b < 0 ? remainder + b : remainder;
};

const floorRemainderBigint: BigintPair = (a, b) => {
  const remainder = a % b;
  return remainder !== 0n && remainder < 0n !== b < 0n ? remainder + b : remainder;
};

function integerPower(node: KernelNode): NumberPair {
  return (base, exponent) => {
    if (exponent < 0) throw badValue(node, `an exponent of ${exponent}`, "exponents of 0 or more");
    return base ** exponent;
  };
}

function sumPair(node: KernelNode): Pair | undefined {
  const options = optionsOf(node, "AddOptions");
  const quantized = quantizedSum(node, options, 1);
  if (quantized !== undefined) return quantized;
  return activated(node, options.fused_activation_function, {
    float32: add,
    int32: wrapAdd,
    int16: wrapAdd,
    int64: addBigints,
  });
}

function differencePair(node: KernelNode): Pair | undefined {
  const options = optionsOf(node, "SubOptions");
  const quantized = quantizedSum(node, options, -1);
  if (quantized !== undefined) return quantized;
  return activated(node, options.fused_activation_function, {
    float32: subtract,
    int32: wrapSubtract,
    int64: subtractBigints,
  });
}

function productPair(node: KernelNode): Pair | undefined {
  const { fused_activation_function } = optionsOf(node, "MulOptions");
  const quantized = quantizedProduct(node, fused_activation_function);
  if (quantized !== undefined) return quantized;
  return activated(node, fused_activation_function, {
    float32: multiply,
    int32: Math.imul,
    int16: Math.imul,
    uint32: (a, b) => Math.imul(a, b) >>> 0,
    int64: multiplyBigints,
  });
}

function quotientPair(node: KernelNode): Pair | undefined {
  const { fused_activation_function } = optionsOf(node, "DivOptions");
  const quantized = quantizedDivision(node, fused_activation_function);
  if (quantized !== undefined) return quantized;
  return activated(node, fused_activation_function, {
    float32: (a, b) => a / b,
    int32: withDivisor(node, (a, b) => Math.trunc(a / b)),
  });
}

function floorQuotientPairs(node: KernelNode): ByType {
  const integer = withDivisor(node, (a, b) => Math.floor(a / b));
  return { float32: (a, b) => Math.floor(a / b), int32: integer, int16: integer, int8: integer };
}

function floorRemainderPairs(node: KernelNode): ByType {
  const integer = withDivisor(node, floorRemainder);
  return {
    float32: floorRemainder,
    int32: integer,
    int16: integer,
    int8: integer,
    int64: withBigintDivisor(node, floorRemainderBigint),
  };
}

function byType(pairsFor: (node: KernelNode) => ByType): (node: KernelNode) => Pair | undefined {
  return (node) => pairsFor(node)[inputAt(node, 0).dtype];
}

/** MAXIMUM and MINIMUM keep scale and zero point, so they compare stored integers. */
function extremum(number: NumberPair, bigint: BigintPair): ByType {
  return {
    float32: number,
    ...halfPairs(number),
    int32: number,
    int16: number,
    int8: number,
    uint8: number,
    int64: bigint,
  };
}

function squaredDifferencePair(node: KernelNode): Pair | undefined {
  const { dtype } = inputAt(node, 0);
  if (dtype === "float32") return (a: number, b: number) => (a - b) * (a - b);
  if (dtype === "int32") return (a: number, b: number) => Math.imul(a - b, a - b);
  return isQuantized(inputAt(node, 0)) ? quantizedSquaredDifference(node) : undefined;
}

const MUL_REAL = pairKernel(productPair);

export const ARITHMETIC: KernelTable = {
  ADD: pairKernel(sumPair),
  SUB: pairKernel(differencePair),
  MUL: complexProductKernel(MUL_REAL),
  DIV: pairKernel(quotientPair),
  MAXIMUM: pairKernel(byType(() => extremum(larger, largerBigint))),
  MINIMUM: pairKernel(byType(() => extremum(smaller, smallerBigint))),
  POW: pairKernel(byType((node) => ({ float32: Math.pow, int32: integerPower(node) }))),
  FLOOR_DIV: pairKernel(byType(floorQuotientPairs)),
  FLOOR_MOD: pairKernel(byType(floorRemainderPairs)),
  SQUARED_DIFFERENCE: pairKernel(squaredDifferencePair),
  ATAN2: pairKernel(
    byType(() => ({ float32: Math.atan2, float64: Math.atan2, ...halfPairs(Math.atan2) })),
  ),
};
