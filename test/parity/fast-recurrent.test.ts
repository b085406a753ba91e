/** Emitted recurrent steps against the reference over several runs, so that states carry on. */
import fc from "fast-check";
import { it } from "vitest";
import { defaultsOf } from "../../src/formats/tflite/options.ts";
import type { BuiltinOptions } from "../../src/formats/tflite/schema.gen.ts";
import { type OperandSpec, oneOperatorModel } from "../one-operator-model.ts";
import { expectAgreement, RUNS, uniform } from "./agreement.ts";

const RUN_COUNT = 3;
const size = fc.integer({ min: 1, max: 35 });
const kinds = fc.constantFrom("float", "hybrid");
const sequences = fc.record({
  kind: kinds,
  asymmetric: fc.boolean(),
  steps: fc.integer({ min: 1, max: 4 }),
  batch: fc.integer({ min: 1, max: 3 }),
  width: size,
  units: size,
  timeMajor: fc.boolean(),
});

function sequenceShape(s: { steps: number; batch: number; width: number; timeMajor: boolean }) {
  return s.timeMajor ? [s.steps, s.batch, s.width] : [s.batch, s.steps, s.width];
}

/** Makes constants that differ from call to call. */
function constants(kind: string) {
  const next = uniform(42);
  const vector = (units: number): OperandSpec => ({
    shape: [units],
    data: Float32Array.from({ length: units }, next),
  });
  const matrix = (units: number, depth: number): OperandSpec => {
    const [shape, length] = [[units, depth], units * depth];
    if (kind === "float") {
      return { shape, data: Float32Array.from({ length }, () => next() / Math.sqrt(depth)) };
    }
    const data = Int8Array.from({ length }, () => Math.round(next() * 127));
    return { shape, dtype: "int8", data, scale: Float32Array.of(0.008 / Math.sqrt(depth)) };
  };
  return { vector, matrix };
}

const state = (batch: number, units: number): OperandSpec => ({
  shape: [batch, units],
  isVariable: true,
});

it("LSTMs agree with and without CIFG, peepholes, projection and clipping", async () => {
  await fc.assert(
    fc.asyncProperty(
      sequences,
      fc.record({
        op: fc.constantFrom("LSTM" as const, "UNIDIRECTIONAL_SEQUENCE_LSTM" as const),
        cifg: fc.boolean(),
        peepholes: fc.boolean(),
        projection: fc.option(size, { nil: undefined }),
        clip: fc.constantFrom(0, 0.4),
        activation: fc.constantFrom("TANH" as const, "RELU6" as const),
      }),
      async (s, { op, cifg, peepholes, projection, clip, activation }) => {
        const { vector, matrix } = constants(s.kind);
        const cells = s.units;
        const outputs = projection ?? cells;
        const unless = (absent: boolean, make: () => OperandSpec) => (absent ? undefined : make());
        const gates = (make: () => OperandSpec) => [unless(cifg, make), make(), make(), make()];
        const peephole = () => vector(cells);
        const inputs = [
          { shape: op === "LSTM" ? [s.batch, s.width] : sequenceShape(s) },
          ...gates(() => matrix(cells, s.width)),
          ...gates(() => matrix(cells, outputs)),
          ...[unless(cifg || !peepholes, peephole), unless(!peepholes, peephole)],
          unless(!peepholes, peephole),
          ...gates(() => vector(cells)),
          unless(projection === undefined, () => matrix(outputs, cells)),
          unless(projection === undefined, () => vector(outputs)),
          state(s.batch, outputs),
          state(s.batch, cells),
        ];
        const shared = {
          fused_activation_function: activation,
          cell_clip: clip,
          proj_clip: clip,
          asymmetric_quantize_inputs: s.asymmetric,
        };
        const type = op === "LSTM" ? "LSTMOptions" : "UnidirectionalSequenceLSTMOptions";
        const value = { ...defaultsOf(type), ...shared, time_major: s.timeMajor };
        const model = oneOperatorModel(op, { type, value } as BuiltinOptions, inputs, {
          shape: [1],
        });
        await expectAgreement(model, s.kind === "hybrid", RUN_COUNT);
      },
    ),
    RUNS,
  );
});

it("LSTMs of both directions agree, with an auxiliary input too", async () => {
  await fc.assert(
    fc.asyncProperty(sequences, fc.boolean(), async (s, hasAuxiliary) => {
      const { vector, matrix } = constants(s.kind);
      const four = (make: () => OperandSpec) => [make(), make(), make(), make()];
      const none = (count: number) => new Array<undefined>(count).fill(undefined);
      const half = () => [
        ...four(() => matrix(s.units, s.width)),
        ...four(() => matrix(s.units, s.units)),
        ...none(3),
        ...four(() => vector(s.units)),
        ...none(2),
      ];
      const auxiliary = () => four(() => matrix(s.units, s.width));
      const inputs = [
        { shape: sequenceShape(s) },
        ...half(),
        ...half(),
        ...four(() => state(s.batch, s.units)),
        ...(hasAuxiliary ? [{ shape: sequenceShape(s) }, ...auxiliary(), ...auxiliary()] : none(9)),
      ];
      const value = {
        ...defaultsOf("BidirectionalSequenceLSTMOptions"),
        fused_activation_function: "TANH",
        merge_outputs: true,
        time_major: s.timeMajor,
        asymmetric_quantize_inputs: s.asymmetric,
      } as const;
      const model = oneOperatorModel(
        "BIDIRECTIONAL_SEQUENCE_LSTM",
        { type: "BidirectionalSequenceLSTMOptions", value },
        inputs,
        { shape: [1] },
      );
      await expectAgreement(model, s.kind === "hybrid", RUN_COUNT);
    }),
    { ...RUNS, numRuns: 25 },
  );
});

