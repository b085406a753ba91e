/**
 * CONCATENATION, PACK, UNPACK, SPLIT and SPLIT_V over linear memory: each part is a block of rows inside the whole.
 * Operands of a CONCATENATION of uint8 that have another scale go through a table, made by the reference.
 */
import { bitsOf, bytesOf, type TypedArray } from "../../../base/dtype.ts";
import { elementCount, type Shape } from "../../../base/shape.ts";
import type { KernelNode, TensorInfo } from "../../kernel.ts";
import { optionsOf } from "../../options.ts";
import { resolveAxis, splitAt } from "../../reference/axes.ts";
import { integersOf } from "../../reference/elements.ts";
import { inputAt, outputAt } from "../../require.ts";
import { emitLookup, type LookupFunction, lookupName } from "../elementwise/emit-lookup.ts";
import {
  addressOf,
  type FastKernel,
  type FastPlan,
  type FastRequest,
  Region,
} from "../fast-kernel.ts";
import { COPY_ROWS_NAME, type CopyRowsFunction, emitCopyRows } from "../moves/emit-moves.ts";
import { byteTable, VALUES } from "./lookup.ts";

/** A part inside the whole; bytes. */
interface Part {
  readonly rows: number;
  readonly rowBytes: number;
  /** Offset of its first row in the whole. */
  readonly start: number;
  readonly wholeStride: number;
}

/** Parts along `axis` of a whole; undefined for elements that are not whole bytes. */
function partsOf(whole: TensorInfo, axis: number, sizes: readonly number[]): Part[] | undefined {
  const bits = bitsOf(whole.dtype);
  if (bits === undefined || bits % 8 !== 0 || elementCount(whole.shape) === 0) return undefined;
  const { outer, size, inner } = splitAt(whole.shape, axis);
  const lineBytes = (inner * bits) / 8;
  let position = 0;
  return sizes.map((own) => {
    const start = position * lineBytes;
    position += own;
    return { rows: outer, rowBytes: own * lineBytes, start, wholeStride: size * lineBytes };
  });
}

/**
 * Copies parts into the whole ("join"), which is output 0, or the whole, input `whole`, into parts. Constant operands get
 * a copy in the linear memory.
 */
function planMoves(
  { node, known }: FastRequest,
  parts: readonly Part[] | undefined,
  from: "join" | number,
): FastPlan | undefined {
  if (parts === undefined) return undefined;
  const constants = node.inputs.map((_, index) => (from === "join" ? known(index) : undefined));
  const lay = (region: Region) =>
    constants.map((view) => view && region.take(bytesOf(view.data as TypedArray).length));
  const persistent = new Region();
  lay(persistent);
  return {
    variant: COPY_ROWS_NAME,
    functions: [{ name: COPY_ROWS_NAME, emit: emitCopyRows }],
    persistentBytes: persistent.byteLength,
    scratchBytes: 0,
    bind(place) {
      const addresses = lay(new Region(place.persistent));
      const heap = new Uint8Array(place.memory.buffer);
      for (const [index, address] of addresses.entries()) {
        if (address !== undefined) heap.set(bytesOf(constants[index]?.data as TypedArray), address);
      }
      const copy = place.call<CopyRowsFunction>(COPY_ROWS_NAME);
      return (inputs, outputs) => {
        parts.forEach(({ rows, rowBytes, start, wholeStride }, index) => {
          if (from === "join") {
            const target = addressOf(outputs[0]) + start;
            const source = addresses[index] ?? addressOf(inputs[index]);
            copy(source, rowBytes, target, wholeStride, rows, rowBytes);
          } else {
            const source = addressOf(inputs[from]) + start;
            copy(source, wholeStride, addressOf(outputs[index]), rowBytes, rows, rowBytes);
          }
        });
      };
    },
  };
}

function hasConstant({ node, known }: FastRequest): boolean {
  return node.inputs.some((_, index) => known(index) !== undefined);
}

