/**
 * Recurrent layers as loops over lists, in the form in which Keras itself exports them: the input, time first, becomes a
 * list; a While reads an element, runs the cell and writes its output to another list. The conversion recognizes the
 * cells that TensorFlow Lite has operators for.
 */
import type { Shape } from "../../../base/shape.ts";
import type { Graph } from "../../../graph/ir.ts";
import {
  type Attrs,
  flag,
  int,
  type NodeWriter,
  NodeWriter as Pen,
  type Symbolic,
  type,
  zeroData,
} from "../node-writer.ts";

/** One step: output and new states, written with the body's own pen. */
export type Cell = (
  writer: NodeWriter,
  path: string,
  x: Symbolic,
  states: readonly Symbolic[],
) => Step;

export interface Step {
  readonly output: Symbolic;
  readonly states: readonly Symbolic[];
}

export interface Recurrence {
  readonly path: string;
  /** float[batch, time, features], or more dimensions behind the time. */
  readonly input: Symbolic;
  readonly initial: readonly Symbolic[];
  /** Of a step's output, without the batch. */
  readonly outputShape: Shape;
  readonly goBackwards: boolean;
  readonly cell: Cell;
  /** bool[batch, time]: steps that do not count leave states, and repeat the output before (or give zeros). */
  readonly mask?: Symbolic | undefined;
  readonly zeroOutputForMask?: boolean;
}

export interface RecurrenceResult {
  /** float[batch, time, …outputShape]. */
  readonly sequence: Symbolic;
  /** float[batch, …outputShape]: the output of the last step. */
  readonly last: Symbolic;
  readonly states: readonly Symbolic[];
}

const FLOAT: Attrs = { element_dtype: type("float32") };

/** Writes the loop. Batch and time must be known. */
export function writeLoop(writer: NodeWriter, recurrence: Recurrence): RecurrenceResult {
  const { path, input, initial, outputShape, mask } = recurrence;
  const [batch, steps] = input.shape as [number, number];
  const stepShape = [batch, ...outputShape];
  const sources = [
    toList(
      writer,
      `${path}/TensorListFromTensor`,
      timeFirst(recurrence, writer, input, "transpose"),
    ),
  ];
  if (mask !== undefined) {
    const wide = writer.reshape(`${path}/mask`, mask, [...mask.shape, ...outputShape.map(() => 1)]);
    const moved = timeFirst(recurrence, writer, wide, "mask_transpose");
    sources.push(toList(writer, `${path}/mask_list`, moved));
  }
  const outputs = writer.emit(
    `${path}/TensorListReserve`,
    "TensorListReserve",
    [writer.ints(`${path}/element_shape`, stepShape), writer.ints(`${path}/num_elements`, steps)],
    { shape: [], dtype: "variant" },
    FLOAT,
  );
  const previous = mask === undefined ? [] : [zeros(writer, `${path}/previous`, stepShape)];
  const operands = [
    writer.ints(`${path}/while/loop_counter`, 0),
    writer.ints(`${path}/while/maximum_iterations`, steps),
    writer.ints(`${path}/time`, 0),
    outputs,
    ...previous,
    ...initial,
    ...sources,
  ];
  const results = writeWhile(writer, recurrence, operands, previous.length);
  const list = results[3]!;
  const shape = writer.ints(`${path}/TensorListStack/element_shape`, stepShape);
  const stacked = writer.emit(
    `${path}/TensorListStack`,
    "TensorListStack",
    [list, shape],
    { shape: [steps, ...stepShape], dtype: "float32" },
    { ...FLOAT, num_elements: int(steps) },
  );
  const last = lastStep(writer, `${path}/strided_slice`, stacked);
  const sequence = writer.transpose(`${path}/transpose_1`, stacked, swapped(stacked));
  const firstState = 4 + previous.length;
  return { sequence, last, states: results.slice(firstState, firstState + initial.length) };
}

export function zeros(writer: NodeWriter, name: string, shape: readonly number[]): Symbolic {
  return writer.constant(name, { dtype: "float32", shape, data: zeroData(shape, name) });
}

/** The order of dimensions in which batch and time have changed places. */
const swapped = ({ shape }: Symbolic): number[] => [1, 0, ...shape.slice(2).map((_, i) => i + 2)];

function timeFirst(
  { path, goBackwards }: Recurrence,
  writer: NodeWriter,
  x: Symbolic,
  name: string,
): Symbolic {
  const moved = writer.transpose(`${path}/${name}`, x, swapped(x));
  if (!goBackwards) return moved;
  const axis = writer.ints(`${path}/${name}/ReverseV2/axis`, [0]);
  return writer.emit(`${path}/${name}/ReverseV2`, "ReverseV2", [moved, axis], {
    shape: moved.shape,
  });
}

