/**
 * Reductions over axes: SUM, MEAN, REDUCE_PROD, REDUCE_MAX, REDUCE_MIN, REDUCE_ANY, REDUCE_ALL. Every one folds elements
 * into one accumulator per output element, in the order of the input. Quantized forms are in quantized-reductions.ts.
 */
import { allocate, type DType, FLOAT32_MAX } from "../../base/dtype.ts";
import { elementCount, type Shape } from "../../base/shape.ts";
import type { Kernel, KernelNode, KernelTable, TensorView } from "../kernel.ts";
import { optionsOf } from "../options.ts";
import {
  inputAt,
  outputAt,
  requireOperands,
  requireSameType,
  requireType,
  unsupported,
} from "../require.ts";
import { present } from "../views.ts";
import { resolveAxes } from "./axes.ts";
import { type Elements, elementsOf, integersOf } from "./elements.ts";
import { foldInto, type ReductionRun } from "./fold.ts";
import { quantizedMean, quantizedProduct, quantizedSum } from "./quantized-reductions.ts";

function reducedShape(shape: Shape, axes: readonly number[], keepDims: boolean): Shape {
  if (keepDims) return shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
  return shape.filter((_, axis) => !axes.includes(axis));
}

function reductionKernel(runFor: (node: KernelNode) => ReductionRun | undefined): Kernel {
  const axesOf = (node: KernelNode, view: TensorView): number[] => {
    const { shape } = inputAt(node, 0);
    // A scalar has no axis to reduce; the operand is then not looked at.
    return shape.length === 0 ? [] : resolveAxes(node, integersOf(node, view), shape.length);
  };
  const demand = (node: KernelNode): ReductionRun => {
    const run = runFor(node);
    if (run === undefined) throw unsupported(node, `on ${inputAt(node, 0).dtype}`);
    return run;
  };
  return {
    check(node) {
      requireOperands(node, [2, 2]);
      requireType(node, inputAt(node, 1), ["int32"], "axis");
      requireSameType(node, inputAt(node, 0), outputAt(node, 0), "output");
      demand(node);
    },
    shapes(node, known) {
      const view = known(1);
      if (view === undefined) return [undefined];
      const { keep_dims } = optionsOf(node, "ReducerOptions");
      return [reducedShape(inputAt(node, 0).shape, axesOf(node, view), keep_dims)];
    },
    create(node) {
      const run = demand(node);
      return (inputs, outputs) => {
        const { shape } = present(inputs[0]);
        const axes = axesOf(node, present(inputs[1]));
        const count = elementCount(shape.filter((_, axis) => axes.includes(axis)));
        run({ axes, input: shape, count }, elementsOf(inputs[0]), present(outputs[0]));
      };
    },
  };
}

/** A fold on stored elements that starts from `initial`. */
interface Fold {
  readonly initial: number | bigint;
  readonly fold: (acc: never, x: never) => number | bigint;
}

function runFold({ initial, fold }: Fold): ReductionRun {
  return (reduction, x, out) => {
    const acc = elementsOf(out);
    for (let j = 0; j < acc.length; j++) acc[j] = initial;
    foldInto(reduction, x as Elements<never>, acc as Elements<never>, fold as never);
  };
}

function foldKernel(folds: Readonly<Partial<Record<DType, Fold>>>): Kernel {
  return reductionKernel((node) => {
    const fold = folds[inputAt(node, 0).dtype];
    return fold && runFold(fold);
  });
}

/** The accumulator is the output itself, so floats round at each step, as in the official kernels. */
const SUM_FOLDS: Readonly<Partial<Record<DType, Fold>>> = {
  float32: { initial: 0, fold: (acc: number, x: number) => acc + x },
  int32: { initial: 0, fold: (acc: number, x: number) => (acc + x) | 0 },
  int64: { initial: 0n, fold: (acc: bigint, x: bigint) => acc + x },
};

const PRODUCT_FOLDS: Readonly<Partial<Record<DType, Fold>>> = {
  float32: { initial: 1, fold: (acc: number, x: number) => acc * x },
  int32: { initial: 1, fold: Math.imul },
  int64: { initial: 1n, fold: (acc: bigint, x: bigint) => acc * x },
};

