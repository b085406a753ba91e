/**
 * From a sample to a model's input: choose channels, cut out the centre, resize, scale, quantize. Scaling is
 * real = (x − mean) × scale; a quantized input then stores round(real / its own scale) + its own zero point.
 */
import type { DType, TypedArray } from "../base/dtype.ts";
import { ShapeError, UnsupportedError, UsageError } from "../base/errors.ts";
import { narrowFloat16, widenFloat16 } from "../base/float16.ts";
import { roundHalfAway } from "../base/rounding.ts";
import { elementCount, formatShape, type Shape } from "../base/shape.ts";
import type { Quantization } from "../model/ir.ts";
import { isImage, type Sample, type SampleArray } from "./dataset.ts";
import { centralSquare, type Image, withChannels } from "./image.ts";
import { type ResizeMethod, resize } from "./resize.ts";

/** How samples become inputs. Whatever is left out is not done, except for the scaling of images: see `toModelInput`. */
export interface Preprocessing {
  /** Fraction of the shorter side that a central square keeps; without it the whole image is resized. */
  readonly crop?: number;
  /** How images are resized; antialiased by default. */
  readonly resize?: ResizeMethod;
  /** One number, or one for each channel (the last dimension). 0 where only `scale` is given. */
  readonly mean?: readonly number[];
  /** One number, or one for each channel. 1 where only `mean` is given. */
  readonly scale?: readonly number[];
}

export type PreprocessingPreset = "mobilenet" | "efficientnet" | "torchvision";

/** What the training code of well-known families of ImageNet classifiers does to its images. */
export const PREPROCESSING_PRESETS: Readonly<Record<PreprocessingPreset, Preprocessing>> = {
  /** MobileNet, Inception, NASNet: −1..1. */
  mobilenet: { crop: 0.875, mean: [127.5], scale: [1 / 127.5] },
  /** EfficientNet and MobileNetV3 of Keras, which scale inside the model: 0..255. */
  efficientnet: { crop: 0.875, mean: [0], scale: [1] },
  /** Models that came from PyTorch: mean and standard deviation of ImageNet, by channel. */
  torchvision: {
    crop: 0.875,
    mean: [123.675, 116.28, 103.53],
    scale: [1 / 58.395, 1 / 57.12, 1 / 57.375],
  },
};

/** What must be known of a model's input; `TensorDetails` of the interpreter has it. */
export interface InputDescription {
  readonly name: string;
  readonly shape: Shape;
  readonly dtype: DType;
  readonly quantization?: Quantization;
}

const INTEGERS = {
  int8: { least: -128, largest: 127, array: Int8Array },
  uint8: { least: 0, largest: 255, array: Uint8Array },
  int16: { least: -32_768, largest: 32_767, array: Int16Array },
  uint16: { least: 0, largest: 65_535, array: Uint16Array },
  int32: { least: -(2 ** 31), largest: 2 ** 31 - 1, array: Int32Array },
  uint32: { least: 0, largest: 2 ** 32 - 1, array: Uint32Array },
} as const;

/**
 * Makes the elements of a model's input from one sample.
 *
 * Without `mean` and `scale`, images are scaled as TensorFlow Lite's tools do: to −1..1 for float inputs, to the pixel
 * itself for uint8, to pixel − 128 for int8. Arrays of the input's own type then go in unchanged, others as real values.
 * @throws {ShapeError} when the sample does not fit the input
 * @throws {UnsupportedError} for inputs of strings, booleans or complex numbers
 */
export function toModelInput(
  sample: Sample,
  input: InputDescription,
  preprocessing: Preprocessing = {},
): TypedArray {
  const { value } = sample;
  const isScaled = preprocessing.mean !== undefined || preprocessing.scale !== undefined;
  if (isImage(value)) {
    const pixels = fitImage(value, sample.name, input, preprocessing);
    if (isScaled) return encodeReal(scaled(pixels, input, preprocessing), input);
    if (input.dtype === "uint8") return integers(pixels, "uint8");
    if (input.dtype === "int8")
      return integers(
        pixels.map((pixel) => pixel - 128),
        "int8",
      );
    return encodeReal(scaled(pixels, input, PREPROCESSING_PRESETS.mobilenet), input);
  }
  checkCount(value, sample.name, input);
  if (!isScaled && value.dtype === input.dtype) return value.data.slice();
  const real = toFloats(value, sample.name);
  return encodeReal(isScaled ? scaled(real, input, preprocessing) : real, input);
}

