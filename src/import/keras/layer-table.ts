/** Keras' layers and operations, by class. */

import type { Translate } from "./layer.ts";
import {
  cropping,
  flatten,
  permute,
  repeatVector,
  reshape,
  resizing,
  upSampling1d,
  upSampling2d,
  zeroPadding,
} from "./layers/arrangement.ts";
import { multiHeadAttention } from "./layers/attention.ts";
import {
  conv1d,
  conv2d,
  conv2dTranspose,
  conv3d,
  depthwiseConv1d,
  depthwiseConv2d,
  separableConv2d,
} from "./layers/convolution.ts";
import {
  activation,
  dense,
  elu,
  embedding,
  geluLayer,
  identity,
  layerScale,
  leakyReluLayer,
  masking,
  prelu,
  relu,
  rescaling,
  softmaxLayer,
} from "./layers/core.ts";
import { average, chain, concatenate, customScale, dot, subtract } from "./layers/merge.ts";
import {
  batchNormalization,
  groupNormalization,
  layerNormalization,
  normalization,
  rmsNormalization,
  unitNormalization,
} from "./layers/normalization.ts";
import {
  binaryOperation,
  castOperation,
  reduceOperation,
  reshapeOperation,
  softmaxOperation,
  splitOperation,
  transposeOperation,
  unaryOperation,
} from "./layers/operations.ts";
import { globalPool, pool1d, pool2d } from "./layers/pooling.ts";
import { bidirectional, recurrent } from "./layers/recurrent-layers.ts";
import type { LayerSpec } from "./model-spec.ts";

const LAYERS: ReadonlyMap<string, Translate> = new Map(
  Object.entries<Translate>({
    Activation: activation,
    ActivityRegularization: identity,
    Add: chain("AddV2"),
    AlphaDropout: identity,
    Average: average,
    AveragePooling1D: pool1d("AvgPool"),
    AveragePooling2D: pool2d("AvgPool"),
    BatchNormalization: batchNormalization,
    BatchNormalizationV1: batchNormalization,
    Bidirectional: bidirectional,
    Concatenate: concatenate,
    Conv1D: conv1d,
    Conv2D: conv2d,
    Conv2DTranspose: conv2dTranspose,
    Conv3D: conv3d,
    Convolution2D: conv2d,
    CustomScaleLayer: customScale,
    Cropping1D: cropping(1),
    Cropping2D: cropping(2),
    Cropping3D: cropping(3),
    Dense: dense,
    DepthwiseConv1D: depthwiseConv1d,
    DepthwiseConv2D: depthwiseConv2d,
    Dot: dot,
    Dropout: identity,
    ELU: elu,
    Embedding: embedding,
    Flatten: flatten,
    GELU: geluLayer,
    GRU: recurrent,
    GRUV2: recurrent,
    GaussianDropout: identity,
    GaussianNoise: identity,
    GlobalAveragePooling1D: globalPool("Mean"),
    GlobalAveragePooling2D: globalPool("Mean"),
    GlobalMaxPooling1D: globalPool("Max"),
    GlobalMaxPooling2D: globalPool("Max"),
    GroupNormalization: groupNormalization,
    Identity: identity,
    LSTM: recurrent,
    LSTMV2: recurrent,
    LayerScale: layerScale,
    LayerNormalization: layerNormalization,
    LeakyReLU: leakyReluLayer,
    Masking: masking,
    MaxPooling1D: pool1d("MaxPool"),
    MaxPooling2D: pool2d("MaxPool"),
    Maximum: chain("Maximum"),
    Minimum: chain("Minimum"),
    MultiHeadAttention: multiHeadAttention,
    Multiply: chain("Mul"),
    Normalization: normalization,
    PReLU: prelu,
    Permute: permute,
    RMSNormalization: rmsNormalization,
    RNN: recurrent,
    ReLU: relu,
    RepeatVector: repeatVector,
    Rescaling: rescaling,
    Reshape: reshape,
    Resizing: resizing,
    SeparableConv2D: separableConv2d,
    SimpleRNN: recurrent,
    Softmax: softmaxLayer,
    SpatialDropout1D: identity,
    SpatialDropout2D: identity,
    SpatialDropout3D: identity,
    StochasticDepth: identity,
    Subtract: subtract,
    UnifiedGRU: recurrent,
    UnifiedLSTM: recurrent,
    UnitNormalization: unitNormalization,
    UpSampling1D: upSampling1d,
    UpSampling2D: upSampling2d,
    ZeroPadding1D: zeroPadding(1),
    ZeroPadding2D: zeroPadding(2),
    ZeroPadding3D: zeroPadding(3),
  }),
);

