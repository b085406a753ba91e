/**
 * The audio operators of TensorFlow Lite: AudioSpectrogram (short-time Fourier transform of audio[samples, channels] to
 * power[channels, frames, frequencies]) and Mfcc (mel-frequency cepstral coefficients of such a spectrogram and a sample
 * rate). TensorFlow Lite 2.21, kernels/audio_spectrogram.cc, mfcc.cc and kernels/internal/{spectrogram, mfcc*}.cc.
 */
import type { Kernel, KernelNode, KernelTable } from "../kernel.ts";
import {
  badValue,
  inputAt,
  outputAt,
  requireOperands,
  requireRank,
  requireType,
  unsupported,
} from "../require.ts";
import { float32, present } from "../views.ts";
import { OptionMap } from "./custom-options.ts";
import { integersOf } from "./elements.ts";
import { fourierTransform } from "./fourier.ts";

interface SpectrogramOptions {
  readonly windowSize: number;
  readonly stride: number;
  readonly squared: boolean;
}

function spectrogramOptions(node: KernelNode): SpectrogramOptions {
  const map = new OptionMap(node);
  const [windowSize, stride] = [map.number("window_size"), map.number("stride")];
  if (windowSize >= 2 && windowSize <= 2 ** 20 && stride >= 1) {
    return { windowSize, stride, squared: map.number("magnitude_squared", 0) !== 0 };
  }
  throw unsupported(node, `with window ${windowSize} and stride ${stride}`);
}

function powerOfTwoFrom(size: number): number {
  return 2 ** Math.ceil(Math.log2(size));
}

const AUDIO_SPECTROGRAM: Kernel = {
  check(node) {
    requireOperands(node, [1, 1]);
    requireType(node, inputAt(node, 0), ["float32"], "audio");
    requireType(node, outputAt(node, 0), ["float32"], "output");
    spectrogramOptions(node);
  },
  shapes(node) {
    const { shape } = inputAt(node, 0);
    requireRank(node, shape, [2, 2], "audio");
    const { windowSize, stride } = spectrogramOptions(node);
    const frames = shape[0] < windowSize ? 0 : 1 + Math.floor((shape[0] - windowSize) / stride);
    return [[shape[1], frames, 1 + powerOfTwoFrom(windowSize) / 2]];
  },
  create(node) {
    const { windowSize, stride, squared } = spectrogramOptions(node);
    const length = powerOfTwoFrom(windowSize);
    const hann = Float64Array.from(
      { length: windowSize },
      (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / windowSize),
    );
    return (inputs, outputs) => {
      const [audio, out] = [float32(inputs[0]), float32(outputs[0])];
      const [channels, frames, frequencies] = present(outputs[0]).shape;
      for (let c = 0; c < channels; c++) {
        for (let frame = 0; frame < frames; frame++) {
          const [real, imaginary] = [new Float64Array(length), new Float64Array(length)];
          for (let i = 0; i < windowSize; i++) {
            real[i] = audio[(frame * stride + i) * channels + c] * hann[i];
          }
          fourierTransform(real, imaginary);
          for (let f = 0; f < frequencies; f++) {
            const power = real[f] ** 2 + imaginary[f] ** 2;
            out[(c * frames + frame) * frequencies + f] = squared ? power : Math.sqrt(power);
          }
        }
      }
    };
  },
};

interface MfccOptions {
  readonly lowest: number;
  readonly highest: number;
  readonly bands: number;
  readonly coefficients: number;
}

function mfccOptions(node: KernelNode): MfccOptions {
  const map = new OptionMap(node);
  const options = {
    highest: map.number("upper_frequency_limit", 4000),
    lowest: map.number("lower_frequency_limit", 20),
    bands: map.number("filterbank_channel_count", 40),
    coefficients: map.number("dct_coefficient_count", 13),
  };
  const { lowest, highest, bands, coefficients } = options;
  const countsFit = bands >= 1 && bands <= 4096 && coefficients >= 1 && coefficients <= bands;
  if (countsFit && lowest >= 0 && highest > lowest) return options;
  throw unsupported(node, `with ${bands} bands from ${lowest} to ${highest} Hz`);
}

