/**
 * Types of constants, inputs, control flow, tensor lists and random numbers. A While or If carries the types of its
 * outputs in attributes, which the pass that specializes its functions sets.
 */
import type { DType } from "../../base/dtype.ts";
import {
  boolAttr,
  findAttr,
  intAttr,
  shapeAttr,
  tensorAttr,
  typeAttr,
  typesAttr,
} from "../../graph/attrs.ts";
import type { PartialShape } from "../../graph/ir.ts";
import { hasAttr, shapesOrNone } from "../attributes.ts";
import {
  constantInts,
  dimsOf,
  inputShape,
  inputType,
  type ListType,
  one,
  type TypedNode,
  type TypeRule,
  type ValueType,
} from "./typed-node.ts";

const placeholder: TypeRule = ({ node }) => {
  const dtype = typeAttr(node, "dtype");
  const shape = hasAttr(node, "shape") ? shapeAttr(node, "shape") : undefined;
  if (!hasAttr(node, "list_dtype")) return one(dtype, shape);
  const element = { dtype: typeAttr(node, "list_dtype"), shape: shapeAttr(node, "list_shape") };
  return [{ dtype, shape, list: { element, length: intAttr(node, "list_length") } }];
};

const constant: TypeRule = ({ node }) => {
  const { dtype, shape } = tensorAttr(node, "value");
  return one(dtype, shape);
};

const loop: TypeRule = (typed) => branchTypes(typed, typesAttr(typed.node, "T"), typed.inputs);
const branch: TypeRule = (typed) => branchTypes(typed, typesAttr(typed.node, "Tout"), []);

function branchTypes(
  { node }: TypedNode,
  dtypes: readonly DType[],
  inputs: readonly ValueType[],
): readonly ValueType[] {
  const shapes = shapesOrNone(node, "output_shapes");
  return dtypes.map((dtype, i) => {
    const list = inputs[i]?.list;
    const shape = shapes.length === dtypes.length ? shapes[i] : undefined;
    return list === undefined ? { dtype, shape } : { dtype, shape, list };
  });
}

const handle = (list: ListType): readonly ValueType[] => [{ dtype: "variant", shape: [], list }];

const listReserve: TypeRule = (typed) =>
  handle({
    element: { dtype: typeAttr(typed.node, "element_dtype"), shape: elementShape(typed, 0) },
    length: typed.node.op === "EmptyTensorList" ? 0 : (constantInts(typed, 1)?.[0] ?? -1),
  });

/** The shape given by an operand; a scalar -1 says that it is not known. */
function elementShape(typed: TypedNode, input: number): PartialShape {
  return inputShape(typed, input)?.length === 0 ? undefined : dimsOf(typed, input);
}

const listFromTensor: TypeRule = (typed) => {
  const { dtype, shape } = inputType(typed, 0);
  return handle({ element: { dtype, shape: shape?.slice(1) }, length: shape?.[0] ?? -1 });
};

/** A list that something was written to before the loop is a tensor already, and stays one. */
const listSetItem: TypeRule = (typed) => {
  const target = inputType(typed, 0);
  if (target.dtype !== "variant") return [target];
  const { list } = target;
  const { dtype, shape } = inputType(typed, 2);
  return handle({
    element: { dtype, shape: refine(list?.element.shape, shape) },
    length: list?.length ?? -1,
  });
};

const listPushBack: TypeRule = (typed) => {
  const list = inputType(typed, 0).list;
  const { dtype, shape } = inputType(typed, 1);
  const length = list === undefined || list.length < 0 ? -1 : list.length + 1;
  return handle({ element: { dtype, shape: refine(list?.element.shape, shape) }, length });
};

/** The more exact of two descriptions of one shape. */
function refine(a: PartialShape, b: PartialShape): PartialShape {
  if (a === undefined || b === undefined || a.length !== b.length) return a ?? b;
  return a.map((size, axis) => (size < 0 ? (b[axis] ?? -1) : size));
}

/** Type of a list's elements. Where the list has become a tensor already, they are its rows. */
function elementType(typed: TypedNode, shapeInput: number): ValueType {
  const handle = inputType(typed, 0);
  const rows = handle.dtype === "variant" ? undefined : handle.shape?.slice(1);
  const shape = refine(handle.list?.element.shape ?? rows, elementShape(typed, shapeInput));
  return { dtype: typeAttr(typed.node, "element_dtype"), shape };
}

const listGetItem: TypeRule = (typed) => [elementType(typed, 2)];

