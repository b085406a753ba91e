/** Files with kernels of operators that not all models have: which they serve, so that a model loads just what it needs. */
import type { KernelTable } from "../kernels/kernel.ts";
import type { FastKernelTable } from "../kernels/simd/fast-kernel.ts";

/** Kernels of one file. */
export interface KernelSet {
  readonly KERNELS: KernelTable;
  /** Of custom operators, by custom code. */
  readonly CUSTOM_KERNELS: KernelTable;
  readonly FAST_KERNELS: FastKernelTable;
}

export interface KernelFile {
  readonly name: string;
  /** Names of builtin operators, with spaces between them. */
  readonly operators: string;
  /** Codes of custom operators, likewise. */
  readonly customOperators: string;
  load(): Promise<KernelSet>;
}

/** `kernel-catalog.test.ts` holds the names to what is in the files. */
export const KERNEL_FILES: readonly KernelFile[] = [
  {
    name: "occasional-kernels.js",
    operators: `
      ABS ADD_N ARG_MAX ARG_MIN BATCH_MATMUL BATCH_TO_SPACE_ND BITWISE_XOR BROADCAST_TO BUCKETIZE CAST CEIL COMPLEX_ABS COS
      CUMSUM DEPTH_TO_SPACE DYNAMIC_UPDATE_SLICE EMBEDDING_LOOKUP EQUAL EXP FAKE_QUANT FILL FLOOR GATHER GATHER_ND GREATER
      GREATER_EQUAL HASHTABLE_LOOKUP IMAG L2_NORMALIZATION LESS LESS_EQUAL LOCAL_RESPONSE_NORMALIZATION LOG LOGICAL_AND
      LOGICAL_NOT LOGICAL_OR LOG_SOFTMAX MATRIX_DIAG MATRIX_SET_DIAG MIRROR_PAD NEG NOT_EQUAL ONE_HOT RANGE REAL
      RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_SEQUENCE REVERSE_V2 RIGHT_SHIFT ROUND RSQRT SCATTER_ND SELECT
      SELECT_V2 SIGN SIN SLICE SPACE_TO_BATCH_ND SPACE_TO_DEPTH SPARSE_TO_DENSE SQRT SQUARE STRIDED_SLICE TILE TOPK_V2
      TRANSPOSE TRANSPOSE_CONV UNIQUE WHERE`,
    customOperators: "",
    load: () => import("../kernels/occasional-kernels.ts"),
  },
  {
    name: "rare-kernels.js",
    operators: `
      ASSIGN_VARIABLE BIDIRECTIONAL_SEQUENCE_LSTM BIDIRECTIONAL_SEQUENCE_RNN CALL_ONCE CONV_3D CONV_3D_TRANSPOSE DILATE
      EMBEDDING_LOOKUP_SPARSE HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE IF LSH_PROJECTION LSTM MULTINOMIAL
      NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 RANDOM_STANDARD_NORMAL RANDOM_UNIFORM READ_VARIABLE REDUCE_WINDOW
      RFFT2D RNN SEGMENT_SUM SKIP_GRAM STABLEHLO_ADD STABLEHLO_AND STABLEHLO_CASE STABLEHLO_COMPOSITE STABLEHLO_GATHER
      STABLEHLO_MAXIMUM STABLEHLO_MINIMUM STABLEHLO_MULTIPLY STABLEHLO_PAD STABLEHLO_REDUCE_WINDOW
      STABLEHLO_RNG_BIT_GENERATOR STABLEHLO_SCATTER STABLEHLO_SHIFT_LEFT SVDF UNIDIRECTIONAL_SEQUENCE_LSTM
      UNIDIRECTIONAL_SEQUENCE_RNN UNSORTED_SEGMENT_MAX UNSORTED_SEGMENT_MIN UNSORTED_SEGMENT_PROD UNSORTED_SEGMENT_SUM
      VAR_HANDLE WHILE`,
    customOperators: `
      AudioSpectrogram Convolution2DTransposeBias Landmarks2TransformMatrix MaxPoolingWithArgmax2D MaxUnpooling2D Mfcc
      TFLite_Detection_PostProcess TransformLandmarks TransformTensorBilinear`,
    load: () => import("../kernels/rare-kernels.ts"),
  },
];

/** The operators that a file serves: builtin ones by name, or custom ones by code. */
export function namesIn(
  { operators, customOperators }: Pick<KernelFile, "operators" | "customOperators">,
  custom: boolean,
): readonly string[] {
  return (custom ? customOperators : operators).split(/\s+/).filter((name) => name !== "");
}
