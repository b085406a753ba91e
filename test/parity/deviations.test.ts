/**
 * Where the official kernels answer wrongly, ours give what the operator means (docs/numerics.md, "Where the official
 * kernels are not followed"). The expected values are worked out on paper.
 */
import { describe, expect, it } from "vitest";
import type { DType, TypedArray } from "../../src/base/dtype.ts";
import { bytesOf } from "../../src/base/dtype.ts";
import { ShapeError } from "../../src/base/errors.ts";
import { referenceKernel } from "../../src/kernels/reference/table.ts";
import { type RecordedCase, runCase } from "./operator-case.ts";

type Operand = NonNullable<RecordedCase["inputs"][number]>;

const encode = (data: TypedArray) => Buffer.from(bytesOf(data)).toString("base64");

function given(dtype: DType, shape: number[], data: TypedArray, quantization = {}): Operand {
  return { dtype, shape, data: encode(data), ...quantization };
}

const scaled = (scale: number, zeroPoint = 0) => ({ scale: [scale], zeroPoint: [zeroPoint] });

function result(
  op: string,
  inputs: Operand[],
  output: Omit<Operand, "shape" | "data">,
  options?: RecordedCase["options"],
): unknown[] {
  const recorded = { name: op, op, version: 1, inputs, outputs: [{ shape: [], ...output }] };
  const kernel = referenceKernel(op)!;
  const [first] = runCase(kernel, options ? { ...recorded, options } : recorded);
  return Array.from(first!.data as ArrayLike<unknown>);
}