const listStack: TypeRule = (typed) => {
  const { dtype, shape } = elementType(typed, 1);
  const given = hasAttr(typed.node, "num_elements") ? intAttr(typed.node, "num_elements") : -1;
  const length = inputType(typed, 0).list?.length ?? -1;
  return one(dtype, shape && [length < 0 ? given : length, ...shape]);
};

const listGather: TypeRule = (typed) => {
  const { dtype, shape } = elementType(typed, 2);
  return one(dtype, shape && [inputShape(typed, 1)?.[0] ?? -1, ...shape]);
};

/** Elements one after the other; the second output tells how long each is. */
const listConcat: TypeRule = (typed) => {
  const handle = inputType(typed, 0);
  const element = handle.list?.element.shape ?? handle.shape?.slice(1);
  const length = handle.list?.length ?? handle.shape?.[0] ?? -1;
  const [size = -1, ...rest] = element ?? [];
  const dtype = typeAttr(typed.node, "element_dtype");
  const rows = length < 0 || size < 0 ? -1 : length * size;
  return [
    { dtype, shape: element && [rows, ...rest] },
    { dtype: "int64", shape: [length] },
  ];
};

const random: TypeRule = (typed) => one(typeAttr(typed.node, "dtype"), dimsOf(typed, 0));

const multinomial: TypeRule = (typed) =>
  one(typeAttr(typed.node, "output_dtype"), [
    inputShape(typed, 0)?.[0] ?? -1,
    constantInts(typed, 1)?.[0] ?? -1,
  ]);

/** The whole sequence with the cell's outputs last: rows of the projection, or of the first gate's weights. */
const sequence: TypeRule = (typed) => {
  const { dtype, shape } = inputType(typed, 0);
  const source =
    hasAttr(typed.node, "projection") && boolAttr(typed.node, "projection")
      ? typed.inputs.length - 1
      : 1;
  return one(dtype, shape && [...shape.slice(0, 2), inputShape(typed, source)?.[0] ?? -1]);
};

/** The same for two directions of equal widths; merged, the widths add up. */
const bidirectional: TypeRule = (typed) => {
  const [{ dtype, shape } = inputType(typed, 0)] = sequence(typed);
  if (!boolAttr(typed.node, "merge"))
    return [
      { dtype, shape },
      { dtype, shape },
    ];
  return one(dtype, shape && [...shape.slice(0, 2), 2 * (shape[2] ?? -1)]);
};

/** The handle knows the shape of what it holds: the start value's, or the declared one. */
const varHandle: TypeRule = ({ node }) => {
  const declared = hasAttr(node, "shape") ? shapeAttr(node, "shape") : undefined;
  const variable = findAttr(node, "initial_value", "tensor")?.shape ?? declared;
  return [{ dtype: "resource", shape: [], ...(variable && { variable }) }];
};

const tableFind: TypeRule = (typed) => one(inputType(typed, 2).dtype, inputShape(typed, 1));

export const CONTROL_FLOW_TYPES: ReadonlyMap<string, TypeRule> = new Map<string, TypeRule>([
  ["Placeholder", placeholder],
  ["Const", constant],
  ["NoOp", () => []],
  ["While", loop],
  ["StatelessWhile", loop],
  ["If", branch],
  ["StatelessIf", branch],
  ["Case", branch],
  ["StatelessCase", branch],
  ["TensorListReserve", listReserve],
  ["EmptyTensorList", listReserve],
  ["TensorListFromTensor", listFromTensor],
  ["TensorListSetItem", listSetItem],
  ["TensorListPushBack", listPushBack],
  ["TensorListGetItem", listGetItem],
  ["TensorListStack", listStack],
  ["TensorListGather", listGather],
  ["TensorListConcatV2", listConcat],
  ["TensorListLength", () => one("int32", [])],
  ["SequenceRnn", sequence],
  ["SequenceLstm", sequence],
  ["BidirectionalRnn", bidirectional],
  ["BidirectionalLstm", bidirectional],
  ["RandomUniform", random],
  ["RandomStandardNormal", random],
  ["Multinomial", multinomial],
  ["LookupTableFindV2", tableFind],
  ["LookupTableFind", tableFind],
  ["LookupTableSizeV2", () => one("int64", [])],
  ["LookupTableSize", () => one("int64", [])],
  ["VarHandleOp", varHandle],
  ["HashTableV2", () => one("resource", [1])],
  ["ReadVariableOp", (typed) => one(typeAttr(typed.node, "dtype"), inputType(typed, 0).variable)],
  ["AssignVariableOp", () => []],
]);
