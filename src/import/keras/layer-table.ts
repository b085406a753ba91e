/** Keras' layers, by class. */
import { isObject } from "./config.ts";
import type { Translate } from "./layer.ts";
import { adaptivePool } from "./layers/adaptive-pooling.ts";
import {
  cropping,
  flatten,
  permute,
  repeatVector,
  reshape,
  zeroPadding,
} from "./layers/arrangement.ts";
import { getItemOperation } from "./layers/array-operations.ts";
import { groupedQueryAttention, multiHeadAttention } from "./layers/attention.ts";
import {
  conv,
  depthwiseConv1d,
  depthwiseConv2d,
  separableConv1d,
  separableConv2d,
} from "./layers/convolution.ts";
import {
  activation,
  activationLayer,
  dense,
  embedding,
  identity,
  layerScale,
  leakyReluLayer,
  masking,
  prelu,
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
  isKnownNode,
  nodeOperation,
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
import { categoryEncoding, discretization } from "./layers/order-operations.ts";
import { globalPool, pool, pool1d } from "./layers/pooling.ts";
import { bidirectional, recurrent } from "./layers/recurrent-layers.ts";
import {
  centerCrop,
  resizing,
  upSampling1d,
  upSampling2d,
  upSampling3d,
} from "./layers/resizing.ts";
import { convTranspose } from "./layers/transposed-convolution.ts";
import type { LayerSpec } from "./model-spec.ts";
import { OPERATIONS } from "./operation-table.ts";

const LAYERS: ReadonlyMap<string, Translate> = new Map(
  Object.entries<Translate>({
    Activation: activation,
    ActivityRegularization: identity,
    AdaptiveAveragePooling1D: adaptivePool("AvgPool"),
    AdaptiveAveragePooling2D: adaptivePool("AvgPool"),
    AdaptiveAveragePooling3D: adaptivePool("AvgPool"),
    AdaptiveMaxPooling1D: adaptivePool("MaxPool"),
    AdaptiveMaxPooling2D: adaptivePool("MaxPool"),
    AdaptiveMaxPooling3D: adaptivePool("MaxPool"),
    Add: chain("AddV2"),
    AdditiveAttention: additiveAttention,
    AlphaDropout: identity,
    Attention: attention,
    AugMix: identity,
    Average: average,
    AveragePooling1D: pool1d("AvgPool"),
    AveragePooling2D: pool("AvgPool"),
    AveragePooling3D: pool("AvgPool3D"),
    BatchNormalization: batchNormalization,
    BatchNormalizationV1: batchNormalization,
    Bidirectional: bidirectional,
    CategoryEncoding: categoryEncoding,
    CenterCrop: centerCrop,
    Concatenate: concatenate,
    Conv1D: conv(1),
    Conv1DTranspose: convTranspose(1),
    Conv2D: conv(2),
    Conv2DTranspose: convTranspose(2),
    Conv3D: conv(3),
    Conv3DTranspose: convTranspose(3),
    ConvLSTM1D: recurrent,
    ConvLSTM2D: recurrent,
    ConvLSTM3D: recurrent,
    Convolution2D: conv(2),
    CustomScaleLayer: customScale,
    Cropping1D: cropping(1),
    Cropping2D: cropping(2),
    Cropping3D: cropping(3),
    CutMix: identity,
    Dense: dense,
    DepthwiseConv1D: depthwiseConv1d,
    DepthwiseConv2D: depthwiseConv2d,
    Discretization: discretization,
    Dot: dot,
    Dropout: identity,
    ELU: activationLayer("elu"),
    EinsumDense: einsumDense,
    Embedding: embedding,
    Flatten: flatten,
    GELU: activationLayer("gelu"),
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
    GroupedQueryAttention: groupedQueryAttention,
    GroupQueryAttention: groupedQueryAttention,
    Identity: identity,
    LSTM: recurrent,
    LSTMV2: recurrent,
    LayerScale: layerScale,
    LayerNormalization: layerNormalization,
    LeakyReLU: leakyReluLayer,
    Masking: masking,
    MaxPooling1D: pool1d("MaxPool"),
    MaxPooling2D: pool("MaxPool"),
    MaxPooling3D: pool("MaxPool3D"),
    Maximum: chain("Maximum"),
    Minimum: chain("Minimum"),
    MixUp: identity,
    MultiHeadAttention: multiHeadAttention,
    Multiply: chain("Mul"),
    Normalization: normalization,
    PReLU: prelu,
    Permute: permute,
    RMSNormalization: rmsNormalization,
    RNN: recurrent,
    RandAugment: identity,
    RandomBrightness: identity,
    RandomColorDegeneration: identity,
    RandomColorJitter: identity,
    RandomContrast: identity,
    RandomElasticTransform: identity,
    RandomErasing: identity,
    RandomFlip: identity,
    RandomGaussianBlur: identity,
    RandomGrayscale: identity,
    RandomHue: identity,
    RandomInvert: identity,
    RandomPerspective: identity,
    RandomPosterization: identity,
    RandomRotation: identity,
    RandomSaturation: identity,
    RandomSharpness: identity,
    RandomShear: identity,
    RandomTranslation: identity,
    RandomZoom: identity,
    ReLU: activationLayer("relu"),
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
    UpSampling3D: upSampling3d,
    ZeroPadding1D: zeroPadding(1),
    ZeroPadding2D: zeroPadding(2),
    ZeroPadding3D: zeroPadding(3),
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
  "GaussianDropout",
  "GaussianNoise",
  "GroupNormalization",
  "Identity",
  "LayerNormalization",
  "LeakyReLU",
  "Maximum",
  "Minimum",
  "MultiHeadAttention",
  "Multiply",
  "Normalization",
  "PReLU",
  "ReLU",
  "Rescaling",
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
    return isKnownFunction(functionOf(layer)) ? functionOperation : undefined;
  }
  if (layer.className === "TensorFlowOpLayer") {
    return isKnownNode(nodeOf(layer)) ? nodeOperation : undefined;
  }
  return (isOperation(layer) ? OPERATIONS : LAYERS).get(layer.className);
}

/** What a layer does, as messages name it: its class, and the function where that is one for all. */
export function kindOf(layer: LayerSpec): string {
  if (layer.className === "TFOpLambda") return `TFOpLambda of tf.${functionOf(layer)}`;
  if (layer.className === "TensorFlowOpLayer") return `TensorFlowOpLayer of ${nodeOf(layer)}`;
  return layer.className;
}

/** The op of a node; files of TensorFlow 2.0 and 2.1 have the node as bytes. */
const nodeOf = ({ config }: LayerSpec): string =>
  isObject(config.get("node_def")) ? config.object("node_def").text("op") : "serialized bytes";

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
