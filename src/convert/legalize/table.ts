/** All legalization rows: TensorFlow op → how it becomes TFLite operators. */
import { CONTROL_FLOW_ROWS } from "./control-flow.ts";
import { CONVOLUTION_ROWS } from "./convolution.ts";
import { CUSTOM_ROWS } from "./custom.ts";
import { DATA_MOVEMENT_ROWS } from "./data-movement.ts";
import { ELEMENTWISE_ROWS } from "./elementwise.ts";
import type { LegalizationRow } from "./lowering.ts";
import { RECURRENT_ROWS } from "./recurrent.ts";
import { REDUCTION_ROWS } from "./reductions.ts";
import { RESOURCE_ROWS } from "./resources.ts";

export const LEGALIZATION_ROWS: ReadonlyMap<string, LegalizationRow> = new Map([
  ...ELEMENTWISE_ROWS,
  ...CONVOLUTION_ROWS,
  ...DATA_MOVEMENT_ROWS,
  ...REDUCTION_ROWS,
  ...RECURRENT_ROWS,
  ...RESOURCE_ROWS,
  ...CONTROL_FLOW_ROWS,
  ...CUSTOM_ROWS,
]);
