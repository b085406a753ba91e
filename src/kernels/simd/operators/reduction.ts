/**
 * SUM, MEAN, REDUCE_PROD, REDUCE_MAX and REDUCE_MIN over linear memory: axes that follow each other are one, and groups
 * of axes are reduced one after the other, the last first. Sums and means of bytes take their sums from emitted code and
 * the rest from the reference; their axes follow each other.
 */
import { assert } from "../../../base/errors.ts";
import { elementCount, type Shape } from "../../../base/shape.ts";
import type { KernelNode, OutputView, TensorView } from "../../kernel.ts";
import { resolveAxes } from "../../reference/axes.ts";
import { elementsOf, integersOf } from "../../reference/elements.ts";
import { type StoredMean, storedMean, storedSum } from "../../reference/quantized-reductions.ts";
import { extremumRun } from "../../reference/reductions.ts";
import { inputAt, outputAt } from "../../require.ts";
import { present } from "../../views.ts";
import { emitUnary, type UnaryFunction, unaryName } from "../elementwise/emit-unary.ts";
import { rowSpans } from "../elementwise/spans.ts";
import {
  addressOf,
  type FastKernel,
  type FastKernelTable,
  type FastPlace,
  type FastPlan,
  type FastRequest,
  Region,
} from "../fast-kernel.ts";
import {
  emitReduce,
  type ReduceFunction,
  type ReduceWay,
  reduceName,
} from "../reduce/emit-reduce.ts";
import { isReducible, type ReduceFold, type ReduceVariant } from "../reduce/reduce-stage.ts";
import { poolData } from "./pool.ts";

/** Sums of so many bytes stay within int32. */
const MAX_ELEMENTS = 2 ** 22;

/** One reduction of [outer, reduced, inner]. */
interface Step {
  readonly outer: number;
  readonly reduced: number;
  readonly inner: number;
}

/** The reductions that a node asks for, in their order; undefined where the axes are not constant. */
function stepsOf({ node, known }: FastRequest, axes: readonly number[]): Step[] | undefined {
  const { shape } = inputAt(node, 0);
  if (known(1) === undefined || elementCount(shape) === 0) return undefined;
  const steps: Step[] = [];
  let current: Shape = shape;
  for (let last = axes.length - 1; last >= 0; last--) {
    let first = last;
    while (first > 0 && axes[first - 1] === axes[first] - 1) first--;
    const [start, end] = [axes[first], axes[last] + 1];
    const [outer, reduced, inner] = [
      elementCount(current.slice(0, start)),
      elementCount(current.slice(start, end)),
      elementCount(current.slice(end)),
    ];
    steps.push({ outer, reduced, inner });
    current = [...current.slice(0, start), ...current.slice(end)];
    last = first;
  }
  return steps;
}

function axesOf({ node, known }: FastRequest): number[] | undefined {
  const axes = known(1);
  const rank = inputAt(node, 0).shape.length;
  if (axes === undefined || rank === 0) return undefined;
  return resolveAxes(node, integersOf(node, axes), rank);
}

function wayOf({ inner }: Step): ReduceWay {
  return inner === 1 ? "rows" : "columns";
}

/** Calls of one step, shared among threads. */
function callsOf(
  { outer, reduced, inner }: Step,
  [source, out]: readonly [number, number],
  [inputBytes, outputBytes]: readonly [number, number],
  threads: number,
): Parameters<ReduceFunction>[] {
  return rowSpans(outer, reduced * inner, threads).map(({ at, count }) => [
    source + at * reduced * inner * inputBytes,
    count,
    reduced,
    inner,
    out + at * inner * outputBytes,
  ]);
}

/** The extremum of floats among which there is NaN depends on their order: it is left to the reference. */
function orderedExtremum(
  node: KernelNode,
  axes: readonly number[],
  count: number,
): ((input: TensorView, output: OutputView) => void) | undefined {
  const { dtype, shape } = inputAt(node, 0);
  const isExtremum = node.op === "REDUCE_MIN" || node.op === "REDUCE_MAX";
  const run =
    isExtremum && dtype === "float32" ? extremumRun(node.op === "REDUCE_MIN", dtype) : undefined;
  return run && ((input, output) => run({ axes, input: shape, count }, elementsOf(input), output));
}

const hasNan = ({ data }: OutputView): boolean =>
  data instanceof Float32Array && data.some(Number.isNaN);

