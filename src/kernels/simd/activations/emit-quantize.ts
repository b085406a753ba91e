/**
 * Emits the pass that turns float32 activations, whose range is known (`emit-range.ts`), into q − zero point:
 * round(v · inverse) half away from zero, kept within [low, high] = [−128 − z, 127 − z], stored as int16 (for dot products
 * of int16), float32 (for depthwise sums), or with the zero point of the storage added as bytes (for dot products of bytes).
 *
 * Rounding is TensorFlow Lite's vector form on x86: trunc(x + 0.5 with the sign of x), the sum rounded to float32, in
 * groups of eight; the remaining elements use exact half-away rounding (neon_tensor_utils.cc).
 */
import type { FunctionBuilder, Local } from "../../../wasm/function-builder.ts";
import type { ModuleBuilder } from "../../../wasm/module-builder.ts";
import { emitAddTo, emitCopy, emitCountdown, emitIntegerSplat, emitSplat } from "../emit-basics.ts";
import {
  type Bounds,
  emitClamp,
  emitHalfAway,
  emitHalves,
  emitRoundExact,
  type Halves,
} from "./emit-rounding.ts";

export type QuantizedStorage = "int16" | "float32" | ByteType;
export type ByteType = "int8" | "uint8";

/**
 * A pass for one storage. `relaxed`: truncates to integers with one instruction, which relaxed SIMD leaves open only for
 * values that do not fit: these were clamped, or become 0 either way.
 */
export interface QuantizeVariant {
  readonly storage: QuantizedStorage;
  readonly relaxed: boolean;
}

export function quantizeName({ storage, relaxed }: QuantizeVariant): string {
  return `activation-quantize-${storage}-${relaxed ? "relaxed" : "simd"}`;
}

/** Bytes of a stored element. */
export function storedBytes(storage: QuantizedStorage): number {
  if (storage === "float32") return 4;
  return storage === "int16" ? 2 : 1;
}

/**
 * Addresses in bytes, counts in elements. Where `low` is 0, `high` and `inverse` are those of a range from 0 to at least the
 * greatest number (`asymmetricParameters`). zeroPoint: added to what is stored as bytes, else unused.
 */
export type QuantizeFunction = (
  source: number,
  count: number,
  target: number,
  inverse: number,
  low: number,
  high: number,
  zeroPoint: number,
) => void;

const GROUP = 8;
/** Groups without negative numbers that are taken at a time. */
const POSITIVE_GROUPS = 2;
/**
 * Up to this a scale is a normal number, so the product of the greatest number and the inverse is 255 but for some last
 * bits, which disappear where it is rounded.
 */
const LARGEST_INVERSE = 2 ** 126;

/** Adds the quantize pass of a variant. */
export function emitQuantize(module: ModuleBuilder, variant: QuantizeVariant): void {
  const params = ["i32", "i32", "i32", "f32", "f32", "f32", "i32"] as const;
  const f = module.function(params, [], quantizeName(variant));
  const [source, count, target, inverse, low, high, stored] = params.map((_, index) =>
    f.param(index),
  ) as [Local, Local, Local, Local, Local, Local, Local];
  emitQuantizeOf(f, variant, { source, count, target, inverse, low, high, stored });
}

/** What `QuantizeFunction` takes; `stored` is the zero point that is added to bytes. */
export type QuantizeOperands = Readonly<
  Record<"source" | "count" | "target" | "inverse" | "low" | "high" | "stored", Local>
>;

/** Emits the quantize pass. Destroys `source`, `count` and `target`. */
export function emitQuantizeOf(
  f: FunctionBuilder,
  variant: QuantizeVariant,
  operands: QuantizeOperands,
): void {
  const pass = beginPass(f, variant, operands);
  emitEither(
    pass,
    operands,
    () => {
      for (const groups of [POSITIVE_GROUPS, 1]) emitGroups(pass, operands, groups, emitPositive);
    },
    () => emitGroups(pass, operands, 1, emitSigned),
  );
  emitRest(pass, operands);
}

/** Runs one code where results are not negative, and another where they may be. */
function emitEither(
  { f }: Pass,
  { low, inverse }: Pick<QuantizeOperands, "low" | "inverse">,
  positive: () => void,
  signed: () => void,
): void {
  f.get(low);
  f.f32(0);
  f.op("f32.eq");
  f.get(inverse);
  f.f32(LARGEST_INVERSE);
  f.op("f32.le");
  f.op("i32.and");
  f.if(positive, signed);
}

