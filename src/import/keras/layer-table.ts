/** Keras' layers and operations, by class. */

import type { Translate } from "./layer.ts";
import {
  centerCrop,
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
import {
  argOperation,
  clipOperation,
  concatenateOperation,
  expandDimsOperation,
  flipOperation,
  getItemOperation,
  matmulOperation,
  squeezeOperation,
  stackOperation,
  whereOperation,
} from "./layers/array-operations.ts";
import { multiHeadAttention } from "./layers/attention.ts";
import {
  conv1d,
  conv2d,
  conv3d,
  depthwiseConv1d,
  depthwiseConv2d,
  separableConv1d,
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
  thresholdedRelu,
} from "./layers/core.ts";
import { additiveAttention, attention } from "./layers/dot-attention.ts";
import { einsumDense } from "./layers/einsum-dense.ts";
import {
  functionName,
  functionOperation,
  isKnownFunction,
  slicing,
} from "./layers/function-operations.ts";
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
  activationOperation,
  binaryOperation,
  castOperation,
  geluOperation,
  leakyReluOperation,
  reduceOperation,
  reshapeOperation,
  roundOperation,
  softmaxOperation,
  splitOperation,
  transposeOperation,
  unaryOperation,
} from "./layers/operations.ts";
import { globalPool, pool1d, pool2d } from "./layers/pooling.ts";
import { bidirectional, recurrent } from "./layers/recurrent-layers.ts";
import {
  conv1dTranspose,
  conv2dTranspose,
  conv3dTranspose,
} from "./layers/transposed-convolution.ts";
import type { LayerSpec } from "./model-spec.ts";

