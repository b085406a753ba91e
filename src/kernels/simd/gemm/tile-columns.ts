/** How a stage tells whole tiles from those that reach beyond the last column of C. */
import type { FunctionBuilder } from "../../../wasm/function-builder.ts";
import type { Tile } from "./emit-gemm.ts";

/** Emits `whole` for tiles whose columns are all in C and `part` for the others, where there may be such. */
export function emitByColumns(
  f: FunctionBuilder,
  { variant, columnsLeft }: Tile,
  whole: () => void,
  part: (columnsLeft: NonNullable<Tile["columnsLeft"]>) => void,
): void {
  if (columnsLeft === undefined) {
    whole();
    return;
  }
  f.get(columnsLeft);
  f.i32(variant.nr);
  f.op("i32.ge_s");
  f.if(whole, () => part(columnsLeft));
}