/** Emits the quantization of a group of eight at address + offset to int16. */
export type EmitQuantizedWords = (address: Local, offset: number, into: Local) => void;

/**
 * Emits what is set once for quantizing groups of eight in some other order, to int16, and returns what emits a body for
 * them: twice, as results may be negative or not.
 */
export function beginQuantizedWords(
  f: FunctionBuilder,
  { relaxed }: Pick<QuantizeVariant, "relaxed">,
  numbers: Omit<QuantizeOperands, "source" | "count" | "target">,
): (emitBody: (emitWords: EmitQuantizedWords) => void) => void {
  const pass = beginPass(f, { storage: "int16", relaxed }, numbers);
  const bodyOf =
    (emitWords: (pass: Pass, source: Operand) => Local): EmitQuantizedWords =>
    (address, offset, into) =>
      emitCopy(f, emitWords(pass, { address, offset }), into);
  return (emitBody) => {
    emitEither(
      pass,
      numbers,
      () => emitBody(bodyOf(emitPositiveWords)),
      () => emitBody(bodyOf(emitSignedWords)),
    );
  };
}

/** Vectors that are set once. */
interface Pass {
  readonly f: FunctionBuilder;
  readonly variant: QuantizeVariant;
  readonly inverse: Local;
  readonly bounds: Bounds;
  readonly halves: Halves;
  readonly zeros: Local;
  /** The zero point of bytes as int16 in all lanes. */
  readonly zeroPoint: Local;
  /** A group. */
  readonly parts: readonly Local[];
}

function beginPass(
  f: FunctionBuilder,
  variant: QuantizeVariant,
  { inverse, low, high, stored }: Omit<QuantizeOperands, "source" | "count" | "target">,
): Pass {
  const zeros = f.local("v128");
  f.v128(new Uint8Array(16));
  f.set(zeros);
  return {
    f,
    variant,
    inverse: emitSplat(f, inverse),
    bounds: { low: emitSplat(f, low), high: emitSplat(f, high) },
    halves: emitHalves(f),
    zeros,
    zeroPoint: emitIntegerSplat(f, "i16x8", stored),
    parts: [f.local("v128"), f.local("v128")],
  };
}

/** Emits a group of eight: what it reads begins at an offset from `source`, what it stores from `target`. */
type EmitGroup = (pass: Pass, source: Operand, target: Operand) => void;

interface Operand {
  readonly address: Local;
  readonly offset: number;
}

type Walk = Pick<QuantizeOperands, "source" | "count" | "target">;

/** Takes `groups` groups at a time, as long as there are so many. */
function emitGroups(
  pass: Pass,
  { source, count, target }: Walk,
  groups: number,
  emitGroup: EmitGroup,
): void {
  const { f, variant } = pass;
  const [from, to] = [4 * GROUP, storedBytes(variant.storage) * GROUP];
  emitCountdown(f, count, groups * GROUP, () => {
    for (let group = 0; group < groups; group++) {
      emitGroup(
        pass,
        { address: source, offset: from * group },
        { address: target, offset: to * group },
      );
    }
    emitAddTo(f, source, from * groups);
    emitAddTo(f, target, to * groups);
  });
}

/** Numbers of both signs. */
function emitSigned(pass: Pass, source: Operand, target: Operand): void {
  if (pass.variant.storage !== "float32") {
    emitStoreWords(pass, target, emitSignedWords(pass, source));
    return;
  }
  const { f, parts } = pass;
  emitSignedParts(pass, source);
  for (const part of parts) {
    f.get(part);
    f.op("f32x4.convert_i32x4_s");
    f.set(part);
  }
  emitStoreFloats(pass, target);
}

function emitSignedParts(pass: Pass, source: Operand): void {
  const { f, variant, halves, bounds, parts } = pass;
  parts.forEach((part, index) => {
    load(f, source, index, part);
    emitScaled(f, part, pass.inverse);
    emitHalfAway(f, part, halves);
    emitClamp(f, part, bounds);
    emitTruncate(f, part, variant);
  });
}

/** A group as int16. */
function emitSignedWords(pass: Pass, source: Operand): Local {
  emitSignedParts(pass, source);
  const [words] = pass.parts as [Local];
  emitNarrow(pass);
  pass.f.set(words);
  return words;
}

