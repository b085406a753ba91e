/** Operators in plain TypeScript that few models have, by name: loaded for those that have one. */
import type { KernelTable } from "../kernel.ts";
import { AUDIO } from "./audio.ts";
import { CONTROL_FLOW } from "./control-flow.ts";
import { CONV_3D_FAMILY } from "./conv-3d.ts";
import { DETECTION_POSTPROCESS } from "./detection-postprocess.ts";
import { EMBEDDING_LOOKUP_SPARSE } from "./embedding-lookup-sparse.ts";
import { FOURIER } from "./fourier.ts";
import { LSTM } from "./lstm.ts";
import { MEDIAPIPE_LANDMARKS } from "./mediapipe-landmarks.ts";
import { MEDIAPIPE_POOLING } from "./mediapipe-pooling.ts";
import { NON_MAX_SUPPRESSION } from "./non-max-suppression.ts";
import { RANDOM } from "./random.ts";
import { RESOURCES } from "./resource-variables.ts";
import { RNN } from "./rnn.ts";
import { SEGMENTS } from "./segments.ts";
import { STABLEHLO } from "./stablehlo.ts";
import { SVDF } from "./svdf.ts";
import { TEXT } from "./text.ts";
import { WINDOWS } from "./windows.ts";

export const RARE_KERNELS: KernelTable = {
  EMBEDDING_LOOKUP_SPARSE,
  ...LSTM,
  ...RNN,
  ...SVDF,
  ...CONTROL_FLOW,
  ...RESOURCES,
  ...SEGMENTS,
  ...NON_MAX_SUPPRESSION,
  ...RANDOM,
  ...FOURIER,
  ...CONV_3D_FAMILY,
  ...WINDOWS,
  ...STABLEHLO,
  ...TEXT,
};

/** Custom operators that are built in, by custom code. */
export const REFERENCE_CUSTOM_KERNELS: KernelTable = {
  ...AUDIO,
  ...MEDIAPIPE_LANDMARKS,
  ...MEDIAPIPE_POOLING,
  TFLite_Detection_PostProcess: DETECTION_POSTPROCESS,
};