/** Whether some operand of a CONCATENATION has to be brought to the output's scale. */
function isRescaled(node: KernelNode): boolean {
  const output = outputAt(node, 0);
  if (output.dtype !== "uint8" || output.quantization === undefined) return false;
  const { scale, zeroPoint } = output.quantization;
  return node.inputs.some((input) => {
    const own = input?.quantization;
    return own?.scale[0] !== scale[0] || own?.zeroPoint[0] !== zeroPoint[0];
  });
}

export const fastConcatenation: FastKernel = (request) => {
  const { node } = request;
  if (isRescaled(node) && hasConstant(request)) return undefined;
  const output = outputAt(node, 0);
  const { axis } = optionsOf(node, "ConcatenationOptions");
  const at = resolveAxis(node, axis, output.shape.length);
  const sizes = node.inputs.map((input) => input?.shape[at] ?? 0);
  const parts = partsOf(output, at, sizes);
  return isRescaled(node) ? planRescaled(request, at, parts) : planMoves(request, parts, "join");
};

/** Calls of the lookup for one operator; more are left to the reference. */
const MAX_LOOKUPS = 16384;

/** A concatenation whose operands all go through tables. */
function planRescaled(
  { node, reference }: FastRequest,
  axis: number,
  parts: readonly Part[] | undefined,
): FastPlan | undefined {
  if (parts === undefined || (parts[0]?.rows ?? 0) * parts.length > MAX_LOOKUPS) return undefined;
  const variant = { from: 1, to: 1 } as const;
  const name = lookupName(variant);
  const lay = (region: Region) => parts.map(() => region.take(VALUES));
  const persistent = new Region();
  lay(persistent);
  return {
    variant: name,
    functions: [{ name, emit: (module) => emitLookup(module, variant) }],
    persistentBytes: persistent.byteLength,
    scratchBytes: 0,
    bind(place) {
      const run = place.call<LookupFunction>(name);
      const tables = lay(new Region(place.persistent));
      const heap = new Uint8Array(place.memory.buffer);
      const shape = outputAt(node, 0).shape.map((_, index) => (index === axis ? VALUES : 1));
      for (const [index, table] of tables.entries()) {
        const part = { ...node, inputs: [inputAt(node, index)] };
        heap.set(byteTable({ node: part, reference }, shape), table);
      }
      return (inputs, [output]) => {
        parts.forEach(({ rows, rowBytes, start, wholeStride }, index) => {
          for (let row = 0; row < rows; row++) {
            const source = addressOf(inputs[index]) + row * rowBytes;
            const target = addressOf(output) + start + row * wholeStride;
            run(source, rowBytes, target, tables[index]);
          }
        });
      };
    },
  };
}

export const fastPack: FastKernel = (request) => {
  const { node } = request;
  const output = outputAt(node, 0);
  const axis = resolveAxis(node, optionsOf(node, "PackOptions").axis, output.shape.length);
  const sizes = node.inputs.map(() => 1);
  return planMoves(request, partsOf(output, axis, sizes), "join");
};

export const fastUnpack: FastKernel = (request) => {
  const { node, known } = request;
  const input = inputAt(node, 0);
  if (known(0) !== undefined) return undefined;
  const axis = resolveAxis(node, optionsOf(node, "UnpackOptions").axis, input.shape.length);
  const sizes = node.outputs.map(() => 1);
  return planMoves(request, partsOf(input, axis, sizes), 0);
};

/** SPLIT and SPLIT_V; the parts' sizes are in the shapes of the outputs. */
function fastSplitOf(value: number, axisOperand: number): FastKernel {
  return (request) => {
    const { node, known } = request;
    const input = inputAt(node, value);
    const axisView = known(axisOperand);
    if (axisView === undefined || known(value) !== undefined) return undefined;
    const axis = resolveAxis(node, integersOf(node, axisView)[0], input.shape.length);
    const sizes = node.outputs.map(({ shape }: { readonly shape: Shape }) => shape[axis]);
    return planMoves(request, partsOf(input, axis, sizes), value);
  };
}

export const fastSplit: FastKernel = fastSplitOf(1, 0);
export const fastSplitV: FastKernel = fastSplitOf(0, 2);
