/**
 * Typed errors. Every failure that a model, a file or an argument can cause ends in one of these classes;
 * anything else that escapes is a bug of ours. The sentence is always built from the same four parts:
 * `<where>: <found>, expected <wanted>. <what to do>.`
 */

/** The parts of an error sentence. `expected` and `remedy` may be left out where there is nothing to say. */
export interface ErrorSentence {
  /** File, tensor, node, option: with path, index or byte offset. */
  readonly where: string;
  /** What was found there, with its value. */
  readonly found: string;
  /** What would have been right. */
  readonly expected?: string;
  /** What the reader can do about it: an imperative sentence without the full stop. */
  readonly remedy?: string;
  readonly cause?: unknown;
}

/** Names of the error classes, for `isOctavoError`. */
export type OctavoErrorCode =
  | "FormatError"
  | "LimitError"
  | "UnsupportedError"
  | "GraphError"
  | "ShapeError"
  | "QuantizeError"
  | "ExecutionError"
  | "IoError"
  | "UsageError";

function sentenceOf({ where, found, expected, remedy }: ErrorSentence): string {
  const fact = `${where}: ${found}${expected === undefined ? "" : `, expected ${expected}`}.`;
  return remedy === undefined ? fact : `${fact} ${remedy}.`;
}

/** Base of all errors that Octavo throws on purpose. */
export abstract class OctavoError extends Error {
  abstract readonly code: OctavoErrorCode;
  readonly where: string;
  readonly found: string;
  readonly expected: string | undefined;
  readonly remedy: string | undefined;

  constructor(sentence: ErrorSentence) {
    super(
      sentenceOf(sentence),
      sentence.cause === undefined ? undefined : { cause: sentence.cause },
    );
    this.where = sentence.where;
    this.found = sentence.found;
    this.expected = sentence.expected;
    this.remedy = sentence.remedy;
    this.name = new.target.name;
  }
}

/** Malformed bytes: not what the format's specification allows. */
export class FormatError extends OctavoError {
  override readonly code = "FormatError" as const;
  readonly format: string;
  readonly byteOffset: number | undefined;

  /** `format` is the format's short name ("tflite", "npy", "sstable" …); `byteOffset` counts from the file's start. */
  constructor(sentence: ErrorSentence & { readonly format: string; readonly byteOffset?: number }) {
    super(sentence);
    this.format = sentence.format;
    this.byteOffset = sentence.byteOffset;
  }
}

/** A size or count beyond a named safety limit. */
export class LimitError extends OctavoError {
  override readonly code = "LimitError" as const;
  readonly limit: string;
  readonly value: number;
  readonly max: number;

  constructor(
    sentence: ErrorSentence & {
      readonly limit: string;
      readonly value: number;
      readonly max: number;
    },
  ) {
    super(sentence);
    this.limit = sentence.limit;
    this.value = sentence.value;
    this.max = sentence.max;
  }
}

/** Legal input that this version does not implement. `features` lists everything that is missing, not the first only. */
export class UnsupportedError extends OctavoError {
  override readonly code = "UnsupportedError" as const;
  readonly features: readonly string[];

  constructor(sentence: ErrorSentence & { readonly features: readonly string[] }) {
    super(sentence);
    this.features = sentence.features;
  }
}

/** A graph or model that breaks its own rules, found by `verify` or by a pass. */
export class GraphError extends OctavoError {
  override readonly code = "GraphError" as const;
  readonly node: string | undefined;
  readonly pass: string | undefined;

  constructor(sentence: ErrorSentence & { readonly node?: string; readonly pass?: string }) {
    super(sentence);
    this.node = sentence.node;
    this.pass = sentence.pass;
  }
}

/** Shapes or element types that do not fit together. */
export class ShapeError extends OctavoError {
  override readonly code = "ShapeError" as const;
}

/** A tensor that cannot be quantized as asked. */
export class QuantizeError extends OctavoError {
  override readonly code = "QuantizeError" as const;
  readonly tensor: string | undefined;

  constructor(sentence: ErrorSentence & { readonly tensor?: string }) {
    super(sentence);
    this.tensor = sentence.tensor;
  }
}

/** A failure while a model runs: an index out of range in the data, a worker that died. */
export class ExecutionError extends OctavoError {
  override readonly code = "ExecutionError" as const;
  readonly kernel: string | undefined;

  constructor(sentence: ErrorSentence & { readonly kernel?: string }) {
    super(sentence);
    this.kernel = sentence.kernel;
  }
}

/** A file or URL that cannot be read or written. */
export class IoError extends OctavoError {
  override readonly code = "IoError" as const;
  readonly path: string;

  constructor(sentence: ErrorSentence & { readonly path: string }) {
    super(sentence);
    this.path = sentence.path;
  }
}

/** Wrong arguments: an option that does not exist or contradicts another. */
export class UsageError extends OctavoError {
  override readonly code = "UsageError" as const;
  readonly option: string | undefined;

  constructor(sentence: ErrorSentence & { readonly option?: string }) {
    super(sentence);
    this.option = sentence.option;
  }
}

interface ErrorByCode {
  FormatError: FormatError;
  LimitError: LimitError;
  UnsupportedError: UnsupportedError;
  GraphError: GraphError;
  ShapeError: ShapeError;
  QuantizeError: QuantizeError;
  ExecutionError: ExecutionError;
  IoError: IoError;
  UsageError: UsageError;
}

/** Tells whether `error` is one of ours and, when codes are given, one of those; narrows its type. */
export function isOctavoError<C extends OctavoErrorCode = OctavoErrorCode>(
  error: unknown,
  ...codes: readonly C[]
): error is ErrorByCode[C] {
  return (
    error instanceof OctavoError &&
    (codes.length === 0 || (codes as readonly OctavoErrorCode[]).includes(error.code))
  );
}

/** Guards our own invariants: a failure is a bug in Octavo, never the input's fault. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`internal: ${message}`);
}

/** A remark that does not stop the work. The library returns these; only the command line prints them. */
export interface Diagnostic {
  readonly id: string;
  readonly text: string;
  readonly location?: string;
  readonly notes?: readonly string[];
}
