/**
 * The matrix multiplication variants, as data: a row drives the emitter, its test, its benchmark and the choice at
 * load. Names follow `<data>-gemm-<mr>x<nr>-<isa>`: a tile of mr rows by nr columns of the output is kept in registers.
 *
 * - `f32`: float activations × float weights.
 * - `qd8`: activations quantized on the fly to int16 (q − zero point, so |value| ≤ 255) × int8 weights, int32 sums,
 *   float results. int16 operands make `i32x4.dot_i16x8_s` exact for every input; no 7-bit activations, no correction
 *   terms.
 * - `qd16`: the same with int8 weights that are packed as int16, which is a tenth faster where many rows share them.
 * - `qd4`: the same with int4 weights, which stay packed and become int16 in registers.
 * - `qs8`: quantized activations, widened to int16 the same way, × int8 weights, requantized to int8.
 * - `qs16`, `qu16`: the same with weights of int16 (those with a zero point do not fit int8), to int8 or uint8.
 * - `qi8`, `qi16`: int16 activations × int8 or int16 weights; results are the int32 sums.
 * - `qu8`: uint8 activations × weights of uint8 − 128, whose zero point comes in as a term per row, to uint8.
 *
 * With `dot` and `dot4`, activations keep their zero point and stay bytes, four of which are multiplied with four
 * weights at a time. The stage takes zero point × sum of weights off each column, so the sums are the same.
 */

export type GemmData =
  | "f32"
  | "qd8"
  | "qd16"
  | "qd4"
  | "qs8"
  | "qs16"
  | "qu16"
  | "qu8"
  | "qi8"
  | "qi16";
/**
 * `simd` is the baseline and rounds after every product; `relaxed` may fuse multiply and add; `dot` needs a relaxed dot
 * product of bytes that a probe found to be exact (`../probe.ts`); `dot4` one whose sums are int16, exact for weights of 4
 * bits.
 */
export type GemmIsa = "simd" | "relaxed" | "dot" | "dot4";

/** What packed operands look like. */
export type GemmFormat = Pick<GemmVariant, "data" | "isa">;

/**
 * Whether integer results are made in doubles (`emitRequantizeSmall`), and there by a multiplication and an addition or by
 * the relaxed instruction for both, which needs relaxed SIMD and gives the same: all steps are exact.
 */
export type SmallSums = "no" | "simd" | "relaxed";

export interface GemmVariant {
  readonly name: string;
  readonly data: GemmData;
  readonly isa: GemmIsa;
  /** Rows of the tile. */
  readonly mr: number;
  /** Columns of the tile, a multiple of 4. */
  readonly nr: number;
  readonly smallSums: SmallSums;
  /** Whether a tensor is added to float results, and an activation of its own follows. */
  readonly residual: boolean;
}

/** What may differ in what becomes of the sums. */
export type GemmFinish = Pick<GemmVariant, "smallSums" | "residual">;

const PLAIN_FINISH: GemmFinish = { smallSums: "no", residual: false };

/** Tiles worth trying: more than 16 vectors of accumulators and operands spill. */
const TILES: readonly (readonly [mr: number, nr: number])[] = [
  [1, 8],
  [1, 16],
  [4, 8],
  [6, 8],
  [3, 16],
  [4, 16],
  [3, 12],
];

/** Data that have use for twelve columns: bytes are stored by eights, nibbles lie in eights. */
const TWELVE_COLUMNS: readonly GemmData[] = ["f32", "qd16"];

/** Whether activations keep their zero point and stay bytes, four of which are multiplied with four weights at a time. */
export function keepsBytes(isa: GemmIsa): boolean {
  return isa === "dot" || isa === "dot4";
}

/** Whether each weight that is loaded serves several rows. */
export function severalRows({ mr }: Pick<GemmVariant, "mr">): boolean {
  return mr > 1;
}

const SMALL_NAMES: Readonly<Record<SmallSums, string>> = {
  no: "",
  simd: "-small",
  relaxed: "-small-relaxed",
};

/** What the relaxed instructions can do: a fused multiply and add of floats, dot products with int8 weights. */
const SERVED: Readonly<Record<GemmIsa, readonly GemmData[]>> = {
  simd: ["f32", "qd8", "qd16", "qd4", "qs8", "qs16", "qu16", "qi8", "qi16"],
  relaxed: ["f32"],
  dot: ["qd8", "qd4", "qs8", "qu8"],
  dot4: ["qd4"],
};

/** All variants of a data kind on an instruction set; none where it has no use for that set. */
export function gemmVariants(
  data: GemmData,
  isa: GemmIsa,
  { smallSums, residual }: GemmFinish = PLAIN_FINISH,
): readonly GemmVariant[] {
  if (!SERVED[isa].includes(data)) return [];
  const finish = `${SMALL_NAMES[smallSums]}${residual ? "-add" : ""}`;
  const tiles = TILES.filter(([, nr]) => nr % 8 === 0 || TWELVE_COLUMNS.includes(data));
  return tiles.map(([mr, nr]) => ({
    name: `${data}${finish}-gemm-${mr}x${nr}-${isa}`,
    data,
    isa,
    mr,
    nr,
    smallSums,
    residual,
  }));
}
