/**
 * Messages of a checkpoint (tensorflow/core/protobuf/{tensor_bundle,trackable_object_graph}.proto): the fields that the
 * importer needs, under the format's own names and numbers.
 */
import { readTensorShape, type TensorShapeProto } from "./graph-messages.ts";
import type { SliceExtent } from "./ordered-code.ts";
import type { WireReader } from "./wire.ts";

export interface BundleHeaderProto {
  readonly num_shards: number;
  /** 0 little, 1 big. */
  readonly endianness: number;
}

export interface BundleEntryProto {
  readonly dtype: number;
  readonly shape: TensorShapeProto;
  readonly shard_id: number;
  readonly offset: number;
  readonly size: number;
  readonly crc32c: number;
  /** Extents of each slice, where the tensor is stored in parts. */
  readonly slices: readonly (readonly SliceExtent[])[];
}

/** One saved attribute of an object: a variable, as the checkpoint and as the program call it. */
export interface SerializedTensor {
  readonly full_name: string;
  readonly checkpoint_key: string;
}

export function readBundleHeader(wire: WireReader): BundleHeaderProto {
  const header = { num_shards: 0, endianness: 0 };
  while (wire.next()) {
    if (wire.field === 1) header.num_shards = wire.int32();
    else if (wire.field === 2) header.endianness = wire.int32();
    else wire.skip();
  }
  return header;
}

export function readBundleEntry(wire: WireReader): BundleEntryProto {
  const entry = { dtype: 0, shard_id: 0, offset: 0, size: 0, crc32c: 0 };
  let shape: TensorShapeProto = { dim: [], unknown_rank: false };
  const slices: SliceExtent[][] = [];
  while (wire.next()) {
    if (wire.field === 1) entry.dtype = wire.int32();
    else if (wire.field === 2) shape = wire.message(readTensorShape);
    else if (wire.field === 3) entry.shard_id = wire.int32();
    else if (wire.field === 4) entry.offset = wire.int64();
    else if (wire.field === 5) entry.size = wire.int64();
    else if (wire.field === 6) entry.crc32c = wire.fixed32();
    else if (wire.field === 7) slices.push(wire.message(readSlice));
    else wire.skip();
  }
  return { ...entry, shape, slices };
}

function readSlice(wire: WireReader): SliceExtent[] {
  const extents: SliceExtent[] = [];
  while (wire.next()) {
    if (wire.field === 1) extents.push(wire.message(readExtent));
    else wire.skip();
  }
  return extents;
}

/** An extent without a length is the whole dimension. */
function readExtent(wire: WireReader): SliceExtent {
  const extent = { start: 0, length: -1 };
  while (wire.next()) {
    if (wire.field === 1) extent.start = wire.int64();
    else if (wire.field === 2) extent.length = wire.int64();
    else wire.skip();
  }
  return extent;
}

/** The saved attributes of all objects of a TrackableObjectGraph. */
export function readObjectGraph(wire: WireReader): SerializedTensor[] {
  const tensors: SerializedTensor[] = [];
  while (wire.next()) {
    if (wire.field === 1) wire.message((node) => readObject(node, tensors));
    else wire.skip();
  }
  return tensors;
}

function readObject(wire: WireReader, tensors: SerializedTensor[]): void {
  while (wire.next()) {
    if (wire.field === 2) tensors.push(wire.message(readSerializedTensor));
    else wire.skip();
  }
}

function readSerializedTensor(wire: WireReader): SerializedTensor {
  const tensor = { full_name: "", checkpoint_key: "" };
  while (wire.next()) {
    if (wire.field === 2) tensor.full_name = wire.string();
    else if (wire.field === 3) tensor.checkpoint_key = wire.string();
    else wire.skip();
  }
  return tensor;
}
