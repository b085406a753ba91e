/**
 * Models of one operator with one thing changed that no converter writes: a shape, a type, a quantization, an option, an
 * operand. Each must run or end in an error of ours, in bounded time and memory. Every builtin operator is here.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { allocate, bitsOf, bytesOf, type DType } from "../../src/base/dtype.ts";
import { isOctavoError } from "../../src/base/errors.ts";
import { BUILTIN_OPERATOR } from "../../src/formats/tflite/schema.gen.ts";
import { type Model, type Operator, residentBuffer, type Tensor } from "../../src/model/ir.ts";
import { operatorInfo } from "../../src/model/op-table.ts";
import { parseModel } from "../../src/model/read.ts";
import { Interpreter } from "../../src/runtime/interpreter.ts";
import { CALLING_MODELS } from "../calling-models.ts";
import { readCases } from "../parity/operator-case.ts";
import { caseModel, fileOf, readModels, recordedFiles } from "../recorded-models.ts";

const FILES = ["pairs", "singles", "movement", "folding", "audio"];

/** Models by operator: all recorded ones, and the first cases of each kind of operands. */
function modelsByOperator(): Map<string, Model[]> {
  const models = new Map<string, Model[]>();
  const add = (op: string, model: Model) => models.set(op, [...(models.get(op) ?? []), model]);
  const recorded = recordedFiles()
    .flatMap(readModels)
    .map((entry) => parseModel(fileOf(entry)).model);
  for (const model of [...recorded, ...CALLING_MODELS]) {
    for (const op of new Set(
      model.subgraphs.flatMap(({ operators }) => operators.map((o) => o.op)),
    )) {
      add(op, model);
    }
  }
  const kinds = new Set<string>();
  for (const recorded of FILES.flatMap((file) => readCases(`${file}.json.gz`))) {
    const operands = [...recorded.inputs, ...recorded.outputs];
    const kind = [
      recorded.op,
      ...operands.map((o) => `${o?.dtype} ${o?.scale !== undefined}`),
    ].join();
    if (!kinds.has(kind)) add(recorded.op, caseModel(recorded));
    kinds.add(kind);
  }
  return models;
}

const MODELS = modelsByOperator();

/** Something changed in a model; `text` says what in counterexamples. */
class Change {
  readonly text: string;
  readonly apply: (model: Model) => Model;

  constructor(text: string, apply: (model: Model) => Model) {
    this.text = text;
    this.apply = apply;
  }

  [fc.toStringMethod](): string {
    return this.text;
  }
}

/** Ones of a type: large sizes and counts would take long to no end. */
function onesOf(dtype: DType, count: number): Uint8Array {
  if (bitsOf(dtype) === undefined) return new Uint8Array(0);
  const data = allocate(dtype, count);
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) data.fill(1n);
  else data.fill(1);
  return bytesOf(data);
}

function changeTensor(at: number, by: Partial<Tensor>): Change {
  return new Change(`tensor ${at}: ${fc.stringify(by)}`, (model) => {
    const [main, ...rest] = model.subgraphs;
    const tensor = main!.tensors[at % main!.tensors.length]!;
    const changed = { ...tensor, ...by };
    const tensors = main!.tensors.with(at % main!.tensors.length, changed);
    const subgraphs = [{ ...main!, tensors }, ...rest];
    if (tensor.buffer === 0 || tensor.sparsity !== undefined) return { ...model, subgraphs };
    const count = changed.shape.reduce((product, size) => product * size, 1);
    const bytes = onesOf(changed.dtype, count);
    return {
      ...model,
      subgraphs,
      buffers: model.buffers.with(tensor.buffer, residentBuffer(bytes)),
    };
  });
}

function changeOperator(
  text: string,
  at: number,
  by: (operator: Operator) => Partial<Operator>,
): Change {
  return new Change(`operator ${at}: ${text}`, (model) => {
    const [main, ...rest] = model.subgraphs;
    const which = at % main!.operators.length;
    const operator = main!.operators[which]!;
    const operators = main!.operators.with(which, { ...operator, ...by(operator) });
    return { ...model, subgraphs: [{ ...main!, operators }, ...rest] };
  });
}

