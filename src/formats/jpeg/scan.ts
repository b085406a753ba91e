/**
 * Scans: entropy-coded coefficients of one or more components. Sequential scans bring whole blocks, progressive ones a
 * band of coefficients, first the high bits and then one more bit at a time. ITU-T T.81 annexes F.2 and G.2.
 */
import { type Component, type DecoderState, type Frame, malformed } from "./frame.ts";
import { BitReader, type HuffmanTable } from "./huffman.ts";

interface ScanComponent {
  readonly component: Component;
  readonly dc: HuffmanTable | undefined;
  readonly ac: HuffmanTable | undefined;
  /** Last DC coefficient, from which the next one differs. */
  predicted: number;
}

interface Scan {
  readonly components: readonly ScanComponent[];
  /** Band of coefficients in zigzag order, both ends included. */
  readonly start: number;
  readonly end: number;
  /** Bit position that was reached before (0: none) and that this scan reaches. */
  readonly high: number;
  readonly low: number;
}

/** Decodes one block; `at` is the block's place in the coefficients. Returns false for codes that do not exist. */
type BlockDecoder = (target: ScanComponent, at: number) => boolean;

/** Decodes the scan whose header is `body` and whose data starts at `position`; returns where its data ends. */
export function readScan(
  state: DecoderState,
  body: Uint8Array,
  bytes: Uint8Array,
  position: number,
): number {
  const { frame, name } = state;
  if (frame === undefined) throw malformed(name, "a scan before the frame", position);
  const scan = parseScan(state, frame, body);
  const reader = new BitReader(bytes, position);
  const decoder = new BlockBand(reader, scan);
  const decode = chooseDecoder(decoder, frame, scan);
  const { blocks, unitsWide, unitsHigh } = planUnits(frame, scan);
  let untilRestart = state.restartInterval;
  for (let row = 0; row < unitsHigh; row++) {
    for (let column = 0; column < unitsWide; column++) {
      if (state.restartInterval > 0 && untilRestart-- === 0) {
        if (reader.isExhausted || !reader.restart()) {
          throw malformed(name, "no restart marker", reader.position);
        }
        decoder.forget();
        untilRestart = state.restartInterval - 1;
      }
      for (const { target, first, rowStep, columnStep } of blocks) {
        const isWhole = decode(target, first + row * rowStep + column * columnStep);
        if (!isWhole || reader.isExhausted) {
          throw malformed(name, "scan data that are cut off or damaged", reader.position);
        }
      }
    }
  }
  return reader.position;
}

function parseScan(state: DecoderState, frame: Frame, body: Uint8Array): Scan {
  const { name, dcTables, acTables } = state;
  const count = body[0] ?? 0;
  if (count < 1 || count > 4 || body.length < 4 + 2 * count) throw malformed(name, "a broken scan");
  const components = Array.from({ length: count }, (_, index): ScanComponent => {
    const [id = 0, tables = 0] = body.subarray(1 + 2 * index);
    const component = frame.components.find((candidate) => candidate.id === id);
    if (component === undefined) throw malformed(name, `a scan of component ${id}`);
    return { component, dc: dcTables[tables >> 4], ac: acTables[tables & 15], predicted: 0 };
  });
  const [start = 0, end = 0, bits = 0] = body.subarray(1 + 2 * count);
  const scan = frame.isProgressive
    ? { components, start, end, high: bits >> 4, low: bits & 15 }
    : { components, start: 0, end: 63, high: 0, low: 0 };
  const needsDc = scan.start === 0 && scan.high === 0;
  const needsAc = scan.end > 0;
  const lacksTables = components.some(
    ({ dc, ac }) => (needsDc && dc === undefined) || (needsAc && ac === undefined),
  );
  const isMixed = frame.isProgressive && (start === 0 ? end !== 0 : count > 1);
  if (lacksTables || isMixed || scan.start > scan.end || scan.end > 63 || scan.low > 13) {
    throw malformed(name, `a scan of coefficients ${scan.start} to ${scan.end}, bit ${scan.low}`);
  }
  return scan;
}

function chooseDecoder(decoder: BlockBand, frame: Frame, scan: Scan): BlockDecoder {
  if (!frame.isProgressive) return (target, at) => decoder.sequential(target, at);
  if (scan.start === 0) {
    return scan.high === 0
      ? (target, at) => decoder.firstDc(target, at)
      : (target, at) => decoder.refineDc(target, at);
  }
  return scan.high === 0
    ? (target, at) => decoder.firstAc(target, at)
    : (target, at) => decoder.refineAc(target, at);
}

/** One block of every unit: where it lies in the first unit, and how far on in the next row and column of units. */
interface UnitBlock {
  readonly target: ScanComponent;
  readonly first: number;
  readonly rowStep: number;
  readonly columnStep: number;
}

interface UnitPlan {
  /** In the order of the file. */
  readonly blocks: readonly UnitBlock[];
  readonly unitsWide: number;
  readonly unitsHigh: number;
}

