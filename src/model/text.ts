/**
 * Prints a model as text: one line an operator, tensors where they are used. For people, for tests that compare graphs,
 * for `diff`. Not meant to be parsed.
 *
 *   model version 3 "MLIR Converted."
 *   subgraph 0 "main"
 *     input  %0 "image" float32[1, 128]
 *     %3 float32[1, 8] = FULLY_CONNECTED v12 (x %0, weights %1 int8[8, 128] scale ×8 axis 0, bias -) {keep_num_dims: true}
 *     output %3 "logits"
 *   signature "serving_default" of subgraph 0: image %0 -> logits %3
 *
 * `%` counts tensors of the subgraph, `-` is an operand that was left out. Options equal to the schema's defaults are
 * not printed, nor is constant data; `= 7` or `= [1, 2]` are small integer constants, which tell axes and shapes.
 */
import { viewAs } from "../base/dtype.ts";
import { elementCount, formatShape } from "../base/shape.ts";
import { defaultsOf } from "../formats/tflite/options.ts";
import type { Model, Operator, Quantization, Signature, Subgraph, Tensor } from "./ir.ts";
import { operandAt, operatorInfo } from "./op-table.ts";

/** Constants of up to so many integers are printed. */
const MAX_PRINTED_ELEMENTS = 8;

/** The model as text, one operator a line. */
export function printModel(model: Model): string {
  return [
    `model version ${model.version} ${JSON.stringify(model.description)}`,
    ...model.subgraphs.flatMap((subgraph, index) => [
      `subgraph ${index} ${JSON.stringify(subgraph.name)}`,
      ...printSubgraph(subgraph, model).map((line) => `  ${line}`),
    ]),
    ...model.signatures.map(printSignature),
    ...model.metadata.map(
      ({ name, buffer }) => `metadata ${JSON.stringify(name)} buffer ${buffer}`,
    ),
    "",
  ].join("\n");
}

function printSubgraph(subgraph: Subgraph, model: Model): string[] {
  const { inputs, outputs, operators, tensors } = subgraph;
  const named = (index: number): string =>
    `%${index} ${JSON.stringify(tensors[index]?.name ?? "")}`;
  return [
    ...inputs.map((index) => `input  ${named(index)} ${printType(tensors[index])}`),
    ...operators.map((operator) => printOperator(operator, subgraph, model)),
    ...outputs.map((index) => `output ${named(index)}`),
  ];
}

function printOperator(operator: Operator, subgraph: Subgraph, model: Model): string {
  const { op, customCode, version, inputs, outputs, options, options2, customOptions } = operator;
  const names = operatorInfo(op, options)?.inputs ?? [];
  const results = outputs.map((index) => `%${index} ${printType(subgraph.tensors[index])}`);
  const operands = inputs.map((index, position) => {
    const name = operandAt(names, position)?.name;
    return `${name === undefined ? "" : `${name} `}${printOperand(index, subgraph, model)}`;
  });
  const extra = [
    ...(customOptions === undefined ? [] : [`custom: ${customOptions.byteLength} bytes`]),
    ...printOptions(options ?? options2),
  ];
  const head = `${results.join(", ")} = ${op === "CUSTOM" ? `CUSTOM ${customCode}` : op} v${version}`;
  return `${head} (${operands.join(", ")})${extra.length === 0 ? "" : ` {${extra.join(", ")}}`}`;
}

/** Computed tensors are printed with their type where they are computed, others where they are used. */
function printOperand(index: number, subgraph: Subgraph, model: Model): string {
  if (index < 0) return "-";
  const tensor = subgraph.tensors[index];
  const buffer = tensor === undefined ? undefined : model.buffers[tensor.buffer];
  if (tensor?.isVariable === true) return `%${index} variable ${printType(tensor)}`;
  if (tensor === undefined || buffer === undefined || buffer.byteLength === 0) return `%${index}`;
  return `%${index} ${printType(tensor)}${printConstant(tensor, buffer.bytes)}`;
}

function printType(tensor: Tensor | undefined): string {
  if (tensor === undefined) return "?";
  const shape = tensor.shapeSignature?.length ? tensor.shapeSignature : tensor.shape;
  return `${tensor.dtype}${formatShape(shape)}${printQuantization(tensor.quantization)}`;
}

function printQuantization(quantization: Quantization | undefined): string {
  if (quantization === undefined) return "";
  const { scale, zeroPoint, quantizedDimension, details } = quantization;
  if (details !== undefined) return ` ${details.type}`;
  if (scale.length === 0) return "";
  if (scale.length > 1) return ` scale ×${scale.length} axis ${quantizedDimension}`;
  const [only = 0] = scale;
  return ` scale ${Number(only.toPrecision(6))}${zeroPoint[0] ? ` zero point ${zeroPoint[0]}` : ""}`;
}

function printConstant({ dtype, shape }: Tensor, bytes: Uint8Array | undefined): string {
  const isIndex = dtype === "int32" || dtype === "int64";
  if (!isIndex || bytes === undefined || elementCount(shape) > MAX_PRINTED_ELEMENTS) return "";
  const list = [...viewAs(dtype, bytes)].map(String).join(", ");
  return shape.length > 0 ? ` = [${list}]` : ` = ${list}`;
}

function printOptions(options: Operator["options"] | Operator["options2"]): string[] {
  if (options === undefined) return [];
  const defaults: Readonly<Record<string, unknown>> = { ...defaultsOf(options.type) };
  return Object.entries(options.value).flatMap(([name, value]: [string, unknown]) =>
    value === defaults[name] ? [] : [`${name}: ${printValue(value)}`],
  );
}

function printValue(value: unknown): string {
  if (Array.isArray(value) || value instanceof Float32Array) return `[${[...value].join(", ")}]`;
  return value instanceof Uint8Array ? `${value.byteLength} bytes` : String(value);
}

function printSignature({ key, inputs, outputs, subgraphIndex }: Signature): string {
  const list = (maps: Signature["inputs"]): string =>
    maps.map(({ name, tensorIndex }) => `${name} %${tensorIndex}`).join(", ");
  return `signature ${JSON.stringify(key)} of subgraph ${subgraphIndex}: ${list(inputs)} -> ${list(outputs)}`;
}
