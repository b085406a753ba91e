/**
 * Writes the body of one function. Instructions keep the specification's spelling (`op("i32x4.dot_i16x8_s")`), labels
 * and locals are objects, and every operand is type-checked as it is emitted. A little over the usual length: one class
 * with a short method for each kind of instruction reads better whole.
 */
import { assert } from "../base/errors.ts";
import { ByteWriter } from "./byte-writer.ts";
import {
  type LaneRow,
  type MemoryLaneRow,
  typesOfLetters,
  VALUE_TYPE_CODE,
  type ValueType,
} from "./instruction-row.ts";
import {
  type LaneInstruction,
  type MemoryInstruction,
  type MemoryLaneInstruction,
  memoryRow,
  type PlainInstruction,
  plainRow,
} from "./instructions.ts";
import { OperandStack } from "./operand-stack.ts";
import { SIMD_LANE, SIMD_MEMORY_LANE } from "./simd-instructions.ts";

/** A parameter or local variable of the function that made it. */
export interface Local {
  readonly index: number;
  readonly type: ValueType;
}

/** The target of a branch, valid inside the block that made it. */
export interface Label {
  readonly frame: number;
}

/** What a call needs to know of its target. */
export interface Callable {
  readonly index: number;
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
}

/** A module-wide variable. */
export interface Global {
  readonly index: number;
  readonly type: ValueType;
  readonly mutable: boolean;
}

const PREFIX_ATOMIC = 0xfe;
const PREFIX_BULK = 0xfc;
const PREFIX_SIMD = 0xfd;
const EMPTY_BLOCK = 0x40;

export class FunctionBuilder implements Callable {
  readonly index: number;
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
  readonly #code = new ByteWriter();
  readonly #locals: ValueType[] = [];
  readonly #stack = new OperandStack();
  /** Index of the function type with these parameters and results, made on demand by the module. */
  readonly #typeIndexOf: (params: readonly ValueType[], results: readonly ValueType[]) => number;

  constructor(
    index: number,
    params: readonly ValueType[],
    results: readonly ValueType[],
    typeIndexOf: (params: readonly ValueType[], results: readonly ValueType[]) => number,
  ) {
    this.index = index;
    this.params = params;
    this.results = results;
    this.#typeIndexOf = typeIndexOf;
    this.#stack.enter(results, results);
  }

  param(index: number): Local {
    const type = this.params[index];
    if (type !== undefined) return { index, type };
    assert(false, `parameter ${index} of a function with ${this.params.length}`);
  }

