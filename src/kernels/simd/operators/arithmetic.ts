/**
 * ADD, SUB, MUL and DIV on float32 over linear memory, for operands of one shape and for an operand whose shape is a
 * suffix of the other's (a scalar, a value per channel). Other broadcasts are left to the reference.
 */
import { assert } from "../../../base/errors.ts";
import { elementCount, type Shape, sameShape } from "../../../base/shape.ts";
import type { ActivationFunctionType } from "../../../formats/tflite/schema.gen.ts";
import type { KernelNode, TensorView } from "../../kernel.ts";
import { optionsOf } from "../../options.ts";
import { clampRange } from "../../reference/activation.ts";
import { inputAt } from "../../require.ts";
import {
  type BinaryFunction,
  type BinaryOp,
  binaryName,
  emitBinary,
  type Repeated,
} from "../elementwise/emit-binary.ts";
import { addressOf, type FastKernel, Region } from "../fast-kernel.ts";
import { fastQuantizedSum } from "./quantized-sum.ts";

/** How often the inner call is repeated, and which operand starts anew each time. */
interface Broadcast {
  readonly inner: number;
  readonly outer: number;
  readonly repeated: Repeated;
  /** Elements that each operand moves on per call. */
  readonly steps: readonly [a: number, b: number];
}

function broadcastOf(a: Shape, b: Shape): Broadcast | undefined {
  const [countA, countB] = [elementCount(a), elementCount(b)];
  if (sameShape(a, b)) return { inner: countA, outer: 1, repeated: "none", steps: [0, 0] };
  if (countA === 1 && a.length <= b.length)
    return { inner: countB, outer: 1, repeated: "a", steps: [0, 0] };
  if (countB === 1 && b.length <= a.length)
    return { inner: countA, outer: 1, repeated: "b", steps: [0, 0] };
  if (isSuffix(b, a))
    return { inner: countB, outer: countA / countB, repeated: "none", steps: [countB, 0] };
  if (isSuffix(a, b))
    return { inner: countA, outer: countB / countA, repeated: "none", steps: [0, countA] };
  return undefined;
}

/** Whether `short`, without leading ones, ends `long`. */
function isSuffix(short: Shape, long: Shape): boolean {
  if (short.length > long.length || elementCount(short) === 0) return false;
  const first = short.findIndex((size) => size !== 1);
  const tail = first < 0 ? [] : short.slice(first);
  return sameShape(tail, long.slice(long.length - tail.length));
}

function fastBinary(
  op: BinaryOp,
  activationOf: (node: KernelNode) => ActivationFunctionType,
): FastKernel {
  return ({ node, known }) => {
    const [a, b] = [inputAt(node, 0), inputAt(node, 1)];
    if (a.dtype !== "float32" || b.dtype !== "float32") return undefined;
    const broadcast = broadcastOf(a.shape, b.shape);
    if (broadcast === undefined) return undefined;
    const { min, max } = clampRange(node, activationOf(node));
    const variant = { op, repeated: broadcast.repeated };
    const constants = [known(0), known(1)];
    const lay = (region: Region) =>
      constants.map((view) =>
        view === undefined ? undefined : region.take(elementCount(view.shape) * 4),
      );
    const persistent = new Region();
    lay(persistent);
    return {
      variant: binaryName(variant),
      functions: [{ name: binaryName(variant), emit: (module) => emitBinary(module, variant) }],
      persistentBytes: persistent.byteLength,
      scratchBytes: 0,
      bind(place) {
        const run = place.call<BinaryFunction>(binaryName(variant));
        const addresses = lay(new Region(place.persistent));
        for (const [index, address] of addresses.entries()) {
          storeConstant(place.memory, constants[index], address);
        }
        const { inner, outer, steps } = broadcast;
        return ([left, right], [output]) => {
          const atA = addresses[0] ?? addressOf(left);
          const atB = addresses[1] ?? addressOf(right);
          const out = addressOf(output);
          for (let row = 0; row < outer; row++) {
            run(
              atA + row * steps[0] * 4,
              atB + row * steps[1] * 4,
              out + row * inner * 4,
              inner,
              min,
              max,
            );
          }
        };
      },
    };
  };
}

function storeConstant(
  { buffer }: WebAssembly.Memory,
  view: TensorView | undefined,
  address: number | undefined,
): void {
  if (view === undefined || address === undefined) return;
  assert(view.data instanceof Float32Array, "float constant");
  new Float32Array(buffer, address, view.data.length).set(view.data);
}

/** The first of several kernels that serves an operator. */
function firstOf(...kernels: readonly FastKernel[]): FastKernel {
  return (request) => {
    for (const kernel of kernels) {
      const plan = kernel(request);
      if (plan !== undefined) return plan;
    }
    return undefined;
  };
}

const addActivation = (node: KernelNode) => optionsOf(node, "AddOptions").fused_activation_function;
const subActivation = (node: KernelNode) => optionsOf(node, "SubOptions").fused_activation_function;

export const fastAdd: FastKernel = firstOf(
  fastBinary("add", addActivation),
  fastQuantizedSum("add", addActivation),
);
export const fastSub: FastKernel = firstOf(
  fastBinary("sub", subActivation),
  fastQuantizedSum("sub", subActivation),
);
export const fastMul: FastKernel = fastBinary(
  "mul",
  (node) => optionsOf(node, "MulOptions").fused_activation_function,
);
export const fastDiv: FastKernel = fastBinary(
  "div",
  (node) => optionsOf(node, "DivOptions").fused_activation_function,
);