const OPERATIONS: ReadonlyMap<string, Translate> = new Map(
  Object.entries<Translate>({
    Abs: unaryOperation("Abs"),
    Absolute: unaryOperation("Abs"),
    Add: binaryOperation("AddV2"),
    Cast: castOperation,
    Divide: binaryOperation("RealDiv"),
    Equal: binaryOperation("Equal", true),
    Exp: unaryOperation("Exp"),
    Greater: binaryOperation("Greater", true),
    Less: binaryOperation("Less", true),
    Log: unaryOperation("Log"),
    Max: reduceOperation("Max"),
    Maximum: binaryOperation("Maximum"),
    Mean: reduceOperation("Mean"),
    Min: reduceOperation("Min"),
    Minimum: binaryOperation("Minimum"),
    Multiply: binaryOperation("Mul"),
    Negative: unaryOperation("Neg"),
    NotEqual: binaryOperation("NotEqual", true),
    Power: binaryOperation("Pow"),
    Relu: unaryOperation("Relu"),
    Relu6: unaryOperation("Relu6"),
    Reshape: reshapeOperation,
    Sigmoid: unaryOperation("Sigmoid"),
    Softmax: softmaxOperation,
    Split: splitOperation,
    Sqrt: unaryOperation("Sqrt"),
    Square: unaryOperation("Square"),
    Subtract: binaryOperation("Sub"),
    Sum: reduceOperation("Sum"),
    Tanh: unaryOperation("Tanh"),
    Transpose: transposeOperation,
    TrueDivide: binaryOperation("RealDiv"),
  }),
);

/** Layers whose outputs have the mask of their inputs (supports_masking in Keras). */
const MASK_PASSING: ReadonlySet<string> = new Set([
  "Activation",
  "ActivityRegularization",
  "Add",
  "AlphaDropout",
  "Average",
  "BatchNormalization",
  "Bidirectional",
  "Concatenate",
  "Dense",
  "Dropout",
  "ELU",
  "GRU",
  "GaussianDropout",
  "GaussianNoise",
  "GroupNormalization",
  "Identity",
  "LSTM",
  "LayerNormalization",
  "LeakyReLU",
  "Maximum",
  "Minimum",
  "MultiHeadAttention",
  "Multiply",
  "Normalization",
  "PReLU",
  "RNN",
  "ReLU",
  "Rescaling",
  "SimpleRNN",
  "Softmax",
  "Subtract",
  "TimeDistributed",
  "UnitNormalization",
]);

export function passesMask(layer: LayerSpec): boolean {
  return !isOperation(layer) && MASK_PASSING.has(layer.className);
}

/** The translation of a layer; undefined where there is none. */
export function findTranslation(layer: LayerSpec): Translate | undefined {
  return (isOperation(layer) ? OPERATIONS : LAYERS).get(layer.className);
}

/**
 * Operations say so by their module; legacy files leave it out. There an operation is told from the layer of the same
 * name by its arguments, which it does not take as a list.
 */
function isOperation({ className, module, config, calls }: LayerSpec): boolean {
  if (module !== "") return module.includes(".ops.");
  if (!OPERATIONS.has(className)) return false;
  if (!LAYERS.has(className)) return true;
  const isReshape = className === "Reshape" && config.has("newshape");
  return isReshape || (calls[0]?.args.length ?? 0) > 1;
}
