/**
 * Sparse constants, made dense. A sparse tensor's buffer holds only some of its elements, in an order of its own: the
 * tensor is seen as a tree with one level for each dimension, and each level either has all its children (dense) or names
 * those that are there (compressed, as in the compressed sparse row format). A dimension may be cut into dense blocks,
 * which are levels of their own. Format: SparsityParameters in TensorFlow Lite's schema.fbs.
 */
import { bitsOf, type DType } from "../base/dtype.ts";
import { GraphError } from "../base/errors.ts";
import { elementCount, formatShape, type Shape } from "../base/shape.ts";
import type {
  DimensionMetadata,
  SparseIndexVector,
  SparsityParameters,
} from "../formats/tflite/schema.gen.ts";
import { allocateBytes, checkedByteLength } from "./limits.ts";

/** One level of the tree, from the root on. */
interface Level {
  /** How many children a node may have. */
  readonly size: number;
  /** Elements of the dense tensor from one child to the next. */
  readonly stride: number;
  /** Children of node n are indices[segments[n]] … indices[segments[n + 1] − 1]; absent: all of them. */
  readonly compressed?: {
    readonly segments: readonly number[];
    readonly indices: readonly number[];
  };
}

type Fail = (found: string, expected: string) => never;

/**
 * The elements of a sparse constant as a dense tensor of `shape`, in row-major order, zeros where it has none. Time and
 * memory are bounded by the sizes of `bytes`, of the parameters, and of the dense tensor.
 *
 * @throws {GraphError} for parameters that contradict themselves, the shape or the number of stored elements, and for
 * element types that are not whole bytes.
 * @throws {LimitError} for a dense tensor beyond MAX_TENSOR_BYTES.
 */
export function expandSparse(
  where: string,
  dtype: DType,
  shape: Shape,
  sparsity: SparsityParameters,
  bytes: Uint8Array,
): Uint8Array {
  const fail: Fail = (found, expected) => {
    const remedy = "The model is damaged, or the tool that wrote it has a bug";
    throw new GraphError({ where: `${where}, sparsity`, found, expected, remedy });
  };
  const bits = bitsOf(dtype) ?? 0;
  if (bits < 8) fail(`elements of type ${dtype}`, "elements of one or more whole bytes");
  const elementBytes = bits / 8;
  const levels = levelsOf(shape, sparsity, fail);
  const stored = storedCount(levels, fail);
  if (bytes.byteLength !== stored * elementBytes) {
    fail(`${bytes.byteLength} bytes of data`, `${stored * elementBytes} for ${stored} elements`);
  }
  const dense = new Uint8Array(allocateBytes(where, checkedByteLength(where, dtype, shape)));
  if (stored === 0) return dense;
  let offsets = Float64Array.of(0);
  for (const level of levels) offsets = childOffsets(offsets, level);
  for (const [at, offset] of offsets.entries()) {
    const from = at * elementBytes;
    dense.set(bytes.subarray(from, from + elementBytes), offset * elementBytes);
  }
  return dense;
}

/** The levels in the order of traversal; block b of the block map is dimension rank + b. */
function levelsOf(shape: Shape, sparsity: SparsityParameters, fail: Fail): Level[] {
  const { traversal_order: order = [], block_map: blocks = [], dim_metadata = [] } = sparsity;
  const count = shape.length + blocks.length;
  if (order.length !== count || new Set(order).size !== count || !order.every(isBelow(count))) {
    fail(`traversal order ${formatShape(order)}`, `each of 0 to ${count - 1} once`);
  }
  if (new Set(blocks).size !== blocks.length || !blocks.every(isBelow(shape.length))) {
    fail(`block map ${formatShape(blocks)}`, `different dimensions of ${formatShape(shape)}`);
  }
  if (dim_metadata.length !== count) {
    fail(`${dim_metadata.length} dimensions of metadata`, `${count}`);
  }
  const blockSizes = blocks.map((dimension, block) => {
    const { format, dense_size } = dim_metadata[order.indexOf(shape.length + block)]!;
    const size = shape[dimension]!;
    const divides = dense_size > 0 && size % dense_size === 0;
    if (format !== "DENSE" || !divides) {
      fail(`${format} blocks of ${dense_size} in a dimension of ${size}`, "dense blocks that fit");
    }
    return dense_size;
  });
  const strides = shape.map((_, dimension) => elementCount(shape.slice(dimension + 1)));
  return order.map((dimension, level) => {
    const metadata = dim_metadata[level]!;
    if (dimension >= shape.length) {
      const block = dimension - shape.length;
      return { size: blockSizes[block]!, stride: strides[blocks[block]!]! };
    }
    const blockSize = blockSizes[blocks.indexOf(dimension)] ?? 1;
    const size = shape[dimension]! / blockSize;
    return levelOf(metadata, size, strides[dimension]! * blockSize, fail);
  });
}

function isBelow(count: number): (value: number) => boolean {
  return (value) => value >= 0 && value < count;
}

function levelOf(metadata: DimensionMetadata, size: number, stride: number, fail: Fail): Level {
  if (metadata.format === "DENSE") {
    if (metadata.dense_size !== size) fail(`a dense size of ${metadata.dense_size}`, `${size}`);
    return { size, stride };
  }
  const segments = valuesOf(metadata.array_segments);
  const indices = valuesOf(metadata.array_indices);
  return { size, stride, compressed: { segments, indices } };
}

function valuesOf(vector: SparseIndexVector | undefined): readonly number[] {
  return Array.from(vector?.value.values ?? []);
}

/** Nodes of the last level. Compressed levels are checked against the level above. */
function storedCount(levels: readonly Level[], fail: Fail): number {
  let nodes = 1;
  for (const { size, compressed } of levels) {
    if (compressed === undefined) nodes *= size;
    else nodes = compressedCount(compressed, nodes, size, fail);
  }
  return nodes;
}

function compressedCount(
  { segments, indices }: NonNullable<Level["compressed"]>,
  parents: number,
  size: number,
  fail: Fail,
): number {
  if (segments.length !== parents + 1 || segments[0] !== 0 || segments.at(-1) !== indices.length) {
    fail(
      `${segments.length} segments from ${segments[0]} to ${segments.at(-1)}`,
      `${parents + 1} from 0 to ${indices.length}`,
    );
  }
  for (let parent = 0; parent < parents; parent++) {
    const [start, end] = [segments[parent]!, segments[parent + 1]!];
    if (end < start || end > indices.length)
      fail(`a segment ${start} to ${end}`, "segments in order");
    for (let at = start; at < end; at++) {
      const least = at === start ? 0 : indices[at - 1]! + 1;
      const index = indices[at]!;
      if (index < least || index >= size) fail(`index ${index}`, `${least} to ${size - 1}`);
    }
  }
  return indices.length;
}

/** Where the children of nodes at `offsets` start in the dense tensor. */
function childOffsets(offsets: Float64Array<ArrayBuffer>, level: Level): Float64Array<ArrayBuffer> {
  const { size, stride, compressed } = level;
  if (compressed === undefined) {
    const children = new Float64Array(offsets.length * size);
    for (const [node, offset] of offsets.entries()) {
      for (let i = 0; i < size; i++) children[node * size + i] = offset + i * stride;
    }
    return children;
  }
  const { segments, indices } = compressed;
  const children = new Float64Array(indices.length);
  for (const [node, offset] of offsets.entries()) {
    for (let at = segments[node]!; at < segments[node + 1]!; at++) {
      children[at] = offset + indices[at]! * stride;
    }
  }
  return children;
}