/** The blocks of a unit. In a scan of one component a unit is one block, and only blocks of the image are there. */
function planUnits(frame: Frame, { components }: Scan): UnitPlan {
  const [only] = components;
  if (components.length === 1 && only !== undefined) {
    const { blocksWide, blocksHigh, blockStride } = only.component;
    const block = { target: only, first: 0, rowStep: blockStride * 64, columnStep: 64 };
    return { blocks: [block], unitsWide: blocksWide, unitsHigh: blocksHigh };
  }
  const blocks = components.flatMap((target) => {
    const { across, down, blockStride } = target.component;
    return Array.from({ length: across * down }, (_, index) => ({
      target,
      first: (Math.floor(index / across) * blockStride + (index % across)) * 64,
      rowStep: down * blockStride * 64,
      columnStep: across * 64,
    }));
  });
  return { blocks, unitsWide: frame.unitsWide, unitsHigh: frame.unitsHigh };
}

/** Decodes blocks of one scan. Coefficients stay in zigzag order. */
class BlockBand {
  readonly #reader: BitReader;
  readonly #scan: Scan;
  /** Blocks still to come without new coefficients in this band. */
  #emptyBlocks = 0;

  constructor(reader: BitReader, scan: Scan) {
    this.#reader = reader;
    this.#scan = scan;
  }

  /** After a restart marker nothing that came before counts. */
  forget(): void {
    this.#emptyBlocks = 0;
    for (const component of this.#scan.components) component.predicted = 0;
  }

  sequential(target: ScanComponent, at: number): boolean {
    const reader = this.#reader;
    const { coefficients } = target.component;
    if (!this.firstDc(target, at)) return false;
    for (let index = 1; index < 64; index++) {
      const symbol = reader.symbol(target.ac!);
      if (symbol < 0) return false;
      const size = symbol & 15;
      const run = symbol >> 4;
      if (size === 0 && run < 15) break;
      index += run;
      if (index > 63) return false;
      if (size > 0) coefficients[at + index] = reader.signed(size);
    }
    return true;
  }

  firstDc(target: ScanComponent, at: number): boolean {
    const size = this.#reader.symbol(target.dc!);
    if (size < 0 || size > 15) return false;
    target.predicted += this.#reader.signed(size);
    target.component.coefficients[at] = target.predicted << this.#scan.low;
    return true;
  }

  refineDc({ component }: ScanComponent, at: number): boolean {
    component.coefficients[at]! |= this.#reader.bit() << this.#scan.low;
    return true;
  }

  firstAc({ component, ac }: ScanComponent, at: number): boolean {
    if (this.#emptyBlocks > 0) {
      this.#emptyBlocks--;
      return true;
    }
    const { start, end, low } = this.#scan;
    for (let index = start; index <= end; index++) {
      const symbol = this.#reader.symbol(ac!);
      if (symbol < 0) return false;
      const size = symbol & 15;
      const run = symbol >> 4;
      if (size === 0 && run < 15) {
        this.#emptyBlocks = (1 << run) - 1 + this.#reader.bits(run);
        return true;
      }
      index += run;
      if (index > end) return false;
      if (size > 0) component.coefficients[at + index] = this.#reader.signed(size) << low;
    }
    return true;
  }

  refineAc({ component, ac }: ScanComponent, at: number): boolean {
    const { start, end, low } = this.#scan;
    let index = start;
    if (this.#emptyBlocks === 0) {
      for (; index <= end; index++) {
        const symbol = this.#reader.symbol(ac!);
        if (symbol < 0) return false;
        const run = symbol >> 4;
        const isNew = (symbol & 15) !== 0;
        if (!isNew && run < 15) {
          this.#emptyBlocks = (1 << run) + this.#reader.bits(run);
          break;
        }
        const value = isNew ? (this.#reader.bit() === 1 ? 1 : -1) << low : 0;
        index = this.#refineUntil(component.coefficients, at, index, run);
        if (index > end) return !isNew && index === end + 1;
        if (isNew) component.coefficients[at + index] = value;
      }
    }
    if (this.#emptyBlocks > 0) {
      this.#refineUntil(component.coefficients, at, index, Number.POSITIVE_INFINITY);
      this.#emptyBlocks--;
    }
    return true;
  }

  /** Adds a bit to each coefficient that is there already; stops at the zero after `zeros` others, or past the band. */
  #refineUntil(coefficients: Int16Array, at: number, from: number, zeros: number): number {
    const { end, low } = this.#scan;
    let left = zeros;
    let index = from;
    for (; index <= end; index++) {
      const value = coefficients[at + index]!;
      if (value === 0) {
        if (left === 0) break;
        left--;
      } else if (this.#reader.bit() === 1 && (Math.abs(value) & (1 << low)) === 0) {
        coefficients[at + index] = value + (Math.sign(value) << low);
      }
    }
    return index;
  }
}