/** The lowest or the highest of floats: the official comparison, in which NaN makes forget what was before it. */
const floatExtremum =
  (lowest: boolean): ReductionRun =>
  (reduction, x, out) => {
    const acc = elementsOf(out) as Elements<number>;
    const [bound, largest] = lowest ? [Infinity, FLOAT32_MAX] : [-Infinity, -FLOAT32_MAX];
    // Nothing to choose from: the largest finite number.
    for (let j = 0; j < acc.length; j++) acc[j] = reduction.count === 0 ? largest : bound;
    foldInto(
      reduction,
      x as Elements<number>,
      acc,
      lowest
        ? (low, value) => (low < value ? low : value)
        : (high, value) => (high > value ? high : value),
    );
  };

function integerExtrema(lowest: boolean): Readonly<Partial<Record<DType, Fold>>> {
  const fold = lowest
    ? (acc: number | bigint, x: number | bigint) => (x < acc ? x : acc)
    : (acc: number | bigint, x: number | bigint) => (x > acc ? x : acc);
  const start = (least: number, most: number): Fold => ({ initial: lowest ? most : least, fold });
  const largest = 2 ** 63;
  return {
    int8: start(-128, 127),
    uint8: start(0, 255),
    int16: start(-32768, 32767),
    int32: start(-(2 ** 31), 2 ** 31 - 1),
    int64: { initial: lowest ? BigInt(largest) - 1n : -BigInt(largest), fold },
  };
}

/** REDUCE_MIN or REDUCE_MAX of one element type. */
export function extremumRun(lowest: boolean, dtype: DType): ReductionRun | undefined {
  if (dtype === "float32") return floatExtremum(lowest);
  const fold = integerExtrema(lowest)[dtype];
  return fold && runFold(fold);
}

const ANY: Fold = { initial: 0, fold: (acc: number, x: number) => (acc || x ? 1 : 0) };
const ALL: Fold = { initial: 1, fold: (acc: number, x: number) => (acc && x ? 1 : 0) };

/** The mean of floats: a sum in float32, divided. */
const floatMean: ReductionRun = (reduction, x, out) => {
  const acc = elementsOf(out) as Elements<number>;
  runFold(SUM_FOLDS.float32 as Fold)(reduction, x, out);
  for (let j = 0; j < acc.length; j++) acc[j] /= reduction.count;
};

/** The mean of integers: a 64-bit sum, divided toward zero; 0 where there is nothing to divide. */
const integerMean: ReductionRun = (reduction, x, out) => {
  const target = elementsOf(out);
  const sums = allocate("int64", target.length) as BigInt64Array;
  foldInto(reduction, x as Elements<number | bigint>, sums, (acc, value) => acc + BigInt(value));
  const count = BigInt(reduction.count);
  for (let j = 0; j < sums.length; j++) {
    const mean = count === 0n ? 0n : sums[j] / count;
    target[j] = out.dtype === "int64" ? mean : Number(mean);
  }
};

function meanRun(node: KernelNode): ReductionRun | undefined {
  switch (inputAt(node, 0).dtype) {
    case "float32":
      return floatMean;
    case "int32":
    case "int64":
      return integerMean;
    default:
      return quantizedMean(node);
  }
}

function sumRun(node: KernelNode): ReductionRun | undefined {
  const fold = SUM_FOLDS[inputAt(node, 0).dtype];
  return fold ? runFold(fold) : quantizedSum(node);
}

function productRun(node: KernelNode): ReductionRun | undefined {
  const fold = PRODUCT_FOLDS[inputAt(node, 0).dtype];
  return fold ? runFold(fold) : quantizedProduct(node);
}

export const REDUCTIONS: KernelTable = {
  SUM: reductionKernel(sumRun),
  MEAN: reductionKernel(meanRun),
  REDUCE_PROD: reductionKernel(productRun),
  REDUCE_MAX: reductionKernel((node) => extremumRun(false, inputAt(node, 0).dtype)),
  REDUCE_MIN: reductionKernel((node) => extremumRun(true, inputAt(node, 0).dtype)),
  REDUCE_ANY: foldKernel({ bool: ANY }),
  REDUCE_ALL: foldKernel({ bool: ALL }),
};