/** Input products are made for some 32,768 sums at a time: these sequences need several turns, in both directions. */
it.each([
  ["float", true],
  ["float", false],
  ["hybrid", true],
  ["hybrid", false],
])("long sequences agree, %s, time-major %s", async (kind, timeMajor) => {
  const s = { steps: 301, batch: 2, width: 5, units: 30, timeMajor };
  const { vector, matrix } = constants(kind);
  const four = (make: () => OperandSpec) => [make(), make(), make(), make()];
  const none = (count: number) => new Array<undefined>(count).fill(undefined);
  const half = () => [
    ...four(() => matrix(s.units, s.width)),
    ...four(() => matrix(s.units, s.units)),
    ...none(3),
    ...four(() => vector(s.units)),
    ...none(2),
  ];
  const value = {
    ...defaultsOf("BidirectionalSequenceLSTMOptions"),
    fused_activation_function: "TANH",
    merge_outputs: true,
    time_major: timeMajor,
    asymmetric_quantize_inputs: true,
  } as const;
  const model = oneOperatorModel(
    "BIDIRECTIONAL_SEQUENCE_LSTM",
    { type: "BidirectionalSequenceLSTMOptions", value },
    [
      { shape: sequenceShape(s) },
      ...half(),
      ...half(),
      ...four(() => state(s.batch, s.units)),
      ...none(9),
    ],
    { shape: [1] },
  );
  await expectAgreement(model, kind === "hybrid", 2);
});

it("fully quantized LSTMs agree to the bit, with and without CIFG, projection and clipping", async () => {
  await fc.assert(
    fc.asyncProperty(
      sequences,
      fc.record({
        cifg: fc.boolean(),
        projection: fc.option(size, { nil: undefined }),
        clip: fc.constantFrom(0, 0.6),
        cellExponent: fc.constantFrom(-15, -12, -11),
      }),
      async (s, { cifg, projection, clip, cellExponent }) => {
        const next = uniform(s.units + s.width);
        const cells = s.units;
        const outputs = projection ?? cells;
        const quantized = (shape: readonly number[], scale: number, zeroPoint: number) =>
          ({
            shape,
            dtype: "int8",
            scale: Float32Array.of(scale),
            zeroPoint: [zeroPoint],
          }) as const;
        const matrix = (units: number, depth: number): OperandSpec => {
          const data = Int8Array.from({ length: units * depth }, () => Math.round(next() * 127));
          return { ...quantized([units, depth], 0.004, 0), data };
        };
        const bias = (units: number): OperandSpec => {
          const data = Int32Array.from({ length: units }, () => Math.round(next() * 3000));
          return { shape: [units], dtype: "int32", data };
        };
        const unless = (absent: boolean, make: () => OperandSpec) => (absent ? undefined : make());
        const gates = (make: () => OperandSpec) => [unless(cifg, make), make(), make(), make()];
        const cellScale = Float32Array.of(2 ** cellExponent);
        const inputs = [
          quantized(sequenceShape(s), 0.02, 5),
          ...gates(() => matrix(cells, s.width)),
          ...gates(() => matrix(cells, outputs)),
          ...new Array<undefined>(3).fill(undefined),
          ...gates(() => bias(cells)),
          unless(projection === undefined, () => matrix(outputs, cells)),
          unless(projection === undefined, () => bias(outputs)),
          { ...quantized([s.batch, outputs], 0.009, -7), isVariable: true },
          {
            ...{ shape: [s.batch, cells], dtype: "int16" as const, isVariable: true },
            ...{ scale: cellScale, zeroPoint: [0] },
          },
        ];
        const value = {
          ...defaultsOf("UnidirectionalSequenceLSTMOptions"),
          fused_activation_function: "TANH",
          cell_clip: clip,
          proj_clip: clip,
          time_major: s.timeMajor,
        } as const;
        const gate = { shape: [0], dtype: "int16", scale: Float32Array.of(2 ** -12) } as const;
        const model = oneOperatorModel(
          "UNIDIRECTIONAL_SEQUENCE_LSTM",
          { type: "UnidirectionalSequenceLSTMOptions", value },
          inputs,
          quantized([1], 0.009, -7),
          1,
          [gate, gate, gate, gate, quantized([0], 0.008, 3)],
        );
        await expectAgreement(model, true, RUN_COUNT);
      },
    ),
    RUNS,
  );
});