describe("what the official kernels get wrong", () => {
  it.each([
    ["bool", Uint8Array.of(1, 0)],
    ["float16", Uint16Array.of(0x3c00, 0x4000)],
    ["bfloat16", Uint16Array.of(0x3f80, 0x4000)],
    ["uint16", Uint16Array.of(7, 9)],
    ["float64", Float64Array.of(1.5, -2)],
    ["uint64", BigUint64Array.of(1n, 2n ** 40n)],
  ] as const)("MATRIX_DIAG on %s sets a diagonal among zeros", (dtype, data) => {
    const zero = dtype === "uint64" ? 0n : 0;
    const diagonal = [data[0], zero, zero, data[1]];
    expect(result("MATRIX_DIAG", [given(dtype, [2], data)], { dtype })).toEqual(diagonal);
    const ones = data.slice().fill((dtype === "uint64" ? 1n : 1) as never);
    const matrix = new (data.constructor as Float64ArrayConstructor)(4) as TypedArray;
    matrix.fill(ones[0] as never);
    const set = [given(dtype, [2, 2], matrix), given(dtype, [2], data)];
    expect(result("MATRIX_SET_DIAG", set, { dtype })).toEqual([data[0], ones[0], ones[0], data[1]]);
  });

  it("MATRIX_DIAG on complex64 keeps both parts", () => {
    const operand = given("complex64", [2], Float32Array.of(1, 2, 3, 4));
    expect(result("MATRIX_DIAG", [operand], { dtype: "complex64" })).toEqual([
      1, 2, 0, 0, 0, 0, 3, 4,
    ]);
  });

  it("BROADCAST_TO repeats bfloat16", () => {
    const operands = [
      given("bfloat16", [2, 1], Uint16Array.of(0x3f80, 0x4000)),
      given("int32", [2], Int32Array.of(2, 2)),
    ];
    expect(result("BROADCAST_TO", operands, { dtype: "bfloat16" })).toEqual([
      0x3f80, 0x3f80, 0x4000, 0x4000,
    ]);
  });

  it("STABLEHLO_PAD and DILATE put int4 elements where they belong", () => {
    // 1, −2 and 3 with the filling 5: two elements a byte, the first in the low bits.
    const operand = given("int4", [3], Uint8Array.of(0xe1, 0x03));
    const filling = given("int4", [], Uint8Array.of(0x05));
    const spread = [0x51, 0x5e, 0x03];
    const factors = given("int32", [1], Int32Array.of(2));
    expect(result("DILATE", [operand, factors, filling], { dtype: "int4" })).toEqual(spread);
    const options = {
      type: "StablehloPadOptions",
      value: { edge_padding_low: [0n], edge_padding_high: [0n], interior_padding: [1n] },
    };
    const recorded = {
      ...{ name: "pad", op: "STABLEHLO_PAD", version: 1, second: true, options },
      inputs: [operand, filling],
      outputs: [{ dtype: "int4" as const, shape: [5] }],
    };
    const [padded] = runCase(referenceKernel("STABLEHLO_PAD")!, recorded);
    expect(Array.from(padded!.data as Uint8Array)).toEqual(spread);
  });

  it("PRELU on int16 multiplies what is below zero by its slope", () => {
    const x = given("int16", [4], Int16Array.of(-1000, 500, -4, 0), scaled(0.001));
    const slope = given("int16", [1], Int16Array.of(500), scaled(0.001));
    const output = { dtype: "int16" as const, ...scaled(0.001) };
    expect(result("PRELU", [x, slope], output)).toEqual([-500, 500, -2, 0]);
  });

  it("SELECT of single elements keeps their shape", () => {
    const operands = [
      given("bool", [1, 1], Uint8Array.of(0)),
      given("float32", [1, 1], Float32Array.of(2)),
      given("float32", [1, 1], Float32Array.of(3)),
    ];
    for (const op of ["SELECT", "SELECT_V2"]) {
      const recorded = { name: op, op, version: 1, inputs: operands };
      const outputs = [{ shape: [], dtype: "float32" as const }];
      const [first] = runCase(referenceKernel(op)!, { ...recorded, outputs });
      expect(first).toMatchObject({ shape: [1, 1], data: Float32Array.of(3) });
    }
  });

  it("MIRROR_PAD reflects no more than an axis has", () => {
    const x = given("float32", [1, 2], Float32Array.of(1, 2));
    const paddings = given("int32", [2, 2], Int32Array.of(1, 0, 0, 0));
    expect(() => result("MIRROR_PAD", [x, paddings], { dtype: "float32" })).toThrow(ShapeError);
  });

  it("REDUCE_PROD of a thousand factors above 1 saturates", () => {
    const x = given("int16", [1024], new Int16Array(1024).fill(300), scaled(0.02));
    const axes = given("int32", [1], Int32Array.of(0));
    expect(result("REDUCE_PROD", [x, axes], { dtype: "int16", ...scaled(0.02) })).toEqual([32767]);
  });

  it("REDUCE_PROD on quantized integers saturates", () => {
    const x = given("int8", [1, 3], Int8Array.of(100, 100, 100), scaled(1));
    const axis = given("int32", [1], Int32Array.of(1));
    const output = { dtype: "int8" as const, ...scaled(1) };
    expect(result("REDUCE_PROD", [x, axis], output)).toEqual([127]);
  });

  it("REDUCE_WINDOW adds booleans to booleans", () => {
    const window = [2n, 1n, 1n].map((n) => given("int64", [1], BigInt64Array.of(n)));
    const operands = [
      given("bool", [4], Uint8Array.of(1, 1, 0, 0)),
      given("bool", [], Uint8Array.of(0)),
    ];
    const options = { type: "ReduceWindowOptions", value: { reduce_function: "ADD" } };
    const recorded = {
      ...{ name: "window", op: "REDUCE_WINDOW", version: 1, second: true, options },
      inputs: [...operands, ...window],
      outputs: [{ dtype: "bool" as const, shape: [] }],
    };
    const [sums] = runCase(referenceKernel("REDUCE_WINDOW")!, recorded);
    expect(Array.from(sums!.data as Uint8Array)).toEqual([1, 1, 0]);
  });

  it("NOT_EQUAL compares int16 without a scale as it is", () => {
    const operands = [
      given("int16", [3], Int16Array.of(1, 2, -3)),
      given("int16", [3], Int16Array.of(1, 3, -3)),
    ];
    expect(result("NOT_EQUAL", operands, { dtype: "bool" })).toEqual([0, 1, 0]);
  });

  it("DIV on bytes is exact next to 0 and saturates for a divisor of 0", () => {
    const x = given("int8", [5], Int8Array.of(1, -1, 0, 5, -5), scaled(1));
    const y = given("int8", [5], Int8Array.of(1, 1, 3, 0, 0), scaled(1));
    const output = { dtype: "int8" as const, ...scaled(1) };
    expect(result("DIV", [x, y], output)).toEqual([1, -1, 0, 127, -128]);
  });

  it("arithmetic keeps infinities", () => {
    const x = given("float32", [3], Float32Array.of(Infinity, 3e38, -Infinity));
    const y = given("float32", [3], Float32Array.of(1, 3e38, 2));
    const none = (type: string) => ({ type, value: { fused_activation_function: "NONE" } });
    const output = { dtype: "float32" as const };
    const all = [Infinity, Infinity, -Infinity];
    expect(result("ADD", [x, y], output, none("AddOptions"))).toEqual(all);
    expect(result("MUL", [x, y], output, none("MulOptions"))).toEqual(all);
    expect(result("SUB", [x, y], output, none("SubOptions"))).toEqual([Infinity, 0, -Infinity]);
    expect(result("DIV", [x, y], output, none("DivOptions"))).toEqual([Infinity, 1, -Infinity]);
  });

  it("ATAN2 broadcasts", () => {
    const y = given("float64", [3], Float64Array.of(1, 0, -1));
    const x = given("float64", [1], Float64Array.of(-1));
    const quarter = Math.PI / 4;
    expect(result("ATAN2", [y, x], { dtype: "float64" })).toEqual([
      3 * quarter,
      Math.PI,
      -3 * quarter,
    ]);
  });

  it("CONV_3D_TRANSPOSE cuts the output in front", () => {
    // One voxel after the other, 1, 2, 3, each adding 1, 10, 100 to three places of 5, of which the first and last go.
    const shape = given("int32", [5], Int32Array.of(1, 3, 1, 1, 1));
    const filter = given("float32", [3, 1, 1, 1, 1], Float32Array.of(1, 10, 100));
    const x = given("float32", [1, 3, 1, 1, 1], Float32Array.of(1, 2, 3));
    const options = {
      type: "Conv3DOptions",
      value: { padding: "SAME", stride_d: 1, stride_h: 1, stride_w: 1 },
    };
    const sums = result("CONV_3D_TRANSPOSE", [shape, filter, x], { dtype: "float32" }, options);
    expect(sums).toEqual([12, 123, 230]);
  });

  it("FILL repeats a string", () => {
    const shape = given("int32", [1], Int32Array.of(2));
    const text = {
      dtype: "string" as const,
      shape: [],
      data: [Buffer.from("ab").toString("base64")],
    };
    const got = result("FILL", [shape, text], { dtype: "string" }) as Uint8Array[];
    expect(got.map((bytes) => Buffer.from(bytes).toString())).toEqual(["ab", "ab"]);
  });
});
