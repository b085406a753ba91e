import type { DType, TensorData } from "../../base/dtype.ts";
import type { Shape } from "../../base/shape.ts";

/** A tensor as a file holds it. `data` may alias the file's bytes. */
export interface TensorRecord {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly data: TensorData;
}
