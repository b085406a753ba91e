/**
 * The matrix multiplication variants, as data: a row drives the emitter, its test, its benchmark and the choice at
 * load. Names follow `<data>-gemm-<mr>x<nr>-<isa>`: a tile of mr rows by nr columns of the output is kept in registers.
 *
 * - `f32`: float activations × float weights.
 * - `qd8`: activations quantized on the fly to int16 (q − zero point, so |value| ≤ 255) × int8 weights, int32 sums.
 *   int16 operands make `i32x4.dot_i16x8_s` exact for every input; no 7-bit activations, no correction terms.
 */

export type GemmData = "f32" | "qd8";
/** `simd` is the baseline and rounds after every product; `relaxed` may fuse multiply and add. */
export type GemmIsa = "simd" | "relaxed";

export interface GemmVariant {
  readonly name: string;
  readonly data: GemmData;
  readonly isa: GemmIsa;
  /** Rows of the tile. */
  readonly mr: number;
  /** Columns of the tile, a multiple of 4. */
  readonly nr: number;
}

/** Tiles worth trying: more than 16 vectors of accumulators and operands spill. */
const TILES: Readonly<Record<GemmData, readonly (readonly [mr: number, nr: number])[]>> = {
  f32: [
    [1, 8],
    [1, 16],
    [4, 8],
    [6, 8],
    [3, 16],
    [4, 16],
  ],
  qd8: [
    [1, 8],
    [1, 16],
    [4, 8],
    [3, 16],
    [4, 16],
  ],
};

/** All variants of a data kind on an instruction set. qd8 has no use for relaxed instructions. */
export function gemmVariants(data: GemmData, isa: GemmIsa): readonly GemmVariant[] {
  if (data === "qd8" && isa === "relaxed") return [];
  return TILES[data].map(([mr, nr]) => ({
    name: `${data}-gemm-${mr}x${nr}-${isa}`,
    data,
    isa,
    mr,
    nr,
  }));
}
