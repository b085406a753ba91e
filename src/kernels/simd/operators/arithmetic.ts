/**
 * ADD, SUB, MUL, DIV, MAXIMUM, MINIMUM, PRELU and SQUARED_DIFFERENCE on broadcast operands over linear memory: float32, and
 * quantized integers by emitted arithmetic or by table.
 */
import type { ActivationFunctionType } from "../../../formats/tflite/schema.gen.ts";
import type { KernelNode } from "../../kernel.ts";
import { optionsOf } from "../../options.ts";
import { clampRange } from "../../reference/activation.ts";
import { inputAt } from "../../require.ts";
import { type BinaryOp, binaryName, emitBinary } from "../elementwise/emit-binary.ts";
import {
  type ExtremumVariant,
  emitExtremum,
  extremumBytes,
  extremumName,
  isExtremumType,
} from "../elementwise/emit-extremum.ts";
import type { FastKernel, FastKernelTable } from "../fast-kernel.ts";
import { fastBytePair } from "./pair-lookup.ts";
import { planPairs } from "./pair-plan.ts";
import { fastQuantizedPair } from "./quantized-pair.ts";

const FLOAT_BYTES = { operand: 4, result: 4 };

function fastBinary(
  op: BinaryOp,
  activationOf: (node: KernelNode) => ActivationFunctionType = () => "NONE",
): FastKernel {
  return (request) => {
    const { node } = request;
    if (inputAt(node, 0).dtype !== "float32" || inputAt(node, 1).dtype !== "float32") {
      return undefined;
    }
    const { min, max } = clampRange(node, activationOf(node));
    return planPairs(request, FLOAT_BYTES, (repeated) => ({
      name: binaryName({ op, repeated }),
      emit: (module) => emitBinary(module, { op, repeated }),
      rest: [min, max],
    }));
  };
}

/** Compares stored integers, which all have one scale. */
function fastExtremum(wanted: ExtremumVariant["wanted"]): FastKernel {
  return (request) => {
    const { dtype } = inputAt(request.node, 0);
    if (!isExtremumType(dtype)) return undefined;
    const bytes = extremumBytes(dtype);
    return planPairs(request, { operand: bytes, result: bytes }, (repeated) => {
      const variant = { wanted, dtype, repeated };
      const name = extremumName(variant);
      return { name, emit: (module) => emitExtremum(module, variant), rest: [] };
    });
  };
}

/** The first of two kernels that serves an operator. */
function either(first: FastKernel, second: FastKernel): FastKernel {
  return (request) => first(request) ?? second(request);
}

const addOptions = (node: KernelNode) => optionsOf(node, "AddOptions");
const subOptions = (node: KernelNode) => optionsOf(node, "SubOptions");
const mulOptions = (node: KernelNode) => optionsOf(node, "MulOptions");
const addActivation = (node: KernelNode) => addOptions(node).fused_activation_function;
const subActivation = (node: KernelNode) => subOptions(node).fused_activation_function;
const mulActivation = (node: KernelNode) => mulOptions(node).fused_activation_function;
const divActivation = (node: KernelNode) => optionsOf(node, "DivOptions").fused_activation_function;

export const ARITHMETIC_KERNELS: FastKernelTable = {
  ADD: either(fastBinary("add", addActivation), fastQuantizedPair("add", addOptions)),
  SUB: either(fastBinary("sub", subActivation), fastQuantizedPair("sub", subOptions)),
  MUL: either(fastBinary("mul", mulActivation), fastQuantizedPair("mul", mulOptions)),
  DIV: either(fastBinary("div", divActivation), fastBytePair),
  MAXIMUM: either(fastBinary("max"), fastExtremum("max")),
  MINIMUM: either(fastBinary("min"), fastExtremum("min")),
  PRELU: either(fastBinary("prelu"), fastBytePair),
  SQUARED_DIFFERENCE: either(fastBinary("difference-squared"), fastBytePair),
};