/** A fold that keeps the element type. */
function planFold(request: FastRequest, variant: ReduceVariant): FastPlan | undefined {
  const axes = axesOf(request);
  const steps = axes && stepsOf(request, axes);
  if (axes === undefined || steps === undefined || steps.length === 0) return undefined;
  const bytes = variant.data === "f32" ? 4 : 1;
  const isMean = request.node.op === "MEAN";
  const count = steps.reduce((product, { reduced }) => product * reduced, 1);
  const results = elementCount(outputAt(request.node, 0).shape);
  const lay = (region: Region) =>
    steps.slice(0, -1).map(({ outer, inner }) => region.take(outer * inner * bytes));
  const scratch = new Region();
  lay(scratch);
  const quotient = unaryName("quotient");
  return {
    variant: reduceName(variant, wayOf(steps[0])),
    functions: [
      ...steps.map((step) => ({
        name: reduceName(variant, wayOf(step)),
        emit: (module: Parameters<typeof emitReduce>[0]) =>
          emitReduce(module, variant, wayOf(step)),
      })),
      ...(isMean
        ? [
            {
              name: quotient,
              emit: (m: Parameters<typeof emitUnary>[0]) => emitUnary(m, "quotient"),
            },
          ]
        : []),
    ],
    persistentBytes: 0,
    scratchBytes: scratch.byteLength,
    bind(place) {
      const between = lay(new Region(place.scratch));
      const inOrder = orderedExtremum(request.node, axes, count);
      const divide = isMean ? place.call<UnaryFunction>(quotient) : undefined;
      return ([input], [output]) => {
        const places = [addressOf(input), ...between, addressOf(output)];
        for (const [index, step] of steps.entries()) {
          const ends = [places[index], places[index + 1]] as const;
          const calls = callsOf(step, ends, [bytes, bytes], place.threads);
          place.callAll(reduceName(variant, wayOf(step)), calls);
        }
        divide?.(addressOf(output), results, addressOf(output), count, 0);
        if (inOrder !== undefined && hasNan(output)) inOrder(present(input), output);
      };
    },
  };
}

/** SUM or MEAN of bytes. */
function planByteSum(
  request: FastRequest,
  data: "int8" | "uint8",
  lawFor: (node: KernelNode, reduction: Parameters<typeof storedMean>[1]) => StoredMean,
): FastPlan | undefined {
  const { node } = request;
  const axes = axesOf(request);
  const steps = axes && stepsOf(request, axes);
  const [step] = steps ?? [];
  if (axes === undefined || step === undefined || steps?.length !== 1) return undefined;
  if (step.reduced > MAX_ELEMENTS) return undefined;
  const variant = { data, fold: "sum" } as const;
  const name = reduceName(variant, wayOf(step));
  const results = step.outer * step.inner;
  return {
    variant: name,
    functions: [{ name, emit: (module) => emitReduce(module, variant, wayOf(step)) }],
    persistentBytes: 0,
    scratchBytes: results * 4,
    bind(place: FastPlace) {
      const sums = new Int32Array(place.memory.buffer, place.scratch, results);
      const { shape } = inputAt(node, 0);
      const law = lawFor(node, { axes, input: shape, count: step.reduced });
      return ([input], [output]) => {
        const ends = [addressOf(input), place.scratch] as const;
        place.callAll(name, callsOf(step, ends, [1, 4], place.threads));
        const { data } = output;
        assert(data instanceof Int8Array || data instanceof Uint8Array, "bytes");
        for (const [index, sum] of sums.entries()) data[index] = law(sum, index);
      };
    },
  };
}

function fastReduction(fold: ReduceFold): FastKernel {
  return (request) => {
    const data = poolData(inputAt(request.node, 0).dtype);
    if (data === undefined || !isReducible({ data, fold })) return undefined;
    if (data !== "f32" && fold === "sum") {
      return planByteSum(request, data, request.node.op === "MEAN" ? storedMean : storedSum);
    }
    return planFold(request, { data, fold });
  };
}

export const REDUCTION_KERNELS: FastKernelTable = {
  SUM: fastReduction("sum"),
  MEAN: fastReduction("sum"),
  REDUCE_PROD: fastReduction("prod"),
  REDUCE_MAX: fastReduction("max"),
  REDUCE_MIN: fastReduction("min"),
};