const toMel = (hertz: number) => 1127 * Math.log1p(hertz / 700);

/** What frequency bin i gives to band `band[i]`; the rest of it goes to the next one. */
interface Filterbank {
  readonly first: number;
  readonly last: number;
  readonly band: Int32Array;
  readonly weight: Float64Array;
}

/** Triangular bands, evenly spaced in mel. */
function filterbank(options: MfccOptions, bins: number, rate: number): Filterbank {
  const { lowest, highest, bands } = options;
  const melLow = toMel(lowest);
  const spacing = (toMel(highest) - melLow) / (bands + 1);
  const centers = Float64Array.from({ length: bands + 1 }, (_, i) => melLow + spacing * (i + 1));
  const hertzPerBin = (0.5 * rate) / (bins - 1);
  const first = Math.trunc(1.5 + lowest / hertzPerBin);
  const last = Math.min(bins - 1, Math.trunc(highest / hertzPerBin));
  const band = new Int32Array(bins);
  const weight = new Float64Array(bins);
  let next = 0;
  for (let i = first; i <= last; i++) {
    const mel = toMel(i * hertzPerBin);
    while (next < bands && centers[next] < mel) next++;
    band[i] = next - 1;
    const start = next > 0 ? centers[next - 1] : melLow;
    weight[i] = (centers[next] - mel) / (centers[next] - start);
  }
  return { first, last, band, weight };
}

/** The smallest energy that a logarithm is taken of. */
const FLOOR = 1e-12;

function bandEnergies(power: Float32Array, bands: number, bank: Filterbank): Float64Array {
  const energies = new Float64Array(bands);
  for (let i = bank.first; i <= bank.last; i++) {
    const magnitude = Math.sqrt(power[i]);
    const part = magnitude * bank.weight[i];
    const band = bank.band[i];
    if (band >= 0) energies[band] += part;
    if (band + 1 < bands) energies[band + 1] += magnitude - part;
  }
  return energies.map((energy) => Math.log(Math.max(energy, FLOOR)));
}

const MFCC: Kernel = {
  check(node) {
    requireOperands(node, [2, 2]);
    requireType(node, inputAt(node, 0), ["float32"], "spectrogram");
    requireType(node, inputAt(node, 1), ["int32"], "sample rate");
    requireType(node, outputAt(node, 0), ["float32"], "output");
    mfccOptions(node);
  },
  shapes(node) {
    const { shape } = inputAt(node, 0);
    requireRank(node, shape, [3, 3], "spectrogram");
    return [[shape[0], shape[1], mfccOptions(node).coefficients]];
  },
  create(node) {
    const options = mfccOptions(node);
    const { bands, coefficients } = options;
    const cosines = Array.from({ length: coefficients }, (_, k) =>
      Float64Array.from(
        { length: bands },
        (__, j) => Math.sqrt(2 / bands) * Math.cos((Math.PI / bands) * k * (j + 0.5)),
      ),
    );
    return (inputs, outputs) => {
      const [power, out] = [float32(inputs[0]), float32(outputs[0])];
      const [rate] = integersOf(node, inputs[1]);
      const bins = present(inputs[0]).shape[2];
      if (!(rate > 0) || bins < 2)
        throw badValue(node, `sample rate ${rate}, ${bins} bins`, "more");
      const bank = filterbank(options, bins, rate);
      for (let frame = 0; frame * bins < power.length; frame++) {
        const frameOf = power.subarray(frame * bins, (frame + 1) * bins);
        const energies = bandEnergies(frameOf, bands, bank);
        cosines.forEach((row, k) => {
          out[frame * coefficients + k] = row.reduce((sum, c, j) => sum + c * energies[j], 0);
        });
      }
    };
  },
};

export const AUDIO: KernelTable = { AudioSpectrogram: AUDIO_SPECTROGRAM, Mfcc: MFCC };