const position = fc.nat(60);
const TYPES: readonly DType[] = [
  ...(["float32", "float16", "bfloat16", "float64", "int8", "uint8", "int16", "int32"] as const),
  ...(["int64", "uint32", "bool", "string", "complex64", "int4", "int2", "resource"] as const),
];

const shapes = fc
  .tuple(position, fc.array(fc.constantFrom(0, 1, 2, 3, 5, 16), { maxLength: 5 }))
  .map(([at, shape]) => changeTensor(at, { shape }));

const types = fc
  .tuple(position, fc.constantFrom(...TYPES))
  .map(([at, dtype]) => changeTensor(at, { dtype }));

const numbers = fc.constantFrom(0, -1, 1e-30, 1e30, 0.5, Number.NaN, Infinity);
const zeroPoints = fc.constantFrom(0, 1, -1, 255, -129, 2 ** 31 - 1, -(2 ** 31));
const quantizations = fc
  .tuple(
    position,
    fc.array(fc.tuple(numbers, zeroPoints), { maxLength: 4 }),
    fc.integer({ min: -2, max: 5 }),
  )
  .map(([at, pairs, quantizedDimension]) => {
    const none = new Float32Array(0);
    const quantization = {
      scale: Float32Array.from(pairs, ([scale]) => scale),
      zeroPoint: pairs.map(([, zero]) => zero),
      ...{ min: none, max: none, quantizedDimension },
    };
    return changeTensor(at, { quantization });
  });

const integers = fc.constantFrom(-(2 ** 31), -1, 0, 1, 2, 3, 100, 2 ** 31 - 1);
const options = fc.tuple(position, integers, numbers).map(([at, integer, real]) =>
  changeOperator(`option ${integer} or ${real}`, at, ({ options: first, options2: second }) => {
    const change = <Union extends { value: object }>(union: Union | undefined) => {
      if (union === undefined) return undefined;
      const value = Object.entries(union.value).map(([name, old], k, all) => {
        if (k !== at % all.length) return [name, old];
        if (typeof old === "number") return [name, Number.isInteger(old) ? integer : real];
        if (typeof old === "bigint") return [name, BigInt(integer)];
        if (Array.isArray(old))
          return [name, old.map((x) => (typeof x === "bigint" ? BigInt(integer) : integer))];
        return [name, typeof old === "boolean" ? !old : old];
      });
      return { ...union, value: Object.fromEntries(value) as Union["value"] };
    };
    const [one, two] = [change(first), change(second)];
    return { ...(one && { options: one }), ...(two && { options2: two }) };
  }),
);

const operands = fc.tuple(position, fc.constantFrom(-1, 0, 1)).map(([at, tensor]) =>
  changeOperator(`input ${tensor}`, at, ({ inputs }) => ({
    inputs: inputs.length === 0 ? [tensor] : inputs.with(at % inputs.length, tensor),
  })),
);

const counts = fc.tuple(position, fc.boolean()).map(([at, more]) =>
  changeOperator(more ? "one input more" : "one input less", at, ({ inputs }) => ({
    inputs: more ? [...inputs, 0] : inputs.slice(0, -1),
  })),
);

/** Runs a model and lets pass only results and errors of ours. */
async function runHostile(model: Model, kernels: "reference" | "auto"): Promise<void> {
  try {
    const interpreter = await Interpreter.create(model, { kernels });
    await interpreter.invoke({ timeLimitMs: 2000 });
    interpreter.dispose();
  } catch (error) {
    if (!isOctavoError(error)) throw error;
  }
}

describe("models of one operator with something changed", () => {
  it.each([...MODELS.keys()])("%s runs or is refused", async (op) => {
    const change = fc.oneof(shapes, types, quantizations, options, operands, counts);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(MODELS.get(op)!.length - 1),
        fc.array(change, { minLength: 1, maxLength: 2 }),
        fc.constantFrom("reference" as const, "auto" as const),
        async (which, changes, kernels) => {
          const model = MODELS.get(op)![which]!;
          await runHostile(
            changes.reduce((changed, { apply }) => apply(changed), model),
            kernels,
          );
        },
      ),
      { numRuns: 80 },
    );
  });

  it("are there for every builtin operator", () => {
    const missing = BUILTIN_OPERATOR.filter((op) => operatorInfo(op) && !MODELS.has(op));
    expect(missing).toEqual([]);
  });
});
