/** The arithmetic of a reduction: how elements are folded into accumulators, several at a time or a single one. */
import type { FunctionBuilder, Local } from "../../../wasm/function-builder.ts";
import type { PlainInstruction } from "../../../wasm/instructions.ts";
import { emitSplatConstant } from "../emit-basics.ts";

export type ReduceData = "f32" | "int8" | "uint8";
/** Sums of bytes are int32. */
export type ReduceFold = "sum" | "prod" | "max" | "min";

export interface ReduceVariant {
  readonly data: ReduceData;
  readonly fold: ReduceFold;
}

/** Whether there is code for a variant: products are for floats only. */
export function isReducible({ data, fold }: ReduceVariant): boolean {
  return data === "f32" || fold !== "prod";
}

/** Elements that are folded at a time: a few vectors, one vector, or one element. */
export interface ReduceGroup {
  /** Elements. */
  readonly count: number;
  /** Accumulators that they fill. */
  readonly accumulators: readonly Local[];
}

export interface ReduceStage {
  readonly inputBytes: number;
  readonly outputBytes: number;
  /** Largest first; the last is one element. */
  readonly groups: readonly ReduceGroup[];
  start(group: ReduceGroup): void;
  add(address: Local, group: ReduceGroup): void;
  /** Stores one result for each element of the group. */
  store(out: Local, group: ReduceGroup): void;
  /** Stores the fold of all elements of two groups, the second of which is that of one element. */
  storeFolded(out: Local, group: ReduceGroup, single: ReduceGroup): void;
}

export function reduceStage(f: FunctionBuilder, { data, fold }: ReduceVariant): ReduceStage {
  if (data === "f32") return wholeStage(f, FLOATS[fold]);
  return fold === "max" || fold === "min"
    ? wholeStage(f, byteExtremum(data, fold))
    : byteSumStage(f, data);
}

/** A fold whose accumulators hold elements of the type that they are made of. */
interface WholeFold {
  readonly op: PlainInstruction;
  readonly bytes: 1 | 4;
  emitStart(f: FunctionBuilder): void;
}

const FLOATS: Readonly<Record<ReduceFold, WholeFold>> = {
  sum: { op: "f32x4.add", bytes: 4, emitStart: (f) => emitSplatConstant(f, 0) },
  prod: { op: "f32x4.mul", bytes: 4, emitStart: (f) => emitSplatConstant(f, 1) },
  // NaN stays to the end, where the operator sees it and leaves the reduction to plain code.
  max: { op: "f32x4.max", bytes: 4, emitStart: (f) => emitSplatConstant(f, -Infinity) },
  min: { op: "f32x4.min", bytes: 4, emitStart: (f) => emitSplatConstant(f, Infinity) },
};

function byteExtremum(data: "int8" | "uint8", fold: "max" | "min"): WholeFold {
  const sign = data === "int8" ? "s" : "u";
  const [least, most] = data === "int8" ? [-128, 127] : [0, -1];
  return {
    op: `i8x16.${fold}_${sign}`,
    bytes: 1,
    emitStart(f) {
      f.i32(fold === "max" ? least : most);
      f.op("i8x16.splat");
    },
  };
}

function wholeStage(f: FunctionBuilder, { op, bytes, emitStart }: WholeFold): ReduceStage {
  const lanes = 16 / bytes;
  const vectors = Array.from({ length: 4 }, () => f.local("v128"));
  const one = f.local("v128");
  const isSingle = ({ count }: ReduceGroup) => count === 1;
  const accumulate = (into: Local, emit: () => void) => {
    f.get(into);
    emit();
    f.op(op);
    f.set(into);
  };
  return {
    inputBytes: bytes,
    outputBytes: bytes,
    groups: [
      { count: 4 * lanes, accumulators: vectors },
      { count: lanes, accumulators: vectors.slice(0, 1) },
      { count: 1, accumulators: [one] },
    ],
    start({ accumulators }) {
      for (const accumulator of accumulators) {
        emitStart(f);
        f.set(accumulator);
      }
    },
    add(address, group) {
      group.accumulators.forEach((accumulator, index) => {
        accumulate(accumulator, () => {
          f.get(address);
          if (!isSingle(group)) f.mem("v128.load", 16 * index, 0);
          else f.mem(bytes === 4 ? "v128.load32_splat" : "v128.load8_splat", 0, 0);
        });
      });
    },
    store(out, group) {
      group.accumulators.forEach((accumulator, index) => {
        f.get(out);
        f.get(accumulator);
        if (!isSingle(group)) f.mem("v128.store", 16 * index, 0);
        else f.memLane(bytes === 4 ? "v128.store32_lane" : "v128.store8_lane", 0, 0, 0);
      });
    },
    storeFolded(out, { accumulators: [first, ...others] }, single) {
      for (const other of others) accumulate(first, () => f.get(other));
      for (let distance = 8; distance >= bytes; distance /= 2) {
        accumulate(first, () => emitRotated(f, first, distance));
      }
      accumulate(first, () => f.get(single.accumulators[0]));
      f.get(out);
      f.get(first);
      f.memLane(bytes === 4 ? "v128.store32_lane" : "v128.store8_lane", 0, 0, 0);
    },
  };
}

/** int32 sums of bytes, eight at a time. */
function byteSumStage(f: FunctionBuilder, data: "int8" | "uint8"): ReduceStage {
  const isSigned = data === "int8";
  const sums = [f.local("v128"), f.local("v128")];
  const [one, wide] = [f.local("v128"), f.local("v128")];
  return {
    inputBytes: 1,
    outputBytes: 4,
    groups: [
      { count: 8, accumulators: sums },
      { count: 1, accumulators: [one] },
    ],
    start({ accumulators }) {
      for (const accumulator of accumulators) {
        f.v128(new Uint8Array(16));
        f.set(accumulator);
      }
    },
    add(address, { accumulators, count }) {
      f.get(address);
      if (count === 1) f.mem(isSigned ? "i32.load8_s" : "i32.load8_u");
      else f.mem(isSigned ? "v128.load8x8_s" : "v128.load8x8_u", 0, 0);
      if (count === 1) f.op("i32x4.splat");
      f.set(wide);
      accumulators.forEach((accumulator, half) => {
        f.get(accumulator);
        f.get(wide);
        if (count > 1) f.op(half === 0 ? "i32x4.extend_low_i16x8_s" : "i32x4.extend_high_i16x8_s");
        f.op("i32x4.add");
        f.set(accumulator);
      });
    },
    store(out, { accumulators, count }) {
      accumulators.forEach((accumulator, index) => {
        f.get(out);
        f.get(accumulator);
        if (count === 1) f.memLane("v128.store32_lane", 0);
        else f.mem("v128.store", 16 * index, 2);
      });
    },
    storeFolded(out, { accumulators: [first, second] }, single) {
      const add = (emit: () => void) => {
        f.get(first);
        emit();
        f.op("i32x4.add");
        f.set(first);
      };
      add(() => f.get(second));
      for (const distance of [8, 4]) add(() => emitRotated(f, first, distance));
      add(() => f.get(single.accumulators[0]));
      f.get(out);
      f.get(first);
      f.memLane("v128.store32_lane", 0);
    },
  };
}

/** Emits [] → the vector, rotated by so many bytes. */
function emitRotated(f: FunctionBuilder, vector: Local, distance: number): void {
  f.get(vector);
  f.get(vector);
  f.shuffle(Array.from({ length: 16 }, (_, byte) => (byte + distance) % 16));
}
