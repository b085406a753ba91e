/**
 * What convolutions and fully connected layers share once their input is a matrix: the choice of a tile, constants
 * packed in linear memory, and the calls. A product is float, hybrid or integer, as its operand types say.
 */
import { assert } from "../../../base/errors.ts";
import { elementCount } from "../../../base/shape.ts";
import { inputAt } from "../../require.ts";
import { joinedColumns } from "../emit-requantize.ts";
import {
  type CallList,
  type EmittedFunction,
  type FastPlace,
  type FastRequest,
  Region,
} from "../fast-kernel.ts";
import type { BlockedBytes } from "../gemm/blocks.ts";
import { chooseGemm, gemmIsa } from "../gemm/choose.ts";
import { emitGemm } from "../gemm/emit-gemm.ts";
import { emitRowSums, type RowSumsVariant, rowSumsName } from "../gemm/emit-row-sums.ts";
import { INTERLEAVE, interleavePanels, packsWords } from "../gemm/interleave.ts";
import {
  gemmSteps,
  packedByteLength,
  packFloat,
  packGroups,
  packNibbles,
  packPairs,
  panelByteLength,
  stepBytes,
  stepGroup,
} from "../gemm/pack.ts";
import { packPairLists } from "../gemm/pair-lists.ts";
import { rowBlock, type TiledProduct, tileCalls } from "../gemm/tile-calls.ts";
import {
  type GemmFinish,
  type GemmFormat,
  type GemmVariant,
  keepsWideSums,
} from "../gemm/variants.ts";
import type { ActivationPass } from "./activation-pass.ts";
import { floatKind, hybridKind } from "./float-product.ts";
import { integerKind } from "./integer-product.ts";
import type {
  ProductKind,
  ProductRequest,
  ResidualPlace,
  RowParameters,
  StageColumn,
} from "./product-kind.ts";
import { productTypes } from "./product-types.ts";

/**
 * Multiplies `rows` rows at `a` (bytes, as is `aStride`) and writes them to `out`, row after row. Calls of `before` are
 * made first.
 */
export type Multiply = (
  a: number,
  aStride: number,
  rows: number,
  out: number,
  before?: CallList,
) => void;

export interface Product {
  readonly variant: GemmVariant;
  readonly functions: readonly EmittedFunction[];
  /** Comes before the product; undefined for floats. */
  readonly pass: ActivationPass | undefined;
  /** Bytes of an element of the operator's input and output. */
  readonly elementBytes: number;
  /** Whether A is a table of the addresses of windows (`image-windows.ts`), 4 bytes apart. */
  readonly windows: boolean;
  /** Bytes of a row of A that is written out. */
  readonly rowBytes: number;
  readonly blockedBytes: BlockedBytes;
  /** What stands for 0 in activations that no pass prepares. */
  readonly zeroPoint: number;
  readonly persistentBytes: number;
  bind(place: FastPlace, parameters: RowParameters, residual?: ResidualPlace): Multiply;
}

