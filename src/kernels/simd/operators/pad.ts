/** PAD and PADV2 over linear memory: the output filled, then the input's rows copied inside. */
import { allocate, byteLengthOf, bytesOf, type DType } from "../../../base/dtype.ts";
import { elementCount, type Shape } from "../../../base/shape.ts";
import { rowMajorStrides } from "../../reference/axes.ts";
import { fillValue, type Padding, paddingsOf } from "../../reference/padding.ts";
import { inputAt, outputAt } from "../../require.ts";
import { addressOf, type FastKernel } from "../fast-kernel.ts";
import {
  COPY_ROWS_NAME,
  type CopyRowsFunction,
  emitCopyRows,
  emitFill,
  FILL_NAME,
  type FillFunction,
} from "../moves/emit-moves.ts";

/** Calls of the copy for one operator; more are left to the reference. */
const MAX_COPIES = 65536;

export const fastPad: FastKernel = ({ node, known }) => {
  const [input, output] = [inputAt(node, 0), outputAt(node, 0)];
  const paddings = known(1);
  const constant = node.inputs[2] === undefined ? undefined : known(2);
  if (paddings === undefined || (node.inputs[2] !== undefined && constant === undefined)) {
    return undefined;
  }
  const itemBytes = byteLengthOf(input.dtype, 1);
  const word = wordOf(output.dtype, fillValue(node, constant));
  if (itemBytes === undefined || word === undefined || elementCount(input.shape) === 0) {
    return undefined;
  }
  const copies = copiesOf(
    input.shape,
    output.shape,
    paddingsOf(node, paddings, input.shape.length),
  );
  if (copies.starts.length > MAX_COPIES) return undefined;
  const byteLength = elementCount(output.shape) * itemBytes;
  return {
    variant: "fill-and-copy",
    functions: [
      { name: FILL_NAME, emit: emitFill },
      { name: COPY_ROWS_NAME, emit: emitCopyRows },
    ],
    persistentBytes: 0,
    scratchBytes: 0,
    bind(place) {
      const fill = place.call<FillFunction>(FILL_NAME);
      const copy = place.call<CopyRowsFunction>(COPY_ROWS_NAME);
      const { starts, rows, rowLength, targetStride } = copies;
      const rowBytes = rowLength * itemBytes;
      return ([from], [to]) => {
        const [source, target] = [addressOf(from), addressOf(to)];
        fill(target, byteLength, word);
        starts.forEach((start, index) => {
          const at = source + index * rows * rowBytes;
          const out = target + start * itemBytes;
          copy(at, rowBytes, out, targetStride * itemBytes, rows, rowBytes);
        });
      };
    },
  };
};

/** The bytes of an element, repeated to four; undefined for elements that are longer, or packed. */
function wordOf(dtype: DType, value: unknown): number | undefined {
  if (dtype !== "float32" && dtype !== "int32" && dtype !== "int16") {
    if (dtype !== "int8" && dtype !== "uint8" && dtype !== "bool") return undefined;
  }
  const element = allocate(dtype, 1);
  element.fill(Number(value) as never);
  const bytes = bytesOf(element);
  const word = Uint8Array.from({ length: 4 }, (_, index) => bytes[index % bytes.length]);
  return new DataView(word.buffer).getInt32(0, true);
}

/** Equal copies, in elements: `rows` rows of `rowLength` each, the first of them at `start`, `targetStride` apart. */
interface Copies {
  readonly starts: readonly number[];
  readonly rows: number;
  readonly rowLength: number;
  readonly targetStride: number;
}

function copiesOf(shape: Shape, outShape: Shape, paddings: readonly Padding[]): Copies {
  const strides = rowMajorStrides(outShape);
  const isPadded = paddings.map(([before, after]) => before + after > 0);
  const rowAxis = Math.max(isPadded.lastIndexOf(true), 0);
  const rowLength = elementCount(shape.slice(rowAxis));
  let first = 0;
  paddings.forEach(([before], axis) => {
    first += before * strides[axis];
  });
  if (rowAxis === 0) return { starts: [first], rows: 1, rowLength, targetStride: 0 };
  let starts = [first];
  for (let axis = 0; axis < rowAxis - 1; axis++) {
    starts = starts.flatMap((start) =>
      Array.from({ length: shape[axis] }, (_, index) => start + index * strides[axis]),
    );
  }
  return { starts, rows: shape[rowAxis - 1], rowLength, targetStride: strides[rowAxis - 1] };
}
