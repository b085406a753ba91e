/** Protobuf's text form (.pbtxt), which TensorFlow can write in place of the binary one: recognized, and not read. */
import { UnsupportedError } from "../../base/errors.ts";

/** Enough for the comments that may stand before the first field. */
const HEAD_BYTES = 1024;
/** White space and comments, a name of GraphDef's fields, and the beginning of its value. */
const GRAPH_TEXT = /^(?:\s|#[^\n]*\n)*(?:node|library|versions|version)\s*[:{]/;

/** Tells whether bytes that should be a binary GraphDef are one in text form. */
export function isGraphText(bytes: Uint8Array): boolean {
  return GRAPH_TEXT.test(new TextDecoder().decode(bytes.subarray(0, HEAD_BYTES)));
}

/** What to say of a message in text form: how to get it in binary form. */
export function textFormError(message: "GraphDef" | "SavedModel", where: string): UnsupportedError {
  return new UnsupportedError({
    where,
    found: `a ${message} in text form`,
    expected: "one in binary form",
    remedy: `Convert it in Python: text_format.Parse(text, ${message}()).SerializeToString()`,
    features: ["protobuf messages in text form"],
  });
}
