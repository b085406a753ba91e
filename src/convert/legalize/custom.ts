/**
 * Operations without an operator of their own, as custom operators: under TensorFlow's name with the attributes as a
 * FlexBuffers map, or as "Flex" operators, which a runtime with TensorFlow's kernels runs, with the whole node.
 * Source: compiler/mlir/lite/flatbuffer_export.cc (CreateCustomOpCustomOptions, CreateFlexOpCustomOptions).
 */

import type { Diagnostic } from "../../base/errors.ts";
import {
  encodeFlexMap,
  encodeFlexVector,
  type FlexItem,
} from "../../formats/flexbuffer/encode-flexbuffer.ts";
import { type EncodableAttr, encodeNodeDef } from "../../formats/tensorflow/encode-node-def.ts";
import { TENSOR_TYPE } from "../../formats/tflite/schema.gen.ts";
import type { Attr, GraphNode } from "../../graph/ir.ts";
import { opDefinition } from "../../graph/op-table.ts";
import type { Draft } from "../draft.ts";
import type { LegalizationRow, Lowering } from "./lowering.ts";
import { tensorType } from "./options.ts";

/** What may be written for operations that TensorFlow Lite has no operator for. */
export interface FallbackOptions {
  /** Custom operators under the operation's name, which the program that runs the model must bring along. */
  readonly allowCustomOps?: boolean;
  /** Operators that TensorFlow's own kernels run, where the runtime has them ("Flex delegate"). */
  readonly selectTfOps?: boolean;
}

/** The row for a node that has no other; undefined where nothing may be written. */
export function fallbackRow(
  node: GraphNode,
  { allowCustomOps = false, selectTfOps = false }: FallbackOptions,
): LegalizationRow | undefined {
  if ([...node.attrs.values()].some(({ kind }) => kind === "func")) return undefined;
  if (selectTfOps && opDefinition(node.op) !== undefined) return flexOperator;
  return allowCustomOps ? customOperator : undefined;
}

/** Operations for which TensorFlow Lite's interpreter has a custom operator of the same name and options. */
export const CUSTOM_ROWS: ReadonlyMap<string, LegalizationRow> = new Map(
  ["AudioSpectrogram", "Mfcc", "TFLite_Detection_PostProcess"].map((op) => [
    op,
    (lowering) => customOperator(lowering),
  ]),
);

/** A custom operator under the name of the operation. */
const customOperator: LegalizationRow = (lowering) => {
  requirePlainTensors(lowering);
  const { op, attrs } = lowering.node;
  const options = new Map<string, FlexItem>();
  for (const [name, attr] of attrs) {
    const item = flexItem(attr);
    if (item !== undefined) options.set(name, item);
  }
  lowering.emitCustom(op, lowering.inputs(), encodeFlexMap(options));
};

const flexOperator: LegalizationRow = (lowering) => {
  requirePlainTensors(lowering);
  const { op, attrs } = lowering.node;
  const encodable = new Map(
    [...attrs].filter((entry): entry is [string, EncodableAttr] => isEncodable(entry[1])),
  );
  const definition = encodeNodeDef(op, lowering.inputCount, encodable);
  const options = encodeFlexVector([
    { kind: "string", value: op },
    { kind: "string", value: definition },
  ]);
  lowering.emitCustom(`Flex${op}`, lowering.inputs(), options);
};

/** Handles and lists mean something inside TensorFlow only. */
function requirePlainTensors(lowering: Lowering): void {
  const count = lowering.inputCount;
  const inputs = Array.from({ length: count }, (_, i) => lowering.type(i));
  const outputs = Array.from({ length: lowering.node.outputCount }, (_, i) =>
    lowering.outputType(i),
  );
  const odd = [...inputs, ...outputs].find(
    ({ dtype }) => dtype === "resource" || dtype === "variant",
  );
  if (odd !== undefined) lowering.fail(`an operand of type ${odd.dtype}`);
}

/** Element types are written as TFLite's numbers; tensors and shapes have no form. */
function flexItem(attr: Attr): FlexItem | undefined {
  switch (attr.kind) {
    case "int":
    case "float":
    case "bool":
    case "string":
      return attr;
    case "type":
      return { kind: "int", value: TENSOR_TYPE.indexOf(tensorType(attr.value)) };
    case "list": {
      const items = attr.value.flatMap((each) => flexItem(each) ?? []);
      return items.length === 0 ? undefined : { kind: "list", value: items };
    }
    default:
      return undefined;
  }
}

function isEncodable(attr: Attr): attr is EncodableAttr {
  return attr.kind === "list"
    ? attr.value.every(isEncodable)
    : attr.kind !== "tensor" && attr.kind !== "func";
}

/** Says which operators the program that runs the model must bring along. */
export function customRemarks(drafts: readonly Draft[]): Diagnostic[] {
  const codes = drafts.flatMap(({ operators }) =>
    operators.flatMap(({ customCode }) => (customCode === undefined ? [] : [customCode])),
  );
  const names = [...new Set(codes)].filter((code) => !CUSTOM_ROWS.has(code));
  if (names.length === 0) return [];
  return [
    {
      id: "custom-operators",
      text: `Written as custom operators, which TensorFlow Lite itself cannot run: ${names.join(", ")}.`,
    },
  ];
}
