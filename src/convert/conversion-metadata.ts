/**
 * The CONVERSION_METADATA entry: a flatbuffer of its own that says what made the file. Table ConversionMetadata
 * { environment: Environment, options: ConversionOptions }; Environment { tensorflow_version: string, api_version: uint,
 * model_type: int, model_hash: uint64 }. The version string names Octavo: no TensorFlow took part.
 */
import { Builder } from "flatbuffers";

const MODEL_TYPE_NONE = 0;

export function conversionMetadata(): Uint8Array {
  const builder = new Builder(128);
  const version = builder.createString("Octavo");
  builder.startObject(4);
  builder.addFieldOffset(0, version, 0);
  builder.addFieldInt32(2, MODEL_TYPE_NONE, 0);
  const environment = builder.endObject();
  builder.startObject(5);
  const options = builder.endObject();
  builder.startObject(2);
  builder.addFieldOffset(0, environment, 0);
  builder.addFieldOffset(1, options, 0);
  builder.finish(builder.endObject());
  return builder.asUint8Array().slice();
}
