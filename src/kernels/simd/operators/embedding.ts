/**
 * EMBEDDING_LOOKUP from an int8 table to float32: the bytes of a row are copied into the linear memory and scaled there,
 * so the table stays where it is. Rows that are only copied are left to the reference, which copies them as well.
 */
import { elementCount } from "../../../base/shape.ts";
import { isBlockwise } from "../../reference/blockwise.ts";
import { eachId } from "../../reference/embedding-lookup.ts";
import { channelScales } from "../../reference/output-stage.ts";
import { hybridWeights } from "../../reference/weights.ts";
import { inputAt, outputAt } from "../../require.ts";
import { int32 } from "../../views.ts";
import {
  emitScaleBytes,
  SCALE_BYTES_NAME,
  type ScaleBytesFunction,
} from "../elementwise/emit-scale-bytes.ts";
import { addressOf, type FastKernel } from "../fast-kernel.ts";

export const fastEmbeddingLookup: FastKernel = ({ node, known }) => {
  const table = known(1);
  if (table?.dtype !== "int8" || outputAt(node, 0).dtype !== "float32") return undefined;
  if (isBlockwise(inputAt(node, 1))) return undefined;
  const count = elementCount(table.shape.slice(1));
  const scales = channelScales(node, table, table.shape[0]);
  return {
    variant: SCALE_BYTES_NAME,
    functions: [{ name: SCALE_BYTES_NAME, emit: emitScaleBytes }],
    persistentBytes: 0,
    scratchBytes: count,
    bind(place) {
      const values = hybridWeights(table);
      const row = new Int8Array(place.memory.buffer, place.scratch, count);
      const scale = place.call<ScaleBytesFunction>(SCALE_BYTES_NAME);
      return ([ids], [output]) => {
        const out = addressOf(output);
        eachId(node, int32(ids), (id, at) => {
          row.set(values.subarray(id * count, (id + 1) * count));
          scale(place.scratch, count, out + at * count * 4, scales[id]);
        });
      };
    },
  };
};
