/**
 * Compares wide code with plain code before it is trusted: every step with emitted kernels runs with both on the same
 * random operands, and all outputs must be equal bit for bit. Plain code is what the tests hold to the reference
 * kernels; a reference run of a real model would take seconds.
 */
import type { TensorData } from "../base/dtype.ts";
import { type Diagnostic, isOctavoError } from "../base/errors.ts";
import type { KernelRun } from "../kernels/kernel.ts";
import type { EmittedCode } from "./emitted-code.ts";
import type { LinearMemory } from "./linear-memory.ts";
import type { TensorSlot } from "./tensor-slot.ts";

/** A step with an emitted kernel. */
export interface CheckedStep {
  readonly run: KernelRun;
  readonly inputs: readonly (TensorSlot | undefined)[];
  readonly outputs: readonly TensorSlot[];
}

/**
 * Multiplications of a run from which on wide code pays: what comes around its calls takes longer, by some microseconds a
 * run.
 */
const MIN_WIDE_WORK = 4_000_000;

const REFUSED: Diagnostic = {
  id: "wide-refused",
  text: "256-bit kernels give other results than 128-bit ones here, and are not used",
};
const NOT_WORTH: Diagnostic = {
  id: "wide-not-worth",
  text: "128-bit kernels: there is too little work for 256 bits to gain",
};

/**
 * Decides whether wide code is trusted and worth it, where there is some, and returns the steps with their kernels bound to what was
 * decided. `refused` is told why it is not.
 */
export function settleSteps<
  Static extends CheckedStep & { readonly operator: number },
  Other extends object,
>(
  { code, variantOf, bind }: LinearMemory,
  steps: readonly (Static | Other)[],
  refused: (why: Diagnostic) => void,
): (Static | Other)[] {
  if (code === undefined || !code.hasWide) return [...steps];
  const isStatic = (step: Static | Other): step is Static => "run" in step;
  const checked = steps.filter(isStatic).filter(({ operator }) => variantOf(operator));
  const agree = codesAgree(checked, (which) => {
    code.clearVectors();
    code.use(which);
  });
  code.clearVectors();
  const isWorthIt = code.unsettledWork >= 2 * MIN_WIDE_WORK;
  code.settle(agree && isWorthIt ? "wide" : "plain");
  if (!agree) refused(REFUSED);
  else if (!isWorthIt) refused(NOT_WORTH);
  return steps.map((step) => {
    const run = isStatic(step) ? bind(step.operator, true) : undefined;
    if (run === undefined) return step;
    return { ...step, run: agree && isWorthIt ? clearing(run, code) : run };
  });
}

/** The kernel, and after it what wide code needs. */
function clearing(run: KernelRun, code: EmittedCode): KernelRun {
  return (inputs, outputs) => {
    try {
      run(inputs, outputs);
    } finally {
      code.clearVectors();
    }
  };
}

/**
 * Whether both codes agree in all steps; `use` switches between them. Leaves variables as they were and all other
 * operands zero.
 */
export function codesAgree(
  steps: readonly CheckedStep[],
  use: (code: "plain" | "wide") => void,
): boolean {
  const slots = new Set(steps.flatMap(({ inputs, outputs }) => [...inputs, ...outputs]));
  const written = [...slots].filter((slot) => slot !== undefined && !slot.isConstant);
  const variables = written
    .filter((slot) => slot?.isVariable)
    .map((slot) => ({ bytes: bytesOf(slot!.data), saved: bytesOf(slot!.data).slice() }));
  const restore = (): void => {
    for (const { bytes, saved } of variables) bytes.set(saved);
  };
  const patterns = makePatterns();
  const kept = new KeptOutputs();
  const agree = steps.every((step, index) => {
    const hasRun = (["plain", "wide"] as const).map((code) => {
      use(code);
      restore();
      fillInputs(step, index, patterns);
      const isDone = runs(step);
      if (isDone && code === "plain") kept.keep(step.outputs);
      return isDone;
    });
    return hasRun[0] === hasRun[1] && (hasRun[0] === false || kept.equal(step.outputs));
  });
  for (const slot of written) if (slot !== undefined) bytesOf(slot.data).fill(0);
  restore();
  return agree;
}

/** Runs a step; false where it refuses these operands, indices for example. */
function runs({ run, inputs, outputs }: CheckedStep): boolean {
  try {
    run(inputs, outputs);
    return true;
  } catch (error) {
    if (isOctavoError(error)) return false;
    throw error;
  }
}

/** Elements that differ; their number is a prime, so that repeats do not line up with rows of a tensor. */
const PATTERN_LENGTH = 8191;