function fitImage(
  image: Image,
  name: string,
  input: InputDescription,
  preprocessing: Preprocessing,
): Float32Array {
  const [batch, height, width, channels] = input.shape;
  if (
    input.shape.length !== 4 ||
    batch !== 1 ||
    height === undefined ||
    width === undefined ||
    channels === undefined
  ) {
    throw new ShapeError({
      where: `input "${input.name}"`,
      found: `shape ${formatShape(input.shape)} for the image ${name}`,
      expected: "[1, height, width, channels]",
      remedy: "Give the data as an .npy array",
    });
  }
  const coloured = withChannels(image, channels);
  const cut =
    preprocessing.crop === undefined ? coloured : centralSquare(coloured, preprocessing.crop);
  return resize(cut, width, height, preprocessing.resize ?? "antialiased");
}

function scaled(
  values: Float32Array,
  input: InputDescription,
  { mean = [0], scale = [1] }: Preprocessing,
): Float32Array {
  const channels = input.shape.at(-1) ?? 1;
  const means = perChannel(mean, channels, "mean");
  const scales = perChannel(scale, channels, "scale");
  return values.map((value, index) => {
    const channel = index % channels;
    return (value - means[channel]!) * scales[channel]!;
  });
}

function perChannel(numbers: readonly number[], channels: number, option: string): number[] {
  const [only] = numbers;
  if (numbers.length === 1 && only !== undefined) return new Array<number>(channels).fill(only);
  if (numbers.length === channels) return [...numbers];
  throw new UsageError({
    where: option,
    found: `${numbers.length} numbers`,
    expected: `one, or one for each of ${channels} channels`,
    option,
  });
}

function checkCount(value: SampleArray, name: string, input: InputDescription): void {
  const perElement = value.dtype.startsWith("complex") ? 2 : 1;
  const found = value.data.length / perElement;
  const wanted = elementCount(input.shape);
  if (found === wanted) return;
  throw new ShapeError({
    where: name,
    found: `${found} numbers`,
    expected: `${wanted} for input "${input.name}" ${formatShape(input.shape)}`,
    remedy:
      "Check that the data set belongs to this model and was read with the right element type",
  });
}

function toFloats({ dtype, data }: SampleArray, name: string): Float32Array {
  if (dtype === "float16" && data instanceof Uint16Array) {
    const wide = new Float32Array(data.length);
    widenFloat16(data, wide);
    return wide;
  }
  if (dtype.startsWith("complex")) throw unsupported(name, dtype);
  return Float32Array.from<number | bigint>(data, Number);
}

/** Writes real values in the input's element type. */
function encodeReal(real: Float32Array, input: InputDescription): TypedArray {
  const { dtype, quantization } = input;
  if (dtype === "float32") return real;
  if (dtype === "float64") return Float64Array.from(real);
  if (dtype === "int64") return BigInt64Array.from(real, (value) => BigInt(Math.round(value)));
  if (dtype === "float16") {
    const bits = new Uint16Array(real.length);
    narrowFloat16(real, bits);
    return bits;
  }
  const scale = quantization?.scale[0];
  if (scale === undefined || scale === 0) return integers(real, dtype);
  const zeroPoint = quantization?.zeroPoint[0] ?? 0;
  return integers(
    real.map((value) => roundHalfAway(value / scale) + zeroPoint),
    dtype,
  );
}

function integers(values: Float32Array, dtype: DType): TypedArray {
  if (!isIntegerType(dtype)) throw unsupported("input", dtype);
  const { least, largest, array } = INTEGERS[dtype];
  const whole = new array(values.length);
  for (const [index, value] of values.entries()) {
    whole[index] = Math.min(largest, Math.max(least, roundHalfAway(value)));
  }
  return whole;
}

function isIntegerType(dtype: DType): dtype is keyof typeof INTEGERS {
  return dtype in INTEGERS;
}

function unsupported(where: string, dtype: DType): UnsupportedError {
  return new UnsupportedError({
    where,
    found: `elements of ${dtype}`,
    expected: "integers or real numbers",
    features: [`evaluation with ${dtype} inputs`],
  });
}
