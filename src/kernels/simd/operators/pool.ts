/** AVERAGE_POOL_2D, MAX_POOL_2D and L2_POOL_2D over linear memory. */
import type { DType } from "../../../base/dtype.ts";
import { type PoolGeometry, poolGeometry, poolRange } from "../../reference/pool.ts";
import { insideRange } from "../../reference/window.ts";
import { inputAt } from "../../require.ts";
import { addressOf, type FastKernel } from "../fast-kernel.ts";
import { emitPool, type PoolCall, poolName } from "../pooling/emit-pool.ts";
import type { PoolData, PoolFold } from "../pooling/pool-stage.ts";

/** Sums of so many bytes stay within int32. */
const MAX_ELEMENTS = 2 ** 22;

/** How a pool stores its elements; undefined for a type that has no emitted code. */
export function poolData(dtype: DType): PoolData | undefined {
  if (dtype === "float32") return "f32";
  return dtype === "int8" || dtype === "uint8" ? dtype : undefined;
}

function fastPool(fold: PoolFold): FastKernel {
  return ({ node }) => {
    const data = poolData(inputAt(node, 0).dtype);
    const geometry = poolGeometry(node);
    if (data === undefined || (fold === "l2" && data !== "f32")) return undefined;
    if (geometry.rows.filterSize * geometry.columns.filterSize > MAX_ELEMENTS) return undefined;
    const bytes = data === "f32" ? 4 : 1;
    const runs = windowRuns(geometry, bytes);
    if (runs === undefined) return undefined;
    const { min, max } = poolRange(node);
    const variant = { fold, data };
    const name = poolName(variant);
    const rowBytes = geometry.columns.inputSize * geometry.channels * bytes;
    const windows = runs.reduce((sum, run) => sum + run.windows * run.rows * run.columns, 0);
    const windowStride = geometry.columns.stride * geometry.channels * bytes;
    return {
      variant: name,
      functions: [{ name, emit: (module) => emitPool(module, variant) }],
      persistentBytes: 0,
      scratchBytes: 0,
      bind: (place) => {
        return ([input], [output]) => {
          const [from, to] = [addressOf(input), addressOf(output)];
          const calls = runs.map(({ source, windows, rows, columns, out }): PoolCall => {
            const window = [windowStride, windows, rows, rowBytes, columns] as const;
            return [from + source, ...window, geometry.channels, to + out, min, max];
          });
          place.callAll(name, calls, windows * geometry.channels);
        };
      },
    };
  };
}

/** Neighbouring windows of an output row that cover equally many elements; offsets in bytes. */
interface WindowRun {
  readonly source: number;
  readonly windows: number;
  readonly rows: number;
  readonly columns: number;
  readonly out: number;
}

/** More than any network has; a small file can ask for so many that their list fills the engine's heap. */
const MOST_RUNS = 2 ** 18;

/** All windows of a pool; undefined where one covers nothing, or where there are too many of them. */
function windowRuns(geometry: PoolGeometry, bytes: number): WindowRun[] | undefined {
  const { batch, rows, columns, channels } = geometry;
  const runs: WindowRun[] = [];
  const pixelBytes = channels * bytes;
  for (let line = 0; line < batch * rows.outputSize; line++) {
    if (runs.length > MOST_RUNS) return undefined;
    const top = (line % rows.outputSize) * rows.stride - rows.padBefore;
    const [firstRow, endRow] = insideRange(rows, top);
    const imageRow = Math.floor(line / rows.outputSize) * rows.inputSize + top + firstRow;
    for (let x = 0; x < columns.outputSize; ) {
      const [first, count] = columnsInside(x);
      const start = x;
      do x++;
      while (
        x < columns.outputSize &&
        count === columns.filterSize &&
        columnsInside(x)[1] === count
      );
      if (count === 0 || endRow === firstRow) return undefined;
      const column = start * columns.stride - columns.padBefore + first;
      runs.push({
        source: (imageRow * columns.inputSize + column) * pixelBytes,
        windows: x - start,
        rows: endRow - firstRow,
        columns: count,
        out: (line * columns.outputSize + start) * pixelBytes,
      });
    }
  }
  return runs;

  function columnsInside(x: number): [first: number, count: number] {
    const [first, end] = insideRange(columns, x * columns.stride - columns.padBefore);
    return [first, end - first];
  }
}

export const fastAveragePool: FastKernel = fastPool("average");
export const fastMaxPool: FastKernel = fastPool("max");
export const fastL2Pool: FastKernel = fastPool("l2");