interface Patterns {
  readonly floats: Float32Array;
  readonly bytes: Uint8Array;
}

/** Floats around zero and bytes of any value, twice, so that a pattern may begin anywhere. */
function makePatterns(): Patterns {
  let state = 1;
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state;
  };
  const floats = new Float32Array(2 * PATTERN_LENGTH);
  const bytes = new Uint8Array(2 * PATTERN_LENGTH);
  for (let i = 0; i < PATTERN_LENGTH; i++) {
    floats[i] = (next() / 2 ** 32 - 0.5) * 8;
    bytes[i] = next() >>> 24;
  }
  floats.copyWithin(PATTERN_LENGTH, 0);
  bytes.copyWithin(PATTERN_LENGTH, 0);
  return { floats, bytes };
}

/** From where one pattern begins to where the next one does. */
const PATTERN_STEP = 1237;

/** A pattern in each input, another one in each, and zeros where it is of other types: it may be indices. */
function fillInputs({ inputs }: CheckedStep, step: number, { floats, bytes }: Patterns): void {
  for (const [index, slot] of inputs.entries()) {
    if (slot === undefined || slot.isConstant || slot.isVariable) continue;
    const { data } = slot;
    const start = ((step + 3 * index) * PATTERN_STEP) % PATTERN_LENGTH;
    const end = start + Math.min(data.length, PATTERN_LENGTH);
    if (data instanceof Float32Array) fillWith(data, floats.subarray(start, end));
    else if (data instanceof Int8Array || (data instanceof Uint8Array && slot.dtype === "uint8"))
      fillWith(data, bytes.subarray(start, end));
    else bytesOf(data).fill(0);
  }
}

/** Writes the first elements and repeats them. */
function fillWith(
  data: Float32Array | Int8Array | Uint8Array,
  first: Float32Array | Uint8Array,
): void {
  data.set(first);
  for (let filled = first.length; filled > 0 && filled < data.length; filled *= 2) {
    data.copyWithin(filled, 0, Math.min(filled, data.length - filled));
  }
}

/** Outputs of a step, kept in memory that serves step after step: to touch new memory takes longer than to copy. */
class KeptOutputs {
  #bytes = new Uint8Array(0);

  keep(outputs: readonly TensorSlot[]): void {
    const byteLength = outputs.reduce((sum, { data }) => sum + paddedLength(bytesOf(data)), 0);
    if (byteLength > this.#bytes.length) this.#bytes = new Uint8Array(byteLength);
    let at = 0;
    for (const { data } of outputs) {
      const bytes = bytesOf(data);
      this.#bytes.set(bytes, at);
      at += paddedLength(bytes);
    }
  }

  /** Whether outputs are as they were kept: to the bit, but for NaN, which equals NaN. */
  equal(outputs: readonly TensorSlot[]): boolean {
    let at = 0;
    return outputs.every(({ data }) => {
      const bytes = bytesOf(data);
      const kept = this.#bytes.subarray(at, at + bytes.length);
      at += paddedLength(bytes);
      return data instanceof Float32Array ? sameFloats(kept, bytes) : sameBytes(kept, bytes);
    });
  }
}

/** Bytes of outputs begin at multiples of four, so that they can be compared as words. */
function paddedLength({ length }: Uint8Array): number {
  return Math.ceil(length / 4) * 4;
}

function sameFloats(left: Uint8Array, right: Uint8Array): boolean {
  const [leftBits, rightBits] = [wordsOf(left), wordsOf(right)];
  for (let i = 0; i < leftBits.length; i++) {
    if (leftBits[i] !== rightBits[i] && !(isNotNumber(leftBits[i]) && isNotNumber(rightBits[i]))) {
      return false;
    }
  }
  return true;
}

/** Whether bits are those of a float32 that is NaN. */
function isNotNumber(bits = 0): boolean {
  return (bits & 0x7fffffff) > 0x7f800000;
}

function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  const isAligned = right.byteOffset % 4 === 0;
  const [leftWords, rightWords] = isAligned ? [wordsOf(left), wordsOf(right)] : [[], []];
  for (let i = 0; i < leftWords.length; i++) {
    if (leftWords[i] !== rightWords[i]) return false;
  }
  for (let i = 4 * leftWords.length; i < left.length; i++) {
    if (left[i] !== right[i]) return false;
  }
  return true;
}

/** Whole words of bytes that begin at a multiple of four. */
function wordsOf({ buffer, byteOffset, length }: Uint8Array): Int32Array {
  return new Int32Array(buffer, byteOffset, Math.floor(length / 4));
}

function bytesOf(data: TensorData): Uint8Array {
  if (Array.isArray(data)) return new Uint8Array(0);
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
