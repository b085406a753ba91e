/** Builds a model of a single operator, for tests that compare kernels on made-up operands. */
import { bytesOf, type TypedArray } from "../src/base/dtype.ts";
import type { Shape } from "../src/base/shape.ts";
import type { BuiltinOperatorName, BuiltinOptions } from "../src/formats/tflite/schema.gen.ts";
import {
  type Buffer,
  EMPTY_BUFFER,
  type Model,
  type Quantization,
  residentBuffer,
  type Tensor,
} from "../src/model/ir.ts";

export interface OperandSpec {
  readonly shape: Shape;
  readonly dtype?: Tensor["dtype"];
  /** Makes the operand a constant. */
  readonly data?: TypedArray;
  /** Scales, per tensor or per channel. */
  readonly scale?: Float32Array;
  readonly zeroPoint?: readonly number[];
  readonly axis?: number;
  /** Makes the operand a state that outlives a run. */
  readonly isVariable?: boolean;
}

function quantizationOf(spec: OperandSpec): Quantization | undefined {
  if (spec.scale === undefined) return undefined;
  const none = new Float32Array(0);
  return {
    scale: spec.scale,
    zeroPoint: spec.zeroPoint ?? Array.from(spec.scale, () => 0),
    min: none,
    max: none,
    quantizedDimension: spec.axis ?? 0,
  };
}

/**
 * A model whose operands that are neither constant nor variable are its inputs, in order; undefined stands for an
 * operand that is left out. It has `outputCount` outputs like `output`, whose shapes are found at load, and such
 * intermediate tensors.
 */
export function oneOperatorModel(
  op: BuiltinOperatorName,
  options: BuiltinOptions | undefined,
  inputs: readonly (OperandSpec | undefined)[],
  output: OperandSpec,
  outputCount = 1,
  intermediates: readonly OperandSpec[] = [],
): Model {
  const buffers: Buffer[] = [EMPTY_BUFFER];
  const present = inputs.filter((spec) => spec !== undefined);
  const outputs = Array.from({ length: outputCount }, (_, index) => present.length + index);
  const tensors = [...present, ...outputs.map(() => output), ...intermediates].map(
    (spec, index): Tensor => {
      const quantization = quantizationOf(spec);
      if (spec.data !== undefined) buffers.push(residentBuffer(bytesOf(spec.data)));
      return {
        name: `t${index}`,
        dtype: spec.dtype ?? "float32",
        shape: spec.shape,
        buffer: spec.data === undefined ? 0 : buffers.length - 1,
        isVariable: spec.isVariable ?? false,
        hasRank: true,
        ...(quantization === undefined ? {} : { quantization }),
      };
    },
  );
  const operator = {
    op,
    version: 1,
    inputs: inputs.map((spec) => (spec === undefined ? -1 : present.indexOf(spec))),
    outputs,
    ...(options === undefined ? {} : { options }),
    ...(intermediates.length === 0
      ? {}
      : { intermediates: intermediates.map((_, at) => present.length + outputCount + at) }),
  };
  return {
    version: 3,
    description: "one operator",
    operatorCodes: [{ op, version: 1 }],
    subgraphs: [
      {
        name: "main",
        tensors,
        operators: [operator],
        inputs: present.flatMap((spec, index) =>
          spec.data === undefined && !spec.isVariable ? [index] : [],
        ),
        outputs,
      },
    ],
    buffers,
    metadata: [],
    signatures: [],
  };
}
