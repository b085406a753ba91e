/**
 * Messages of saved_model.pb beside the graph (tensorflow/core/protobuf/{saved_model,meta_graph,saver}.proto): the
 * fields that the importer needs, under the format's own names and numbers.
 */
import {
  type GraphDef,
  type OpDef,
  readGraphDef,
  readOpDef,
  readOpName,
  readTensorShape,
  type TensorShapeProto,
} from "./graph-messages.ts";
import { NamedRecords } from "./named-records.ts";
import type { WireReader } from "./wire.ts";

export interface TensorInfo {
  /** How the tensor is given; only "name" stands for a plain one. */
  readonly encoding: "name" | "coo_sparse" | "composite_tensor" | undefined;
  readonly name: string;
  readonly dtype: number;
  readonly tensor_shape?: TensorShapeProto;
}

export interface SignatureDef {
  readonly inputs: ReadonlyMap<string, TensorInfo>;
  readonly outputs: ReadonlyMap<string, TensorInfo>;
}

export interface SaverDef {
  readonly filename_tensor_name: string;
  readonly restore_op_name: string;
}

export interface AssetFileDef {
  readonly tensor_info: TensorInfo;
  readonly filename: string;
}

/** Names of nodes, or messages in their bytes (with those of `Any` unpacked). */
export interface CollectionDef {
  readonly node_list: readonly string[];
  readonly bytes_list: readonly Uint8Array[];
}

export interface MetaInfoDef {
  readonly stripped_op_list: NamedRecords<OpDef>;
  readonly tags: readonly string[];
}

export interface MetaGraphDef {
  readonly meta_info_def: MetaInfoDef;
  readonly graph_def?: GraphDef;
  readonly saver_def: SaverDef;
  readonly collection_def: ReadonlyMap<string, CollectionDef>;
  readonly signature_def: ReadonlyMap<string, SignatureDef>;
  readonly asset_file_def: readonly AssetFileDef[];
  /** TensorFlow 2 describes the saved objects beside the graph, TensorFlow 1 has none. */
  readonly has_object_graph: boolean;
}

export interface SavedModel {
  readonly meta_graphs: readonly MetaGraphDef[];
}

export function readSavedModel(wire: WireReader): SavedModel {
  const meta_graphs: MetaGraphDef[] = [];
  while (wire.next()) {
    if (wire.field === 2) meta_graphs.push(wire.message(readMetaGraph));
    else wire.skip();
  }
  return { meta_graphs };
}

function readMetaGraph(wire: WireReader): MetaGraphDef {
  let meta_info_def: MetaInfoDef = { stripped_op_list: opRecords([]), tags: [] };
  let graph_def: GraphDef | undefined;
  let saver_def: SaverDef = { filename_tensor_name: "", restore_op_name: "" };
  const collection_def = new Map<string, CollectionDef>();
  const signature_def = new Map<string, SignatureDef>();
  const asset_file_def: AssetFileDef[] = [];
  let has_object_graph = false;
  while (wire.next()) {
    if (wire.field === 1) meta_info_def = wire.message(readMetaInfo);
    else if (wire.field === 2) graph_def = wire.message(readGraphDef);
    else if (wire.field === 3) saver_def = wire.message(readSaver);
    else if (wire.field === 4) wire.entry(collection_def, (from) => from.message(readCollection));
    else if (wire.field === 5) wire.entry(signature_def, (from) => from.message(readSignature));
    else if (wire.field === 6) asset_file_def.push(wire.message(readAssetFile));
    else {
      if (wire.field === 7) has_object_graph = true;
      wire.skip();
    }
  }
  const rest = {
    meta_info_def,
    saver_def,
    collection_def,
    signature_def,
    asset_file_def,
    has_object_graph,
  };
  return graph_def === undefined ? rest : { ...rest, graph_def };
}

function readMetaInfo(wire: WireReader): MetaInfoDef {
  const ops: Uint8Array[] = [];
  const tags: string[] = [];
  while (wire.next()) {
    if (wire.field === 2) wire.message((list) => readItems(list, () => ops.push(list.bytes())));
    else if (wire.field === 4) tags.push(wire.string());
    else wire.skip();
  }
  return { stripped_op_list: opRecords(ops), tags };
}

function opRecords(ops: readonly Uint8Array[]): NamedRecords<OpDef> {
  return new NamedRecords(ops, readOpName, readOpDef, "operation");
}

function readSaver(wire: WireReader): SaverDef {
  const saver = { filename_tensor_name: "", restore_op_name: "" };
  while (wire.next()) {
    if (wire.field === 1) saver.filename_tensor_name = wire.string();
    else if (wire.field === 3) saver.restore_op_name = wire.string();
    else wire.skip();
  }
  return saver;
}

function readSignature(wire: WireReader): SignatureDef {
  const inputs = new Map<string, TensorInfo>();
  const outputs = new Map<string, TensorInfo>();
  while (wire.next()) {
    if (wire.field === 1) wire.entry(inputs, (from) => from.message(readTensorInfo));
    else if (wire.field === 2) wire.entry(outputs, (from) => from.message(readTensorInfo));
    else wire.skip();
  }
  return { inputs, outputs };
}

function readTensorInfo(wire: WireReader): TensorInfo {
  let encoding: TensorInfo["encoding"];
  let name = "";
  let dtype = 0;
  let tensor_shape: TensorShapeProto | undefined;
  while (wire.next()) {
    if (wire.field === 1) {
      encoding = "name";
      name = wire.string();
    } else if (wire.field === 2) dtype = wire.int32();
    else if (wire.field === 3) tensor_shape = wire.message(readTensorShape);
    else {
      if (wire.field === 4) encoding = "coo_sparse";
      if (wire.field === 5) encoding = "composite_tensor";
      wire.skip();
    }
  }
  const info = { encoding, name, dtype };
  return tensor_shape === undefined ? info : { ...info, tensor_shape };
}

/** Also an item of the collection in which models from before the field `asset_file_def` keep their assets. */
export function readAssetFile(wire: WireReader): AssetFileDef {
  let tensor_info: TensorInfo = { encoding: undefined, name: "", dtype: 0 };
  let filename = "";
  while (wire.next()) {
    if (wire.field === 1) tensor_info = wire.message(readTensorInfo);
    else if (wire.field === 2) filename = wire.string();
    else wire.skip();
  }
  return { tensor_info, filename };
}

function readCollection(wire: WireReader): CollectionDef {
  const node_list: string[] = [];
  const bytes_list: Uint8Array[] = [];
  while (wire.next()) {
    if (wire.field === 1)
      wire.message((list) => readItems(list, () => node_list.push(list.string())));
    else if (wire.field === 2) {
      wire.message((list) => readItems(list, () => bytes_list.push(list.bytes())));
    } else if (wire.field === 5) {
      wire.message((list) => readItems(list, () => bytes_list.push(list.message(readAny))));
    } else wire.skip();
  }
  return { node_list, bytes_list };
}

function readItems(wire: WireReader, readItem: () => void): void {
  while (wire.next()) {
    if (wire.field === 1) readItem();
    else wire.skip();
  }
}

function readAny(wire: WireReader): Uint8Array {
  let value: Uint8Array = new Uint8Array(0);
  while (wire.next()) {
    if (wire.field === 2) value = wire.bytes();
    else wire.skip();
  }
  return value;
}