/** Plans the product of an operator whose weights are operand 1 and whose bias is operand 2. */
export function planProduct(fast: FastRequest, request: ProductRequest): Product | undefined {
  const kind = kindOf(fast, request);
  if (kind === undefined) return undefined;
  const { n, k } = request;
  const format = formatOf(fast, kind);
  const storedBytes = kind.pass?.storedBytes ?? kind.elementBytes;
  const offsets = windowOffsets(request, format)?.map((element) => element * storedBytes);
  const variant = variantOf(fast, request, { kind, format, windows: offsets !== undefined });
  const { lists } = kind;
  const rowSums = kind.rowSums && { ...kind.rowSums, windows: variant.windows };
  const weightBytes = lists?.byteLength ?? packedByteLength(variant, n, k);
  const lay = (region: Region) => ({
    weights: region.take(weightBytes),
    columns: kind.columns.map((column) =>
      region.take(Math.ceil(n / variant.nr) * variant.nr * column.BYTES_PER_ELEMENT),
    ),
    rowTerms: region.take(rowSums === undefined ? 0 : request.rows * 4),
    offsets: region.take(offsets?.byteLength ?? 0),
  });
  const measured = new Region();
  lay(measured);
  const steps = gemmSteps(variant, k);
  return {
    variant,
    functions: [
      { name: variant.name, emit: (module) => emitGemm(module, variant) },
      ...(kind.pass?.functions ?? []),
      ...(rowSums === undefined ? [] : [rowSumsFunction(rowSums)]),
      ...(packsWords(variant, k) ? [INTERLEAVE] : []),
    ],
    pass: kind.pass,
    elementBytes: kind.elementBytes,
    zeroPoint: kind.zeroPoint ?? 0,
    windows: variant.windows,
    rowBytes: steps * 4,
    blockedBytes: { row: steps * 4, weights: weightBytes },
    persistentBytes: measured.byteLength,
    bind(place, parameters, residual = { distance: 0 }) {
      const at = lay(new Region(place.persistent));
      if (!place.isStored) {
        storeWeights(place, { variant, kind, n, k, offsets }, at.weights);
        new Int32Array(place.memory.buffer, at.offsets, offsets?.length ?? 0).set(offsets ?? []);
        for (const [index, values] of kind.columns.entries()) {
          const stored = variant.keepsSums ? joinedColumns(values) : values;
          storeColumn(place.memory.buffer, stored, at.columns[index] ?? 0);
        }
      }
      const stage = kind.bindStage(at.columns, { ...parameters, terms: at.rowTerms, residual });
      const { elementBytes } = kind;
      const { threads } = place;
      const { weights } = at;
      const tileBytes = lists?.panelBytes ?? packedByteLength(variant, variant.nr, k);
      const windowBytes = (request.windows?.rowElements ?? 0) * storedBytes;
      const listsOf = remembered(({ a, aStride, rows, out }) => {
        const product: TiledProduct = {
          variant,
          a,
          aStride,
          rows,
          k,
          n,
          weights,
          tileBytes,
          out,
          elementBytes,
          threads,
          offsets: variant.windows ? at.offsets : undefined,
          rowBytes: variant.windows ? windowBytes : aStride,
        };
        const matrix = { a, aStride, rows, block: rowBlock(product), count: k, out: at.rowTerms };
        const tiles = { name: variant.name, calls: tileCalls(product, stage) };
        if (rowSums === undefined) return [tiles];
        const calls = rowSumCalls({ ...matrix, offsets: at.offsets }, rowSums.factor);
        return [{ name: rowSumsName(rowSums), calls }, tiles];
      });
      return (a, aStride, rows, out, before) => {
        const lists = listsOf({ a, aStride, rows, out, distance: residual.distance });
        place.callInTurn(before === undefined ? lists : [before, ...lists], rows * n * k);
      };
    },
  };
}

/** Where a product's rows and results are. */
interface ProductPlace {
  readonly a: number;
  readonly aStride: number;
  readonly rows: number;
  readonly out: number;
  /** That of a tensor that is added. */
  readonly distance: number;
}

/** Places whose lists of calls are kept: those of a run's strips. More are made anew. */
const MAX_REMEMBERED = 32;

/** Makes lists of calls; a run after the first finds them again, as addresses stay. */
function remembered(
  make: (at: ProductPlace) => readonly CallList[],
): (at: ProductPlace) => readonly CallList[] {
  const known: { readonly at: ProductPlace; readonly lists: readonly CallList[] }[] = [];
  return (at) => {
    const found = known.find((entry) => isSamePlace(entry.at, at));
    if (found !== undefined) return found.lists;
    const lists = make(at);
    if (known.length < MAX_REMEMBERED) known.push({ at, lists });
    return lists;
  };
}

function isSamePlace(first: ProductPlace, second: ProductPlace): boolean {
  return (
    first.a === second.a &&
    first.aStride === second.aStride &&
    first.rows === second.rows &&
    first.out === second.out &&
    first.distance === second.distance
  );
}

function rowSumsFunction(variant: RowSumsVariant): EmittedFunction {
  return { name: rowSumsName(variant), emit: (module) => emitRowSums(module, variant) };
}

function formatOf({ features }: FastRequest, { data, lists }: ProductKind): GemmFormat {
  return { data, isa: lists === undefined ? gemmIsa(data, features) : "pairs" };
}

/** Where the steps of windows begin; undefined where rows are not windows, or too few for tiles of several. */
function windowOffsets(
  { rows, windows }: ProductRequest,
  format: GemmFormat,
): Int32Array | undefined {
  if (rows < MIN_WINDOWS || format.data === "qd4") return undefined;
  return windows?.steps(stepGroup(format));
}

/** What a tile is chosen for. */
interface ChosenFor {
  readonly kind: ProductKind;
  readonly format: GemmFormat;
  readonly windows: boolean;
}

