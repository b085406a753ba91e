/**
 * EMBEDDING_LOOKUP: rows of a table [rows, ..] picked by int32 ids. A quantized table with a float output is dequantized
 * row by row: q × scale[row]. TensorFlow Lite 2.21 kernels/embedding_lookup.cc.
 */
import { bitsOf, bytesOf, type DType } from "../../base/dtype.ts";
import { assert } from "../../base/errors.ts";
import { narrowFloat16 } from "../../base/float16.ts";
import { elementCount, formatShape } from "../../base/shape.ts";
import type { KernelContext, KernelNode, KernelRun, KernelTable } from "../kernel.ts";
import {
  badValue,
  inputAt,
  misshapen,
  outputAt,
  requireOperands,
  requireRank,
  requireType,
  unsupported,
} from "../require.ts";
import { float16, float32, int32, present } from "../views.ts";
import { type BlockScales, blockScales, isBlockwise } from "./blockwise.ts";
import { channelScales } from "./output-stage.ts";
import { hybridWeights, preparedOnce } from "./weights.ts";

const QUANTIZED_TABLES: readonly DType[] = ["int8", "uint8", "int4", "int2"];

/** Rows that are whole bytes can be copied. */
function isCopied(node: KernelNode): boolean {
  const bits = bitsOf(inputAt(node, 1).dtype);
  return bits !== undefined && (rowElements(node) * bits) % 8 === 0;
}

function rowElements(node: KernelNode): number {
  return elementCount(inputAt(node, 1).shape.slice(1));
}

/** Calls `use` with each id and its position, after checking that the table has such a row. */
export function eachId(
  node: KernelNode,
  ids: Int32Array,
  use: (id: number, at: number) => void,
): void {
  const rows = inputAt(node, 1).shape[0];
  ids.forEach((id, at) => {
    if (id < 0 || id >= rows) throw badValue(node, `id ${id}`, `0 to ${rows - 1}`);
    use(id, at);
  });
}

function createCopy(node: KernelNode): KernelRun {
  return ([ids, table], [out]) => {
    const [from, to] = [present(table).data, present(out).data];
    assert(!Array.isArray(from) && !Array.isArray(to), "numeric table");
    const [source, target] = [bytesOf(from), bytesOf(to)];
    const rowBytes = (rowElements(node) * (bitsOf(present(table).dtype) ?? 0)) / 8;
    eachId(node, int32(ids), (id, at) => {
      target.set(source.subarray(id * rowBytes, (id + 1) * rowBytes), at * rowBytes);
    });
  };
}

/** Scales of the table: one for every row, or for every block of a row. */
function tableScales(node: KernelNode, context: KernelContext): BlockScales {
  const table = inputAt(node, 1);
  if (isBlockwise(table)) return blockScales(node, table, context);
  return { scales: channelScales(node, table, table.shape[0]), block: rowElements(node) };
}

function createDequantize(node: KernelNode, context: KernelContext): KernelRun {
  const count = rowElements(node);
  const { scales, block } = tableScales(node, context);
  const weightsOf = preparedOnce(hybridWeights);
  return ([ids, view], [out]) => {
    const values = weightsOf(view);
    const output = present(out);
    const isHalf = output.dtype === "float16";
    const to = isHalf ? new Float32Array(elementCount(output.shape)) : float32(out);
    eachId(node, int32(ids), (id, at) => {
      const from = id * count;
      for (let i = 0; i < count; i++) {
        to[at * count + i] = values[from + i] * scales[Math.floor((from + i) / block)];
      }
    });
    if (isHalf) narrowFloat16(to, float16(out));
  };
}

export const EMBEDDING_LOOKUP: KernelTable = {
  EMBEDDING_LOOKUP: {
    check(node) {
      requireOperands(node, [2, 2]);
      requireType(node, inputAt(node, 0), ["int32"], "ids");
      const [table, output] = [inputAt(node, 1).dtype, outputAt(node, 0).dtype];
      const copies = table === output && isCopied(node);
      const widens = output === "float32" || output === "float16";
      if (!copies && !(widens && QUANTIZED_TABLES.includes(table))) {
        throw unsupported(node, `from ${table} to ${output}`);
      }
    },
    shapes(node) {
      const [ids, table] = [inputAt(node, 0).shape, inputAt(node, 1).shape];
      requireRank(node, ids, [1, 1], "ids");
      if (table.length < 2) throw misshapen(node, `table ${formatShape(table)}`, "rank 2 or more");
      return [[...ids, ...table.slice(1)]];
    },
    create(node, context) {
      const copies = inputAt(node, 1).dtype === outputAt(node, 0).dtype;
      return copies ? createCopy(node) : createDequantize(node, context);
    },
  },
};
