/** What a model is opened from: bytes that are there already, or an answer or an address to fetch them from. */
import { IoError, UsageError } from "../base/errors.ts";
import type { Model } from "../model/ir.ts";

/**
 * Bytes of a .tflite file in memory; a `Blob` or `File`; a `Response`, or the promise of one; an address to fetch, as
 * `URL` or text (relative to the page); or a model that is parsed already.
 */
export type ModelSource =
  | Uint8Array
  | ArrayBuffer
  | Blob
  | Response
  | Promise<Response>
  | URL
  | string
  | Model;

/**
 * The source's bytes; aliases those that are in memory.
 *
 * @throws {IoError} for an address that cannot be fetched, an answer with an error status, and a body that breaks off.
 * @throws {UsageError} for something that is no source.
 */
export async function readModelSource(source: ModelSource): Promise<Uint8Array | Model> {
  const given = source instanceof Promise ? await answerOf("model", () => source) : source;
  if (ArrayBuffer.isView(given)) {
    return new Uint8Array(given.buffer, given.byteOffset, given.byteLength);
  }
  if (given instanceof ArrayBuffer) return new Uint8Array(given);
  if (typeof given === "string" || given instanceof URL) {
    return responseBytes(await answerOf(String(given), () => fetch(given)));
  }
  if (given instanceof Response) return responseBytes(given);
  if (given instanceof Blob) return bodyBytes("name" in given ? String(given.name) : "blob", given);
  if (typeof given === "object" && given !== null && "subgraphs" in given) return given;
  throw new UsageError({
    where: "Interpreter.create",
    found: given === null ? "null" : `a model of type ${typeof given}`,
    expected: "bytes, a Blob, a Response, an address, or a parsed model",
  });
}

async function answerOf(address: string, ask: () => Promise<Response>): Promise<Response> {
  try {
    return await ask();
  } catch (cause) {
    throw new IoError({
      where: address,
      found: `no answer (${cause instanceof Error ? cause.message : String(cause)})`,
      expected: "an address that can be fetched from here",
      remedy:
        "Check the address and the server's CORS headers, or read the file and pass its bytes",
      path: address,
      cause,
    });
  }
}

function responseBytes(response: Response): Promise<Uint8Array> {
  const address = response.url === "" ? "response" : response.url;
  if (response.ok) return bodyBytes(address, response);
  throw new IoError({
    where: address,
    found: `HTTP status ${response.status}`,
    expected: "the bytes of a model",
    path: address,
  });
}

async function bodyBytes(name: string, body: Blob | Response): Promise<Uint8Array> {
  try {
    return new Uint8Array(await body.arrayBuffer());
  } catch (cause) {
    throw new IoError({
      where: name,
      found: `bytes that cannot be read (${cause instanceof Error ? cause.message : String(cause)})`,
      expected: "a whole file, read once",
      path: name,
      cause,
    });
  }
}