function variantOf(
  { features }: FastRequest,
  request: ProductRequest,
  { kind: { smallSums }, format: { data, isa }, windows }: ChosenFor,
): GemmVariant {
  const isHybrid = data === "qd8" || data === "qd16" || data === "qd4";
  const finish: GemmFinish = {
    smallSums: !smallSums ? "no" : features.relaxed ? "relaxed" : "simd",
    residual: request.residual !== undefined,
    // One row has nothing to share.
    oneScale: isHybrid && request.oneScale && request.rows > 1,
    keepsSums: features.wide === true && keepsWideSums(data),
    windows,
  };
  return chooseGemm(data, request, features, { isa, finish });
}

function kindOf(fast: FastRequest, request: ProductRequest): ProductKind | undefined {
  const { node, known } = fast;
  const filter = known(1);
  const bias = node.inputs[2] === undefined ? undefined : known(2);
  if (filter === undefined || (node.inputs[2] !== undefined && bias === undefined))
    return undefined;
  if (filter.quantization?.details !== undefined) return undefined;
  if (request.k === 0 || elementCount(filter.shape) !== request.n * request.k) return undefined;
  const types = productTypes(inputAt(node, 0).dtype, filter.dtype);
  if (types === "float") return floatKind(fast, request, filter, bias);
  if (types === "hybrid") return hybridKind(fast, request, filter, bias);
  const isByte = types === "int8" || types === "uint8";
  if (!isByte || request.residual !== undefined) return undefined;
  return integerKind(fast, request, filter, bias);
}

/** Windows from which on they are read where they lie: tiles of one row read rows that are written out. */
const MIN_WINDOWS = 4;

interface RowMatrix {
  readonly a: number;
  readonly aStride: number;
  readonly rows: number;
  /** Rows per call. */
  readonly block: number;
  /** Elements of a row. */
  readonly count: number;
  readonly out: number;
  /** Of the steps of windows. */
  readonly offsets: number;
}

/** Calls of `RowSumsFunction` for all rows. */
function rowSumCalls(matrix: RowMatrix, factor: number): readonly (readonly number[])[] {
  const { a, aStride, rows, block, count, out, offsets } = matrix;
  return Array.from({ length: Math.ceil(rows / block) }, (_, index) => {
    const row = index * block;
    const here = Math.min(block, rows - row);
    return [a + row * aStride, aStride, here, count, out + row * 4, factor, offsets];
  });
}

/** What weights are packed for. */
interface PackedProduct {
  readonly variant: GemmVariant;
  readonly kind: ProductKind;
  readonly n: number;
  readonly k: number;
  readonly offsets: Int32Array | undefined;
}

function storeWeights(place: FastPlace, product: PackedProduct, start: number): void {
  const { variant, kind, k, offsets } = product;
  const { buffer } = place.memory;
  const all = kind.weights();
  const panels = { n: product.n, steps: gemmSteps(variant, k), columns: variant.panel };
  const done = packsWords(variant, k) ? interleavePanels(place, all, panels, start) : 0;
  const weights = all.subarray(done * k);
  const n = product.n - done;
  const at = start + (done / variant.panel) * panelByteLength(variant, k);
  if (kind.lists !== undefined) {
    assert(weights instanceof Int8Array, "weights of 8 bits");
    packPairLists(weights, n, k, kind.lists, { buffer, address: at, offsets });
    return;
  }
  const byteLength = start + packedByteLength(variant, product.n, k) - at;
  const shape = { nr: variant.panel, group: stepGroup(variant) };
  if (weights instanceof Float32Array) {
    packFloat(weights, n, k, variant.panel, new Float32Array(buffer, at, byteLength / 4));
  } else if (variant.data === "qd4") {
    assert(weights instanceof Int8Array, "weights of 4 bits");
    packNibbles(weights, n, k, shape, new Uint8Array(buffer, at, byteLength));
  } else if (variant.data === "qd16") {
    assert(weights instanceof Int8Array, "weights of 8 bits");
    packPairs(weights, n, k, variant.panel, new Int32Array(buffer, at, byteLength / 4));
  } else if (weights instanceof Int8Array && stepBytes(variant) === stepGroup(variant)) {
    packGroups(weights, n, k, shape, new Int8Array(buffer, at, byteLength));
  } else {
    packGroups(weights, n, k, shape, new Int16Array(buffer, at, byteLength / 2));
  }
}

function storeColumn(buffer: ArrayBufferLike, values: StageColumn, at: number): void {
  if (values instanceof Float32Array) new Float32Array(buffer, at, values.length).set(values);
  else if (values instanceof Float64Array) new Float64Array(buffer, at, values.length).set(values);
  else new Int32Array(buffer, at, values.length).set(values);
}