it("basic LSTMs agree, intermediate results too", async () => {
  await fc.assert(
    fc.asyncProperty(sequences, async (s) => {
      const { vector, matrix } = constants("float");
      const value = {
        ...defaultsOf("LSTMOptions"),
        fused_activation_function: "TANH",
        kernel_type: "BASIC",
      } as const;
      const model = oneOperatorModel(
        "LSTM",
        { type: "LSTMOptions", value },
        [
          { shape: [s.batch, s.width] },
          state(s.batch, s.units),
          matrix(4 * s.units, s.width + s.units),
          vector(4 * s.units),
          state(s.batch, s.units),
        ],
        { shape: [1] },
        4,
      );
      await expectAgreement(model, false, RUN_COUNT);
    }),
    { ...RUNS, numRuns: 30 },
  );
});

it("RNNs agree, in one direction and in both", async () => {
  const operators = fc.constantFrom(
    ["RNN", "RNNOptions"] as const,
    ["UNIDIRECTIONAL_SEQUENCE_RNN", "SequenceRNNOptions"] as const,
    ["BIDIRECTIONAL_SEQUENCE_RNN", "BidirectionalSequenceRNNOptions"] as const,
  );
  await fc.assert(
    fc.asyncProperty(sequences, operators, async (s, [op, type]) => {
      const { vector, matrix } = constants(s.kind);
      const half = () => [
        matrix(s.units, s.width),
        matrix(s.units, s.units),
        vector(s.units),
        state(s.batch, s.units),
      ];
      const isBoth = op === "BIDIRECTIONAL_SEQUENCE_RNN";
      const inputs = [
        { shape: op === "RNN" ? [s.batch, s.width] : sequenceShape(s) },
        ...half(),
        ...(isBoth ? [...half(), undefined, undefined, undefined] : []),
      ];
      const value = {
        ...defaultsOf(type),
        fused_activation_function: "TANH",
        merge_outputs: true,
        time_major: s.timeMajor,
        asymmetric_quantize_inputs: s.asymmetric,
      };
      const model = oneOperatorModel(op, { type, value } as BuiltinOptions, inputs, {
        shape: [1],
      });
      await expectAgreement(model, s.kind === "hybrid", RUN_COUNT);
    }),
    RUNS,
  );
});

it("SVDFs agree on random ranks and memories", async () => {
  const sizes = fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 9 }));
  await fc.assert(
    fc.asyncProperty(sequences, sizes, async (s, [rank, memory]) => {
      const { vector, matrix } = constants(s.kind);
      const filters = s.units * rank;
      const value = {
        ...defaultsOf("SVDFOptions"),
        rank,
        fused_activation_function: "RELU",
        asymmetric_quantize_inputs: s.asymmetric,
      } as const;
      const model = oneOperatorModel(
        "SVDF",
        { type: "SVDFOptions", value },
        [
          { shape: [s.batch, s.width] },
          matrix(filters, s.width),
          matrix(filters, memory),
          vector(s.units),
          state(s.batch, filters * memory),
        ],
        { shape: [1] },
      );
      await expectAgreement(model, s.kind === "hybrid", RUN_COUNT);
    }),
    RUNS,
  );
});

it("fully quantized SVDFs agree to the bit", async () => {
  const sizes = fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 9 }));
  await fc.assert(
    fc.asyncProperty(sequences, sizes, fc.boolean(), async (s, [rank, memory], isWide) => {
      const next = uniform(s.units);
      const filters = s.units * rank;
      const integers = (length: number, most: number) =>
        Array.from({ length }, () => Math.round(next() * most));
      const scaled = (scale: number, zeroPoint = 0) => ({
        scale: Float32Array.of(scale),
        zeroPoint: [zeroPoint],
      });
      const Time = isWide ? Int16Array : Int8Array;
      const timeType = isWide ? "int16" : "int8";
      const feature = Int8Array.from(integers(filters * s.width, 127));
      const time = Time.from(integers(filters * memory, isWide ? 9000 : 127));
      const bias = Int32Array.from(integers(s.units, 3000));
      const states = [s.batch, filters * memory];
      const value = { ...defaultsOf("SVDFOptions"), rank, fused_activation_function: "RELU" };
      const model = oneOperatorModel(
        "SVDF",
        { type: "SVDFOptions", value } as BuiltinOptions,
        [
          { shape: [s.batch, s.width], dtype: "int8", ...scaled(0.05, -11) },
          { shape: [filters, s.width], dtype: "int8", ...scaled(0.01), data: feature },
          { shape: [filters, memory], dtype: timeType, ...scaled(0.001), data: time },
          { shape: [s.units], dtype: "int32", data: bias },
          { shape: states, dtype: timeType, isVariable: true, ...scaled(isWide ? 0.002 : 0.5) },
        ],
        { shape: [1], dtype: "int8", ...scaled(0.07, 3) },
      );
      await expectAgreement(model, true, RUN_COUNT);
    }),
    RUNS,
  );
});