function toList(writer: NodeWriter, name: string, x: Symbolic): Symbolic {
  const shape = writer.ints(`${name}/element_shape`, x.shape.slice(1));
  const attrs: Attrs = { element_dtype: type(x.dtype), shape_type: type("int32") };
  const result = { shape: x.shape, dtype: "variant" } as const;
  return {
    ...writer.emit(name, "TensorListFromTensor", [x, shape], result, attrs),
    shape: x.shape,
  };
}

function lastStep(writer: NodeWriter, name: string, stacked: Symbolic): Symbolic {
  const inputs = [
    stacked,
    writer.ints(`${name}/stack`, [-1]),
    writer.ints(`${name}/stack_1`, [0]),
    writer.ints(`${name}/stack_2`, [1]),
  ];
  const attrs = { shrink_axis_mask: int(1), end_mask: int(0) };
  return writer.emit(name, "StridedSlice", inputs, { shape: stacked.shape.slice(1) }, attrs);
}

/** Operands: counter, limit, time, output list, [previous output,] states, input list [, mask list]. */
function writeWhile(
  writer: NodeWriter,
  recurrence: Recurrence,
  operands: readonly Symbolic[],
  previousCount: number,
): Symbolic[] {
  const name = `${recurrence.path}/while`;
  const cond = `${name}_cond`;
  const body = `${name}_body`;
  writer.functions.set(
    cond,
    buildFunction(operands, (pen, args) => [condition(pen, name, args)]),
  );
  writer.functions.set(
    body,
    buildFunction(operands, (pen, args) => step(pen, name, recurrence, args, previousCount)),
  );
  const attrs: Attrs = {
    cond: { kind: "func", value: cond },
    body: { kind: "func", value: body },
  };
  return writer.emitMany(name, "While", operands, operands, attrs);
}

function buildFunction(
  operands: readonly Symbolic[],
  write: (pen: NodeWriter, args: readonly Symbolic[]) => readonly Symbolic[],
): Graph {
  const pen = new Pen();
  const args = operands.map(({ dtype, shape }, i) => pen.placeholder(`arg_${i}`, dtype, shape));
  const results = write(pen, args);
  return {
    inputs: args.map(({ ref, dtype }) => ({
      key: ref.node,
      tensorName: ref.node,
      node: ref.node,
      dtype,
      signatureShape: undefined,
    })),
    outputs: results.map(({ ref }, i) => ({
      key: `output_${i}`,
      tensorName: `output_${i}`,
      value: ref,
    })),
    nodes: pen.nodes,
    functions: pen.functions,
  };
}

function condition(pen: NodeWriter, name: string, args: readonly Symbolic[]): Symbolic {
  const [counter, limit] = args as [Symbolic, Symbolic];
  return pen.binary(`${name}/Less`, "Less", counter, limit, "bool");
}

function step(
  pen: NodeWriter,
  name: string,
  { cell, mask, zeroOutputForMask = false, initial }: Recurrence,
  args: readonly Symbolic[],
  previousCount: number,
): Symbolic[] {
  const [counter, limit, time, outputs] = args as [Symbolic, Symbolic, Symbolic, Symbolic];
  const previous = args.slice(4, 4 + previousCount);
  const states = args.slice(4 + previousCount, 4 + previousCount + initial.length);
  const sources = args.slice(4 + previousCount + initial.length);
  const x = item(pen, `${name}/TensorListGetItem`, sources[0]!, time, "float32");
  let { output, states: next } = cell(pen, name, x, states);
  if (mask !== undefined) {
    const counts = item(pen, `${name}/mask`, sources[1]!, time, "bool");
    const choose = (i: string, a: Symbolic, b: Symbolic) =>
      pen.select(`${name}/SelectV2_${i}`, counts, a, b);
    const otherwise = zeroOutputForMask ? zeros(pen, `${name}/zeros`, output.shape) : previous[0]!;
    next = next.map((state, i) => choose(String(i), state, states[i]!));
    output = choose("output", output, otherwise);
  }
  const written = pen.emit(
    `${name}/TensorListSetItem`,
    "TensorListSetItem",
    [outputs, time, output],
    { shape: outputs.shape, dtype: "variant" },
    { ...FLOAT, resize_if_index_out_of_bounds: flag(false) },
  );
  const one = pen.ints(`${name}/one`, 1);
  const later = pen.binary(`${name}/add`, "AddV2", time, one);
  const count = pen.binary(`${name}/add_1`, "AddV2", counter, one);
  return [count, limit, later, written, ...previous.map(() => output), ...next, ...sources];
}

function item(
  pen: NodeWriter,
  name: string,
  list: Symbolic,
  time: Symbolic,
  dtype: "float32" | "bool",
): Symbolic {
  const shape = list.shape.slice(1);
  const elementShape = pen.ints(`${name}/element_shape`, shape);
  const attrs = { element_dtype: type(dtype) };
  return pen.emit(name, "TensorListGetItem", [list, time, elementShape], { shape, dtype }, attrs);
}