/**
 * Where the lower bound is 0. The half is added whatever the sign, as what is negative becomes 0 anyway, and so does NaN.
 * Nothing is above the upper bound: the scale was made for the greatest number.
 */
function emitPositive(pass: Pass, source: Operand, target: Operand): void {
  if (pass.variant.storage !== "float32") {
    emitStoreWords(pass, target, emitPositiveWords(pass, source));
    return;
  }
  emitWithHalf(pass, source);
  for (const part of pass.parts) emitPositiveFloat(pass.f, part, pass.zeros);
  emitStoreFloats(pass, target);
}

function emitWithHalf(pass: Pass, source: Operand): void {
  const { f, halves, parts } = pass;
  parts.forEach((part, index) => {
    load(f, source, index, part);
    emitScaled(f, part, pass.inverse);
    f.get(part);
    f.get(halves.half);
    f.op("f32x4.add");
    f.set(part);
  });
}

/** A group as int16. */
function emitPositiveWords(pass: Pass, source: Operand): Local {
  const { f, variant, zeros, parts } = pass;
  emitWithHalf(pass, source);
  for (const part of parts) emitTruncate(f, part, variant);
  const [words] = parts as [Local];
  emitNarrow(pass);
  f.get(zeros);
  f.op("i16x8.max_s");
  f.set(words);
  return words;
}

function emitPositiveFloat(f: FunctionBuilder, x: Local, zeros: Local): void {
  f.get(zeros);
  f.get(x);
  f.op("f32x4.pmax");
  f.op("f32x4.trunc");
  f.set(x);
}

/** What is left over of the groups, one by one. */
function emitRest(pass: Pass, { source, count, target, stored }: QuantizeOperands): void {
  const { f, variant, bounds, parts } = pass;
  const { storage } = variant;
  const [part] = parts as [Local];
  emitCountdown(f, count, 1, () => {
    f.get(source);
    f.mem("v128.load32_zero");
    f.set(part);
    emitScaled(f, part, pass.inverse);
    emitRoundExact(f, part);
    emitClamp(f, part, bounds);
    f.get(target);
    f.get(part);
    if (storage === "float32") {
      f.memLane("v128.store32_lane", 0);
    } else {
      f.op("i32x4.trunc_sat_f32x4_s");
      f.lane("i32x4.extract_lane", 0);
      if (storage === "int16") {
        f.mem("i32.store16");
      } else {
        f.get(stored);
        f.op("i32.add");
        f.mem("i32.store8");
      }
    }
    emitAddTo(f, source, 4);
    emitAddTo(f, target, storedBytes(storage));
  });
}

function load(f: FunctionBuilder, { address, offset }: Operand, vector: number, into: Local): void {
  f.get(address);
  f.mem("v128.load", offset + 16 * vector, 2);
  f.set(into);
}

function emitScaled(f: FunctionBuilder, value: Local, inverse: Local): void {
  f.get(value);
  f.get(inverse);
  f.op("f32x4.mul");
  f.set(value);
}

function emitTruncate(f: FunctionBuilder, x: Local, { relaxed }: QuantizeVariant): void {
  f.get(x);
  f.op(relaxed ? "i32x4.relaxed_trunc_f32x4_s" : "i32x4.trunc_sat_f32x4_s");
  f.set(x);
}

/** Emits [] → the group as int16. */
function emitNarrow({ f, parts }: Pass): void {
  for (const part of parts) f.get(part);
  f.op("i16x8.narrow_i32x4_s");
}

function emitStoreFloats({ f, parts }: Pass, { address, offset }: Operand): void {
  parts.forEach((part, index) => {
    f.get(address);
    f.get(part);
    f.mem("v128.store", offset + 16 * index, 2);
  });
}

/** Stores a group of int16, as they are or as bytes. */
function emitStoreWords(
  { f, variant, zeroPoint }: Pass,
  { address, offset }: Operand,
  words: Local,
): void {
  f.get(address);
  f.get(words);
  if (variant.storage === "int16") {
    f.mem("v128.store", offset, 1);
    return;
  }
  f.get(zeroPoint);
  f.op("i16x8.add");
  f.tee(words);
  f.get(words);
  f.op(variant.storage === "int8" ? "i8x16.narrow_i16x8_s" : "i8x16.narrow_i16x8_u");
  f.memLane("v128.store64_lane", 0, offset, 0);
}
