/** Numbers that belong to rows of A: how the tiles of a panel walk over them. */
import type { FunctionBuilder, Local } from "../../../wasm/function-builder.ts";
import { emitCopy } from "../emit-basics.ts";
import type { Tile } from "./emit-gemm.ts";

export interface RowAddresses {
  /** Address of the tile's first row; left at the next tile's. */
  readonly next: Local;
  /** Bytes from row to row; 0 where all rows share one number. */
  readonly stride: Local;
  /** One per row of the tile. */
  readonly addresses: readonly Local[];
}

/** Sets the addresses of a tile's rows. Rows that are not there repeat the last. */
export function emitRowAddresses(
  f: FunctionBuilder,
  { rowsLeft }: Tile,
  { next, stride, addresses }: RowAddresses,
): void {
  addresses.forEach((address, row) => {
    emitCopy(f, next, address);
    f.get(next);
    f.get(stride);
    f.i32(0);
    f.get(rowsLeft);
    f.i32(row + 1);
    f.op("i32.gt_s");
    f.select();
    f.op("i32.add");
    f.set(next);
  });
}
