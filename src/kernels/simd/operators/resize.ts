/** RESIZE_BILINEAR on float32, int8 and uint8 over linear memory. */
import { elementCount } from "../../../base/shape.ts";
import { optionsOf } from "../../options.ts";
import { floatTaps, integerTaps, requestedSize } from "../../reference/resizing.ts";
import { inputAt } from "../../require.ts";
import { addressOf, type FastKernel } from "../fast-kernel.ts";
import { bilinearName, emitBilinear, TAP_BYTES } from "../resize/emit-bilinear.ts";
import { poolData } from "./pool.ts";

export const fastResizeBilinear: FastKernel = ({ node, known }) => {
  const { dtype, shape } = inputAt(node, 0);
  const size = requestedSize(node, known);
  const data = poolData(dtype);
  if (data === undefined || size === undefined || elementCount(shape) === 0) return undefined;
  const [batch, height, width, depth] = shape;
  const options = optionsOf(node, "ResizeBilinearOptions");
  const taps = data === "int8" ? integerTaps : floatTaps;
  const rows = taps(height, size[0], options);
  const columns = taps(width, size[1], options);
  const pixelBytes = depth * (data === "f32" ? 4 : 1);
  const name = bilinearName(data);
  return {
    variant: name,
    functions: [{ name, emit: (module) => emitBilinear(module, data) }],
    persistentBytes: columns.length * TAP_BYTES,
    scratchBytes: 0,
    bind(place) {
      const table = new DataView(place.memory.buffer, place.persistent);
      for (const [index, { lower, upper, weight }] of columns.entries()) {
        table.setInt32(index * TAP_BYTES, lower * pixelBytes, true);
        table.setInt32(index * TAP_BYTES + 4, upper * pixelBytes, true);
        if (data === "int8") table.setInt32(index * TAP_BYTES + 8, weight, true);
        else table.setFloat32(index * TAP_BYTES + 8, weight, true);
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
        place.callAll(name, calls, 4 * calls.length * columns.length * depth);
      };
    },
  };
};
