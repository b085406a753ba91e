/** Builds small models of several operators and subgraphs, for tests of the runtime. Tensors are told apart by name. */
import { bytesOf, type TypedArray } from "../src/base/dtype.ts";
import type { Shape } from "../src/base/shape.ts";
import { makeOptions } from "../src/formats/tflite/options.ts";
import type {
  BuiltinOperatorName,
  BuiltinOptions,
  BuiltinOptions2,
} from "../src/formats/tflite/schema.gen.ts";
import {
  type Buffer,
  EMPTY_BUFFER,
  type Model,
  type Operator,
  residentBuffer,
  type Signature,
  type Subgraph,
  type Tensor,
} from "../src/model/ir.ts";

export interface TensorSpec {
  readonly shape: Shape;
  readonly dtype?: Tensor["dtype"];
  readonly signature?: Shape;
  /** Makes it a constant. */
  readonly data?: TypedArray;
  readonly scale?: number;
  readonly zeroPoint?: number;
  readonly variable?: boolean;
}

export interface OperatorSpec {
  readonly op: BuiltinOperatorName;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly options?: BuiltinOptions;
  readonly options2?: BuiltinOptions2;
  readonly customCode?: string;
}

export interface SubgraphSpec {
  readonly tensors: Readonly<Record<string, TensorSpec>>;
  readonly operators: readonly OperatorSpec[];
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

/** The model of these subgraphs, the first being the main one. */
export function buildModel(
  subgraphs: readonly SubgraphSpec[],
  signatures: readonly Signature[] = [],
): Model {
  const buffers: Buffer[] = [EMPTY_BUFFER];
  return {
    version: 3,
    description: "made for a test",
    operatorCodes: [],
    subgraphs: subgraphs.map((spec, index) => subgraphOf(spec, `subgraph ${index}`, buffers)),
    buffers,
    metadata: [],
    signatures,
  };
}

/** Options of the first union, with the schema's defaults. */
export const optionsFor: typeof makeOptions = makeOptions;

function subgraphOf(spec: SubgraphSpec, name: string, buffers: Buffer[]): Subgraph {
  const names = Object.keys(spec.tensors);
  const at = (tensor: string) => names.indexOf(tensor);
  return {
    name,
    tensors: names.map((tensor) => tensorOf(tensor, spec.tensors[tensor]!, buffers)),
    operators: spec.operators.map(
      ({ inputs, outputs, op, options, options2, customCode }): Operator => ({
        op,
        version: 1,
        inputs: inputs.map(at),
        outputs: outputs.map(at),
        ...(options === undefined ? {} : { options }),
        ...(options2 === undefined ? {} : { options2 }),
        ...(customCode === undefined ? {} : { customCode }),
      }),
    ),
    inputs: spec.inputs.map(at),
    outputs: spec.outputs.map(at),
  };
}

function tensorOf(name: string, spec: TensorSpec, buffers: Buffer[]): Tensor {
  const { data, dtype = "float32", shape, signature, scale, zeroPoint = 0, variable } = spec;
  if (data !== undefined) buffers.push(residentBuffer(bytesOf(data)));
  const none = new Float32Array(0);
  return {
    name,
    dtype,
    shape,
    ...(signature === undefined ? {} : { shapeSignature: signature }),
    buffer: data === undefined ? 0 : buffers.length - 1,
    isVariable: variable ?? false,
    hasRank: true,
    ...(scale === undefined
      ? {}
      : {
          quantization: {
            scale: Float32Array.of(scale),
            zeroPoint: [zeroPoint],
            min: none,
            max: none,
            quantizedDimension: 0,
          },
        }),
  };
}
