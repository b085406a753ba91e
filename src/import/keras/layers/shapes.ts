/** Sizes that windows leave along one dimension, and layouts of what they run over. */

export interface Window {
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly same: boolean;
}

/** SAME: ceil(n / stride). VALID: floor((n - (kernel - 1) · dilation - 1) / stride) + 1. */
export function windowed(size: number, { kernel, stride, dilation, same }: Window): number {
  if (size < 0) return -1;
  if (same) return Math.ceil(size / stride);
  return Math.floor((size - (kernel - 1) * dilation - 1) / stride) + 1;
}

/** Output size of a transposed convolution (tf_keras/utils/conv_utils.py, deconv_output_length). */
export function unwindowed(
  size: number,
  { kernel, stride, dilation, same }: Window,
  outputPadding: number | undefined,
): number {
  if (size < 0) return -1;
  const reach = (kernel - 1) * dilation + 1;
  if (outputPadding === undefined)
    return same ? size * stride : size * stride + Math.max(reach - stride, 0);
  const pad = same ? Math.floor(reach / 2) : 0;
  return (size - 1) * stride + reach - 2 * pad + outputPadding;
}

/** TensorFlow's name of a layout with so many spatial dimensions. */
export function layoutName(rank: number, channelsFirst: boolean): string {
  if (rank === 3) return channelsFirst ? "NCDHW" : "NDHWC";
  return channelsFirst ? "NCHW" : "NHWC";
}

/** What there is of each dimension, in the order of the layout. */
export function inLayout(
  channelsFirst: boolean,
  batch: number,
  spatial: readonly number[],
  channels: number,
): number[] {
  return channelsFirst ? [batch, channels, ...spatial] : [batch, ...spatial, channels];
}

/** Orders of dimensions of a transpose that moves channels from place `at` to the end, and of the one back. */
export interface Turn {
  readonly toLast: readonly number[];
  readonly toFirst: readonly number[];
}

export function channelTurn(rank: number, at = 1): Turn {
  const before = Array.from({ length: at }, (_, i) => i);
  const spatial = Array.from({ length: rank - at - 1 }, (_, i) => at + i);
  return {
    toLast: [...before, ...spatial.map((axis) => axis + 1), at],
    toFirst: [...before, rank - 1, ...spatial],
  };
}
