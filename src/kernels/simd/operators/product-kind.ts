/** What a product is made of, before a tile is chosen: constants, what comes before it, and how its function is called. */
import type { ActivationFunctionType } from "../../../formats/tflite/schema.gen.ts";
import type { KernelNode } from "../../kernel.ts";
import type { ClampRange } from "../../reference/activation.ts";
import type { FactorPrecision } from "../../reference/output-stage.ts";
import type { ByteType } from "../activations/emit-quantize.ts";
import type { GemmCommon } from "../gemm/emit-gemm.ts";
import type { PairLists } from "../gemm/pair-lists.ts";
import type { GemmData } from "../gemm/variants.ts";
import type { ActivationPass } from "./activation-pass.ts";
import type { ImageWindows } from "./image-windows.ts";

/** What an operator says about its product. */
export interface ProductRequest {
  /** Rows that are multiplied at a time. */
  readonly rows: number;
  /** Columns of the result. */
  readonly n: number;
  /** Length of the sums. */
  readonly k: number;
  readonly activation: ActivationFunctionType;
  /** The range of an activation on floats: whether overflow stops at the largest float is the operator's own. */
  floatRange(node: KernelNode, activation: ActivationFunctionType): ClampRange;
  /** Whether float activations are quantized with a zero point, where they are. */
  readonly asymmetric: boolean;
  /** Whether all rows are quantized alike, where they are floats. */
  readonly oneScale: boolean;
  /** How integer products compute their factors. */
  readonly precision: FactorPrecision;
  /** Where rows may be windows of an image, read where they lie (`image-windows.ts`). */
  readonly windows?: Pick<ImageWindows, "steps" | "rowElements">;
  /** The activation behind a sum with a tensor of the result's shape, where there is one. Only float results have one. */
  readonly residual?: ActivationFunctionType;
}

/** How far a tensor that is added lies behind the result, in bytes. Set before each run. */
export interface ResidualPlace {
  distance: number;
}

/** Scales (float32) and zero points (int32) of the rows of a hybrid product, `stride` bytes apart (0: one for all). */
export interface RowParameters {
  readonly scales: number;
  readonly zeroPoints: number;
  readonly stride: number;
}

/** The same, terms of rows (int32, 4 bytes apart) where the product has some, and a tensor to add where there is one. */
export interface StageRows extends RowParameters {
  readonly terms: number;
  readonly residual: ResidualPlace;
}

/** Numbers that a stage reads, one per column of the result. */
export type StageColumn = Float32Array | Int32Array | Float64Array;

/** The stage's arguments for a block of rows from `row` on and columns from `column` on. */
export type StageArguments = (row: number, column: number) => readonly number[];

/** A stage's own arguments: those behind the common ones. */
export type StageOf<Gemm extends (...args: never[]) => void> =
  Parameters<Gemm> extends [...GemmCommon, ...infer Rest] ? Rest : never;

/** Sums of rows of bytes that are needed before the product, times `factor`. */
export interface RowSums {
  readonly from: ByteType;
  readonly factor: number;
}

export interface ProductKind {
  readonly data: GemmData;
  /** How the weights are packed for dot products of pairs, where these serve best. */
  readonly lists?: PairLists | undefined;
  /** Whether integer results are made in doubles. */
  readonly smallSums: boolean;
  /** Made when they are packed, so that no unpacked copy outlives it. */
  weights(): Float32Array | Int8Array | Int16Array;
  readonly columns: readonly StageColumn[];
  /** Undefined where the product reads activations as they are. */
  readonly pass: ActivationPass | undefined;
  /** Zero point of activations that no pass prepares. */
  readonly zeroPoint: number;
  readonly rowSums?: RowSums;
  /** Bytes of an element of the operator's input and output. */
  readonly elementBytes: number;
  /** `columns`: addresses of the packed columns. */
  bindStage(columns: readonly number[], rows: StageRows): StageArguments;
}