const LAYERS: ReadonlyMap<string, Translate> = new Map(
  Object.entries<Translate>({
    Activation: activation,
    ActivityRegularization: identity,
    Add: chain("AddV2"),
    AdditiveAttention: additiveAttention,
    AlphaDropout: identity,
    Attention: attention,
    Average: average,
    AveragePooling1D: pool1d("AvgPool"),
    AveragePooling2D: pool2d("AvgPool"),
    BatchNormalization: batchNormalization,
    BatchNormalizationV1: batchNormalization,
    Bidirectional: bidirectional,
    Concatenate: concatenate,
    CenterCrop: centerCrop,
    Conv1D: conv1d,
    Conv1DTranspose: conv1dTranspose,
    Conv2D: conv2d,
    Conv2DTranspose: conv2dTranspose,
    Conv3D: conv3d,
    Conv3DTranspose: conv3dTranspose,
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
    EinsumDense: einsumDense,
    Embedding: embedding,
    Flatten: flatten,
    GELU: geluLayer,
    GRU: recurrent,
    GRUV2: recurrent,
    GaussianDropout: identity,
    GaussianNoise: identity,
    GlobalAveragePooling1D: globalPool("Mean"),
    GlobalAveragePooling2D: globalPool("Mean"),
    GlobalAveragePooling3D: globalPool("Mean"),
    GlobalMaxPooling1D: globalPool("Max"),
    GlobalMaxPooling2D: globalPool("Max"),
    GlobalMaxPooling3D: globalPool("Max"),
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
    RandomBrightness: identity,
    RandomContrast: identity,
    RandomFlip: identity,
    RandomRotation: identity,
    RandomTranslation: identity,
    RandomZoom: identity,
    ReLU: relu,
    RepeatVector: repeatVector,
    Rescaling: rescaling,
    Reshape: reshape,
    Resizing: resizing,
    SeparableConv1D: separableConv1d,
    SeparableConv2D: separableConv2d,
    SimpleRNN: recurrent,
    Softmax: softmaxLayer,
    SpatialDropout1D: identity,
    SpatialDropout2D: identity,
    SpatialDropout3D: identity,
    ThresholdedReLU: thresholdedRelu,
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
    All: reduceOperation("All"),
    Amax: reduceOperation("Max"),
    Amin: reduceOperation("Min"),
    Any: reduceOperation("Any"),
    Argmax: argOperation("ArgMax"),
    Argmin: argOperation("ArgMin"),
    Cast: castOperation,
    Ceil: unaryOperation("Ceil"),
    Clip: clipOperation,
    Concatenate: concatenateOperation,
    Cos: unaryOperation("Cos"),
    Divide: binaryOperation("RealDiv"),
    Elu: activationOperation("elu", { alpha: 1 }),
    Equal: binaryOperation("Equal", true),
    Exp: unaryOperation("Exp"),
    ExpandDims: expandDimsOperation,
    Expm1: unaryOperation("Expm1"),
    Flip: flipOperation,
    Floor: unaryOperation("Floor"),
    FloorDivide: binaryOperation("FloorDiv"),
    Gelu: geluOperation,
    GetItem: getItemOperation,
    Greater: binaryOperation("Greater", true),
    GreaterEqual: binaryOperation("GreaterEqual", true),
    HardSigmoid: activationOperation("hard_sigmoid"),
    HardSilu: activationOperation("hard_silu"),
    LeakyRelu: leakyReluOperation,
    Less: binaryOperation("Less", true),
    LessEqual: binaryOperation("LessEqual", true),
    Log: unaryOperation("Log"),
    Log1p: unaryOperation("Log1p"),
    LogSoftmax: activationOperation("log_softmax", { axis: -1 }),
    LogicalAnd: binaryOperation("LogicalAnd", true),
    LogicalNot: unaryOperation("LogicalNot"),
    LogicalOr: binaryOperation("LogicalOr", true),
    Matmul: matmulOperation,
    Max: reduceOperation("Max"),
    Maximum: binaryOperation("Maximum"),
    Mean: reduceOperation("Mean"),
    Min: reduceOperation("Min"),
    Minimum: binaryOperation("Minimum"),
    Mod: binaryOperation("FloorMod"),
    Multiply: binaryOperation("Mul"),
    Negative: unaryOperation("Neg"),
    NotEqual: binaryOperation("NotEqual", true),
    Power: binaryOperation("Pow"),
    Prod: reduceOperation("Prod"),
    Reciprocal: unaryOperation("Reciprocal"),
    Relu: unaryOperation("Relu"),
    Relu6: unaryOperation("Relu6"),
    Reshape: reshapeOperation,
    Round: roundOperation,
    Rsqrt: unaryOperation("Rsqrt"),
    Selu: unaryOperation("Selu"),
    Sigmoid: unaryOperation("Sigmoid"),
    Sign: unaryOperation("Sign"),
    Silu: activationOperation("silu"),
    Sin: unaryOperation("Sin"),
    Softmax: softmaxOperation,
    Softplus: unaryOperation("Softplus"),
    Softsign: unaryOperation("Softsign"),
    Split: splitOperation,
    Sqrt: unaryOperation("Sqrt"),
    Square: unaryOperation("Square"),
    Squeeze: squeezeOperation,
    Stack: stackOperation,
    Subtract: binaryOperation("Sub"),
    Sum: reduceOperation("Sum"),
    Tanh: unaryOperation("Tanh"),
    Transpose: transposeOperation,
    TrueDivide: binaryOperation("RealDiv"),
    Where: whereOperation,
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
  if (layer.className === "SlicingOpLambda") return slicing(getItemOperation);
  if (layer.className === "TFOpLambda") {
    return isKnownFunction(functionOf(layer)) ? functionOperation(OPERATIONS) : undefined;
  }
  return (isOperation(layer) ? OPERATIONS : LAYERS).get(layer.className);
}

/** What a layer does, as messages name it: its class, and the function where that is one for all. */
export function kindOf(layer: LayerSpec): string {
  return layer.className === "TFOpLambda"
    ? `TFOpLambda of tf.${functionOf(layer)}`
    : layer.className;
}

const functionOf = ({ config }: LayerSpec): string => functionName(config.text("function"));

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
