/** Functions of one operand: emitted on float32, by table on bytes and int16. */
import { elementCount } from "../../../base/shape.ts";
import type { KernelNode } from "../../kernel.ts";
import { optionsOf } from "../../options.ts";
import { inputAt, outputAt } from "../../require.ts";
import {
  emitUnary,
  type UnaryFunction,
  type UnaryOp,
  unaryName,
} from "../elementwise/emit-unary.ts";
import { elementSpans } from "../elementwise/spans.ts";
import { addressOf, type FastKernel, type FastKernelTable, type FastPlan } from "../fast-kernel.ts";
import { fastByteFunction } from "./lookup.ts";
import { fastWordFunction } from "./word-lookup.ts";

type Numbers = readonly [first: number, second: number];

/** On float32; undefined where `numbersOf` says that there is no emitted code. */
function onFloats(
  op: UnaryOp,
  numbersOf: (node: KernelNode) => Numbers | undefined = () => [0, 0],
): FastKernel {
  return ({ node }) => {
    const input = inputAt(node, 0);
    const numbers = input.dtype === "float32" ? numbersOf(node) : undefined;
    return numbers && planUnary(node, op, numbers);
  };
}

/** A function from words to words of 32 bits. */
function planUnary(node: KernelNode, op: UnaryOp, numbers: Numbers): FastPlan {
  const name = unaryName(op);
  const count = elementCount(inputAt(node, 0).shape);
  return {
    variant: name,
    functions: [{ name, emit: (module) => emitUnary(module, op) }],
    persistentBytes: 0,
    scratchBytes: 0,
    bind(place) {
      const spans = elementSpans(count, place.threads);
      return ([from], [to]) => {
        const [source, out] = [addressOf(from), addressOf(to)];
        const calls = spans.map((span): Parameters<UnaryFunction> => {
          return [source + span.at * 4, span.count, out + span.at * 4, ...numbers];
        });
        place.callAll(name, calls);
      };
    },
  };
}

/** On bytes and on int16. */
const fastIntegerFunction: FastKernel = (request) =>
  fastByteFunction(request) ?? fastWordFunction(request);

/** On float32, bytes and int16. */
function onBoth(op: UnaryOp, numbersOf?: (node: KernelNode) => Numbers | undefined): FastKernel {
  const floats = onFloats(op, numbersOf);
  return (request) => floats(request) ?? fastIntegerFunction(request);
}

/** CAST between float32 and int32, and from bytes by table. */
const fastCast: FastKernel = (request) => {
  const { node } = request;
  switch (`${inputAt(node, 0).dtype} ${outputAt(node, 0).dtype}`) {
    case "int32 float32":
      return planUnary(node, "from-int", [0, 0]);
    case "float32 int32":
      return planUnary(node, "to-int", [0, 0]);
    default:
      return fastByteFunction(request);
  }
};

const clamp = (low: number, high: number) => onBoth("clamp", () => [low, high]);

export const UNARY_KERNELS: FastKernelTable = {
  RELU: clamp(0, Infinity),
  RELU6: clamp(0, 6),
  RELU_N1_TO_1: clamp(-1, 1),
  RELU_0_TO_1: clamp(0, 1),
  LEAKY_RELU: onBoth("leaky", (node) => [optionsOf(node, "LeakyReluOptions").alpha, 0]),
  ELU: onBoth("elu"),
  GELU: (request) =>
    (optionsOf(request.node, "GeluOptions").approximate ? onBoth("gelu") : onBoth("gelu-exact"))(
      request,
    ),
  HARD_SWISH: onBoth("hardswish"),
  LOGISTIC: onBoth("logistic"),
  TANH: onBoth("tanh"),
  ABS: onBoth("abs"),
  NEG: onBoth("neg"),
  SQRT: onBoth("sqrt"),
  EXP: onBoth("exp"),
  SQUARE: onFloats("square"),
  FLOOR: onFloats("floor"),
  CEIL: onFloats("ceil"),
  ROUND: onFloats("round"),
  /** Bytes below the zero point are an error, which no table has. */
  RSQRT: onFloats("rsqrt"),
  LOG: fastIntegerFunction,
  CAST: fastCast,
};
