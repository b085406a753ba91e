/** RESIZE_BILINEAR on float32 over linear memory. */
import { elementCount } from "../../../base/shape.ts";
import { optionsOf } from "../../options.ts";
import { floatTaps, requestedSize } from "../../reference/resizing.ts";
import { inputAt } from "../../require.ts";
import { addressOf, type FastKernel } from "../fast-kernel.ts";
import { BILINEAR_NAME, emitBilinear, TAP_BYTES } from "../resize/emit-bilinear.ts";

export const fastResizeBilinear: FastKernel = ({ node, known }) => {
  const { dtype, shape } = inputAt(node, 0);
  const size = requestedSize(node, known);
  if (dtype !== "float32" || size === undefined || elementCount(shape) === 0) return undefined;
  const [batch, height, width, depth] = shape;
  const options = optionsOf(node, "ResizeBilinearOptions");
  const rows = floatTaps(height, size[0], options);
  const columns = floatTaps(width, size[1], options);
  const pixelBytes = depth * 4;
  return {
    variant: BILINEAR_NAME,
    functions: [{ name: BILINEAR_NAME, emit: emitBilinear }],
    persistentBytes: columns.length * TAP_BYTES,
    scratchBytes: 0,
    bind(place) {
      const table = new DataView(place.memory.buffer, place.persistent);
      for (const [index, { lower, upper, weight }] of columns.entries()) {
        table.setInt32(index * TAP_BYTES, lower * pixelBytes, true);
        table.setInt32(index * TAP_BYTES + 4, upper * pixelBytes, true);
        table.setFloat32(index * TAP_BYTES + 8, weight, true);
      }
      return ([input], [output]) => {
        const [source, target] = [addressOf(input), addressOf(output)];
        const calls: number[][] = [];
        for (let b = 0; b < batch; b++) {
          for (const [y, { lower, upper, weight }] of rows.entries()) {
            const rowAt = (row: number) => source + (b * height + row) * width * pixelBytes;
            const out = target + (b * rows.length + y) * columns.length * pixelBytes;
            const span = [out, place.persistent, columns.length, depth] as const;
            calls.push([rowAt(lower), rowAt(upper), ...span, weight]);
          }
        }
        place.callAll(BILINEAR_NAME, calls);
      };
    },
  };
};
