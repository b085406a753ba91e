/**
 * The one door through which protobuf bytes come in. The decoder of @bufbuild/protobuf checks every length against the
 * bytes that are left and limits nesting; here its exceptions become FormatError, and unknown fields are skipped.
 */
import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import { FormatError } from "../../base/errors.ts";

/** Deepest nesting of messages; TensorFlow's own files stay below 20. */
const RECURSION_LIMIT = 64;

/**
 * Decodes one message. `bytes` fields of the result alias `bytes`.
 *
 * @throws {FormatError} when the bytes are not such a message: truncated, garbage, nested too deeply.
 */
export function parseMessage<Desc extends DescMessage>(
  schema: Desc,
  bytes: Uint8Array,
  where: string,
): MessageShape<Desc> {
  try {
    return fromBinary(schema, bytes, { readUnknownFields: false, recursionLimit: RECURSION_LIMIT });
  } catch (cause) {
    throw new FormatError({
      format: "protobuf",
      where,
      found: `bytes that do not decode (${cause instanceof Error ? cause.message : String(cause)})`,
      expected: `a ${schema.name} message`,
      remedy: "Check that the file is complete and of this kind",
      cause,
    });
  }
}
