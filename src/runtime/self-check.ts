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
  const operands = steps.flatMap(({ inputs, outputs }) => [...inputs, ...outputs]);
  const written = [...new Set(operands)].filter((slot) => slot !== undefined && !slot.isConstant);
  const before = written.map((slot) => (slot?.isVariable ? bytesOf(slot.data).slice() : undefined));
  const restore = (): void => {
    for (const [index, slot] of written.entries()) {
      const bytes = slot === undefined ? undefined : bytesOf(slot.data);
      const saved = before[index];
      if (saved === undefined) bytes?.fill(0);
      else bytes?.set(saved);
    }
  };
  const agree = steps.every((step, index) => {
    const results = (["plain", "wide"] as const).map((code) => {
      use(code);
      for (const [slot, saved] of written.map((slot, at) => [slot, before[at]] as const)) {
        if (slot !== undefined && saved !== undefined) bytesOf(slot.data).set(saved);
      }
      fillInputs(step, index);
      return outputsOf(step);
    });
    return sameOutputs(results[0], results[1]);
  });
  restore();
  return agree;
}

/** Copies of a step's outputs; undefined where it refuses these operands, indices for example. */
function outputsOf({ run, inputs, outputs }: CheckedStep): readonly TensorData[] | undefined {
  try {
    run(inputs, outputs);
  } catch (error) {
    if (isOctavoError(error)) return undefined;
    throw error;
  }
  return outputs.map(({ data }) => data.slice());
}

/** Elements that differ; their number is a prime, so that repeats do not line up with rows of a tensor. */
const PATTERN_LENGTH = 8191;

/** Floats around zero, bytes of any value, zeros for everything else: it may be indices. */
function fillInputs({ inputs }: CheckedStep, seed: number): void {
  let state = seed + 1;
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state;
  };
  for (const slot of inputs) {
    if (slot === undefined || slot.isConstant || slot.isVariable) continue;
    const { data } = slot;
    if (data instanceof Float32Array) fillWith(data, () => (next() / 2 ** 32 - 0.5) * 8);
    else if (data instanceof Int8Array || (data instanceof Uint8Array && slot.dtype === "uint8"))
      fillWith(data, () => next() >>> 24);
    else bytesOf(data).fill(0);
  }
}

/** Makes the first elements and repeats them. */
function fillWith(data: Float32Array | Int8Array | Uint8Array, next: () => number): void {
  const made = Math.min(data.length, PATTERN_LENGTH);
  for (let i = 0; i < made; i++) data[i] = next();
  for (let filled = made; filled > 0 && filled < data.length; filled *= 2) {
    data.copyWithin(filled, 0, Math.min(filled, data.length - filled));
  }
}

function sameOutputs(
  plain: readonly TensorData[] | undefined,
  wide: readonly TensorData[] | undefined,
): boolean {
  if (plain === undefined || wide === undefined) return plain === wide;
  return plain.every((data, index) => {
    const other = wide[index];
    return other !== undefined && sameElements(data, other);
  });
}

/** To the bit, but for NaN, which equals NaN. */
function sameElements(a: TensorData, b: TensorData): boolean {
  const [left, right] =
    a instanceof Float32Array && b instanceof Float32Array ? [bitsOf(a), bitsOf(b)] : [a, b];
  for (let i = 0; i < left.length; i++) {
    if (left[i] !== right[i] && !(Number.isNaN(a[i]) && Number.isNaN(b[i]))) return false;
  }
  return true;
}

function bitsOf({ buffer, byteOffset, length }: Float32Array): Int32Array {
  return new Int32Array(buffer, byteOffset, length);
}

function bytesOf(data: TensorData): Uint8Array {
  if (Array.isArray(data)) return new Uint8Array(0);
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
