/** The stage of products that leave their sums, as int32: C = sum + bias. */
import type { Local } from "../../../wasm/function-builder.ts";
import { emitAddTo } from "../emit-basics.ts";
import type { GemmStage } from "./emit-gemm.ts";
import { emitStores } from "./float-stage.ts";

/** Its one argument behind the common ones is the bias: int32 per column, padded to nr. */
export const sumStage: GemmStage = {
  params: ["i32"],
  outputBytes: 4,
  begin(f, params, { nr }) {
    const [bias] = params as [Local];
    return {
      startRows: () => undefined,
      finish(tile) {
        tile.columns.forEach((column, index) => {
          f.get(bias);
          f.mem("v128.load", 16 * index, 2);
          f.set(column);
        });
        for (const row of tile.sums) {
          row.forEach((sum, index) => {
            f.get(sum);
            f.get(tile.columns[index]);
            f.op("i32x4.add");
            f.set(sum);
          });
        }
        emitStores(f, tile);
      },
      nextPanel: () => emitAddTo(f, bias, nr * 4),
    };
  },
};
