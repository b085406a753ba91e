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
 * With `dot` and `pairs`, activations keep their zero point and stay bytes, four of which are multiplied with four
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
 * product of bytes that a probe found to be exact (`../probe.ts`); `pairs` one whose sums of two products are int16: exact
 * where the weights of a pair are not both large, as those of 4 bits never are (`pair-lists.ts` has the others).
 */
export type GemmIsa = "simd" | "relaxed" | "dot" | "pairs";

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
  /** Columns of a panel of weights. The panels of a tile are read side by side. */
  readonly panel: number;
  readonly smallSums: SmallSums;
  /** Whether a tensor is added to float results, and an activation of its own follows. */
  readonly residual: boolean;
  /** Whether the rows of a hybrid product have one scale, and one zero point. */
  readonly oneScale: boolean;
  /** Whether sums go through memory on their way to a stage of integer results (`kept-sums.ts`). */
  readonly keepsSums: boolean;
  /**
   * Whether rows are windows of an image, read where they lie: a table has their addresses, and another one where in a
   * window each step begins.
   */
  readonly windows: boolean;
}

/** What may differ in what comes before the sums, and what becomes of them. */
export type GemmFinish = Pick<
  GemmVariant,
  "smallSums" | "residual" | "oneScale" | "keepsSums" | "windows"
>;

/** None of that. */
export const PLAIN_FINISH: GemmFinish = {
  smallSums: "no",
  residual: false,
  oneScale: false,
  keepsSums: false,
  windows: false,
};

/**
 * What one row waits for is memory, which some processors bring nearly twice as fast in four streams as in one, as they
 * fetch ahead in each: so there is a tile of one row that reads four panels at a time.
 */
const TILES: readonly (readonly [mr: number, nr: number, panel: number])[] = [
  [1, 8, 8],
  [1, 16, 16],
  [1, 32, 8],
  [4, 8, 8],
  [6, 8, 8],
  [3, 16, 16],
  [4, 16, 16],
  [6, 16, 16],
  [3, 12, 12],
];

/** Data whose results may be those of several panels: bytes are stored by sixteen. */
export const SEVERAL_PANELS: readonly GemmData[] = ["f32", "qd8", "qi8", "qi16"];

/** Data that have use for twelve columns: bytes are stored by eights, nibbles lie in eights. */
const TWELVE_COLUMNS: readonly GemmData[] = ["f32", "qd16"];

/** Columns of a panel of lists. The more there are, the more steps have large weights for one of them. */
export const LIST_COLUMNS = 8;

/** Data whose results are bytes. */
const BYTE_RESULTS: readonly GemmData[] = ["qs8", "qs16", "qu16", "qu8"];

/** Whether sums should go through memory, where code is compiled with 256-bit vectors. */
export function keepsWideSums(data: GemmData): boolean {
  return BYTE_RESULTS.includes(data);
}

/**
 * Data whose sums may fill all registers: stages of hybrid products keep numbers of their columns from tile to tile, which
 * six rows of sixteen sums leave no room for.
 */
const SIX_ROWS_OF_SIXTEEN: readonly GemmData[] = ["f32", "qs8", "qu8"];

/** Whether activations keep their zero point and stay bytes, four of which are multiplied with four weights at a time. */
export function keepsBytes(isa: GemmIsa): isa is "dot" | "pairs" {
  return isa === "dot" || isa === "pairs";
}

/** Whether each panel has its steps in an order of its own (`pair-lists.ts`). */
export function hasLists({ data, isa }: GemmFormat): boolean {
  return isa === "pairs" && data !== "qd4";
}

/** Whether each weight that is loaded serves several rows. */
export function severalRows({ mr }: Pick<GemmVariant, "mr">): boolean {
  return mr > 1;
}

/** Whether several panels of weights are read at a time. */
export function severalPanels({ nr, panel }: Pick<GemmVariant, "nr" | "panel">): boolean {
  return panel < nr;
}

const SMALL_NAMES: Readonly<Record<SmallSums, string>> = {
  no: "",
  simd: "-small",
  relaxed: "-small-relaxed",
};

/** 128-bit registers of x86 without AVX-512, of which V8 keeps one for itself. */
const REGISTERS = 15;

/**
 * Whether a tile can be the fastest of its format: at 128 bits one that fits x86's registers, or 4 × 16, as ARM and
 * AVX-512 have twice as many. What spills was slower than one of these wherever it was measured. 256-bit code needs half as
 * many, so there any tile can be.
 */
export function canBeFastest(
  { data, isa, mr, nr }: Pick<GemmVariant, "data" | "isa" | "mr" | "nr">,
  wide: boolean,
): boolean {
  // Nibbles are summed in ways of their own, and one row does not keep its weights.
  if (wide || data === "qd4" || mr === 1) return true;
  if (mr === 4 && nr === 16) return true;
  const [weights, activation, product] = [nr / 4, 1, isa === "simd" ? 1 : 0];
  return (mr * nr) / 4 + weights + activation + product <= REGISTERS;
}

/** What the relaxed instructions can do: a fused multiply and add of floats, dot products with int8 weights. */
const SERVED: Readonly<Record<GemmIsa, readonly GemmData[]>> = {
  simd: ["f32", "qd8", "qd16", "qd4", "qs8", "qs16", "qu16", "qi8", "qi16"],
  relaxed: ["f32"],
  dot: ["qd8", "qd4", "qs8", "qu8"],
  pairs: ["qd8", "qd4", "qs8", "qu8"],
};

/** Whether an instruction set has variants of a data kind. */
export function serves(isa: GemmIsa, data: GemmData): boolean {
  return SERVED[isa].includes(data);
}

/** All variants of a data kind on an instruction set; none where it has no use for that set. */
export function gemmVariants(
  data: GemmData,
  isa: GemmIsa,
  { smallSums, residual, oneScale, keepsSums, windows }: GemmFinish = PLAIN_FINISH,
): readonly GemmVariant[] {
  if (!serves(isa, data) || (windows && data === "qd4")) return [];
  const finish = `${windows ? "-windows" : ""}${SMALL_NAMES[smallSums]}${oneScale ? "-one" : ""}${keepsSums ? "-kept" : ""}${residual ? "-add" : ""}`;
  const tiles = TILES.filter(([mr, nr, panel]) => {
    if (windows && mr === 1) return false;
    if (hasLists({ data, isa })) return nr === LIST_COLUMNS;
    if (panel < nr) return SEVERAL_PANELS.includes(data);
    if (mr === 6 && nr === 16) return SIX_ROWS_OF_SIXTEEN.includes(data);
    return nr % 8 === 0 || TWELVE_COLUMNS.includes(data);
  });
  return tiles.map(([mr, nr, panel]) => ({
    name: `${data}${finish}-gemm-${mr}x${nr}-${isa}`,
    data,
    isa,
    mr,
    nr,
    panel,
    smallSums,
    residual,
    oneScale,
    keepsSums,
    windows,
  }));
}