  local(type: ValueType): Local {
    this.#locals.push(type);
    return { index: this.params.length + this.#locals.length - 1, type };
  }

  get(local: Local): void {
    this.#code.opcode(0x20, local.index);
    this.#stack.pushOne(local.type);
  }

  set(local: Local): void {
    this.#stack.popOne(local.type, "local.set");
    this.#code.opcode(0x21, local.index);
  }

  tee(local: Local): void {
    this.#stack.popOne(local.type, "local.tee");
    this.#code.opcode(0x22, local.index);
    this.#stack.pushOne(local.type);
  }

  getGlobal(global: Global): void {
    this.#code.opcode(0x23, global.index);
    this.#stack.pushOne(global.type);
  }

  setGlobal(global: Global): void {
    assert(global.mutable, "global.set of an immutable global");
    this.#stack.popOne(global.type, "global.set");
    this.#code.opcode(0x24, global.index);
  }

  i32(value: number): void {
    this.#code.byte(0x41);
    this.#code.s32(value);
    this.#stack.pushOne("i32");
  }

  i64(value: bigint): void {
    this.#code.byte(0x42);
    this.#code.s64(value);
    this.#stack.pushOne("i64");
  }

  f32(value: number): void {
    this.#code.byte(0x43);
    this.#code.f32(value);
    this.#stack.pushOne("f32");
  }

  f64(value: number): void {
    this.#code.byte(0x44);
    this.#code.f64(value);
    this.#stack.pushOne("f64");
  }

  /** A 16-byte constant. */
  v128(bytes: Uint8Array): void {
    assert(bytes.length === 16, `v128.const of ${bytes.length} bytes`);
    this.#opcode(PREFIX_SIMD, 12);
    this.#code.bytes(bytes);
    this.#stack.pushOne("v128");
  }

  /** An instruction without immediates. */
  op(name: PlainInstruction): void {
    const row = plainRow(name);
    this.#stack.pop(typesOfLetters(row[2]), name);
    this.#opcode(row[0], row[1]);
    this.#stack.push(typesOfLetters(row[3]));
    if (name === "unreachable") this.#stack.markUnreachable(name);
  }

  /** Loads, stores and atomics: effective address = operand + `offset` (bytes, unsigned). */
  mem(name: MemoryInstruction, offset = 0, alignLog2?: number): void {
    const row = memoryRow(name);
    this.#stack.pop(typesOfLetters(row[3]), name);
    this.#opcode(row[0], row[1]);
    this.#memarg(name, offset, alignLog2 ?? row[2], row[2]);
    this.#stack.push(typesOfLetters(row[4]));
  }

  /** extract_lane and replace_lane. */
  lane(name: LaneInstruction, lane: number): void {
    const [prefix, opcode, lanes, operands, results]: LaneRow = SIMD_LANE[name];
    assert(lane >= 0 && lane < lanes, `${name}: lane ${lane} of ${lanes}`);
    this.#stack.pop(typesOfLetters(operands), name);
    this.#opcode(prefix, opcode);
    this.#code.byte(lane);
    this.#stack.push(typesOfLetters(results));
  }

  /** Loads into and stores from one lane. */
  memLane(name: MemoryLaneInstruction, lane: number, offset = 0, alignLog2?: number): void {
    const [prefix, opcode, natural, lanes, operands, results]: MemoryLaneRow =
      SIMD_MEMORY_LANE[name];
    assert(lane >= 0 && lane < lanes, `${name}: lane ${lane} of ${lanes}`);
    this.#stack.pop(typesOfLetters(operands), name);
    this.#opcode(prefix, opcode);
    this.#memarg(name, offset, alignLog2 ?? natural, natural);
    this.#code.byte(lane);
    this.#stack.push(typesOfLetters(results));
  }

  /** Picks 16 bytes out of two vectors: indices 0–15 name the first, 16–31 the second. */
  shuffle(indices: readonly number[]): void {
    assert(
      indices.length === 16 && indices.every((index) => index >= 0 && index < 32),
      `i8x16.shuffle of [${indices.join(", ")}]`,
    );
    this.#stack.pop(["v128", "v128"], "i8x16.shuffle");
    this.#opcode(PREFIX_SIMD, 13);
    for (const index of indices) this.#code.byte(index);
    this.#stack.pushOne("v128");
  }

  drop(): void {
    this.#stack.popAny("drop");
    this.#code.byte(0x1a);
  }

  /** [a, b, i32 condition] → a where the condition is not 0, else b. Typed form for v128. */
  select(): void {
    this.#stack.popOne("i32", "select");
    const type = this.#stack.popPair("select");
    assert(type !== undefined, "select: unknown operand type in unreachable code");
    if (type === "v128") {
      this.#code.byte(0x1c);
      this.#code.u32(1);
      this.#code.byte(VALUE_TYPE_CODE[type]);
    } else {
      this.#code.byte(0x1b);
    }
    this.#stack.pushOne(type);
  }

  /** `body` runs with a label whose branch leaves the block. */
  block(body: (exit: Label) => void, results: readonly ValueType[] = []): void {
    this.#structured(0x02, results, results, body);
  }

  /** `body` runs with a label whose branch repeats it. */
  loop(body: (again: Label) => void, results: readonly ValueType[] = []): void {
    this.#structured(0x03, [], results, body);
  }

  /** Takes an i32 condition; `otherwise` may be left out when there are no results. */
  if(
    then: (exit: Label) => void,
    otherwise?: (exit: Label) => void,
    results: readonly ValueType[] = [],
  ): void {
    assert(otherwise !== undefined || results.length === 0, "if with results but without else");
    this.#stack.popOne("i32", "if");
    this.#code.byte(0x04);
    this.#blockType(results);
    this.#body(results, results, then, "if");
    if (otherwise !== undefined) {
      this.#code.byte(0x05);
      this.#body(results, results, otherwise, "else");
    }
    this.#code.byte(0x0b);
    this.#stack.push(results);
  }

  br(label: Label): void {
    const depth = this.#depthOf(label);
    this.#stack.pop(this.#stack.branchTypes(depth, "br"), "br");
    this.#code.opcode(0x0c, depth);
    this.#stack.markUnreachable("br");
  }

  /** Takes an i32 condition. */
  brIf(label: Label): void {
    this.#stack.popOne("i32", "br_if");
    const depth = this.#depthOf(label);
    const types = this.#stack.branchTypes(depth, "br_if");
    this.#stack.pop(types, "br_if");
    this.#code.opcode(0x0d, depth);
    this.#stack.push(types);
  }

  /** Takes an i32 index: branches to `labels[index]`, or to `otherwise` when there is none. */
  brTable(labels: readonly Label[], otherwise: Label): void {
    this.#stack.popOne("i32", "br_table");
    this.#stack.pop(this.#stack.branchTypes(this.#depthOf(otherwise), "br_table"), "br_table");
    this.#code.byte(0x0e);
    this.#code.u32(labels.length);
    for (const label of [...labels, otherwise]) this.#code.u32(this.#depthOf(label));
    this.#stack.markUnreachable("br_table");
  }

  return(): void {
    this.#stack.pop(this.#stack.returnTypes(), "return");
    this.#code.byte(0x0f);
    this.#stack.markUnreachable("return");
  }

  call(target: Callable): void {
    this.#stack.pop(target.params, "call");
    this.#code.opcode(0x10, target.index);
    this.#stack.push(target.results);
  }

  /** Pages of 65,536 bytes. */
  memorySize(): void {
    this.#code.opcode(0x3f, 0);
    this.#stack.pushOne("i32");
  }

  memoryGrow(): void {
    this.#stack.popOne("i32", "memory.grow");
    this.#code.opcode(0x40, 0);
    this.#stack.pushOne("i32");
  }

  /** [destination, source, byte count]; ranges may overlap. */
  memoryCopy(): void {
    this.#stack.pop(["i32", "i32", "i32"], "memory.copy");
    this.#opcode(PREFIX_BULK, 10);
    this.#code.byte(0);
    this.#code.byte(0);
  }

  /** [destination, byte value, byte count] */
  memoryFill(): void {
    this.#stack.pop(["i32", "i32", "i32"], "memory.fill");
    this.#opcode(PREFIX_BULK, 11);
    this.#code.byte(0);
  }

  /** [destination, source offset, byte count] from a passive data segment. */
  memoryInit(segment: number): void {
    this.#stack.pop(["i32", "i32", "i32"], "memory.init");
    this.#opcode(PREFIX_BULK, 8);
    this.#code.u32(segment);
    this.#code.byte(0);
  }

  dataDrop(segment: number): void {
    this.#opcode(PREFIX_BULK, 9);
    this.#code.u32(segment);
  }

  atomicFence(): void {
    this.#opcode(PREFIX_ATOMIC, 3);
    this.#code.byte(0);
  }

  /** Ends the function and returns its entry of the code section, without the size in front. */
  finish(): Uint8Array {
    this.#stack.leave("end of function");
    const body = new ByteWriter();
    body.u32(this.#locals.length);
    for (const type of this.#locals) {
      body.u32(1);
      body.byte(VALUE_TYPE_CODE[type]);
    }
    body.bytes(this.#code.finish());
    body.byte(0x0b);
    return body.finish();
  }

  #structured(
    opcode: number,
    branchTypes: readonly ValueType[],
    results: readonly ValueType[],
    body: (label: Label) => void,
  ): void {
    this.#code.byte(opcode);
    this.#blockType(results);
    this.#body(branchTypes, results, body, opcode === 0x03 ? "loop" : "block");
    this.#code.byte(0x0b);
    this.#stack.push(results);
  }

  #body(
    branchTypes: readonly ValueType[],
    results: readonly ValueType[],
    body: (label: Label) => void,
    what: string,
  ): void {
    this.#stack.enter(branchTypes, results);
    body({ frame: this.#stack.depth });
    this.#stack.leave(`end of ${what}`);
  }

  #blockType(results: readonly ValueType[]): void {
    const [only] = results;
    if (only === undefined) this.#code.byte(EMPTY_BLOCK);
    else if (results.length === 1) this.#code.byte(VALUE_TYPE_CODE[only]);
    else this.#code.s32(this.#typeIndexOf([], results));
  }

  #depthOf(label: Label): number {
    const depth = this.#stack.depth - label.frame;
    assert(depth >= 0, "branch to a block that has ended");
    return depth;
  }

  #opcode(prefix: number, opcode: number): void {
    if (prefix === 0) this.#code.byte(opcode);
    else this.#code.opcode(prefix, opcode);
  }

  #memarg(name: string, offset: number, alignLog2: number, natural: number): void {
    if (offset < 0 || !Number.isInteger(offset)) assert(false, `${name}: offset ${offset}`);
    if (alignLog2 > natural) {
      assert(false, `${name}: alignment 2^${alignLog2} above the natural 2^${natural}`);
    }
    this.#code.u32(alignLog2);
    this.#code.u32(offset);
  }
}
