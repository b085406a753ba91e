import { describe, expect, test } from "vitest";
import { isOctavoError } from "../../src/base/errors.ts";
import { makeOptions } from "../../src/formats/tflite/options.ts";
import type { Model, Operator, Tensor } from "../../src/model/ir.ts";
import { parseModel } from "../../src/model/read.ts";
import { verifyModel } from "../../src/model/verify.ts";
import { encodeModel } from "../../src/model/write.ts";
import type { QuantizeOptions } from "../../src/quantize/options.ts";
import { quantizeModel } from "../../src/quantize/quantize-model.ts";
import { denseModel, randomValues, tinyModel } from "./tiny-model.ts";

const DYNAMIC: QuantizeOptions = { mode: "dynamic_range" };
const ALL: QuantizeOptions = { mode: "dynamic_range", minElements: 0 };

function tensorOf(model: Model, index: number, subgraph = 0): Tensor {
  return model.subgraphs[subgraph]!.tensors[index]!;
}

function int8Of(model: Model, tensor: Tensor): Int8Array {
  return new Int8Array(new Uint8Array(model.buffers[tensor.buffer]!.bytes!).buffer);
}

function operatorsOf(model: Model, subgraph = 0): readonly Operator[] {
  return model.subgraphs[subgraph]!.operators;
}

/** A lookup table that a GATHER and a FULLY_CONNECTED share: its rows are both. */
function tiedModel(): Model {
  return tinyModel(
    [
      { shape: [3], dtype: "int32" },
      { shape: [40, 32], data: randomValues(1280) },
      { shape: [3, 32] },
      { shape: [3, 40] },
      { shape: [], dtype: "int32", data: Int32Array.of(0) },
    ],
    [
      { op: "GATHER", inputs: [1, 0], outputs: [2], options: makeOptions("GatherOptions") },
      {
        op: "FULLY_CONNECTED",
        inputs: [2, 1, -1],
        outputs: [3],
        options: makeOptions("FullyConnectedOptions"),
      },
    ],
    [0],
    [3],
  );
}

describe("the documented example", () => {
  const values = Float32Array.of(-10, 0, 10, 20, 30);
  for (const options of [ALL, { ...ALL, perTensor: true }, { ...ALL, legacy: "r1.13" as const }]) {
    test(`-10 … 30 becomes -42 … 127 in steps of 30/127 with ${JSON.stringify(options)}`, async () => {
      const { model } = await quantizeModel(denseModel(1, 5, values), options);
      const weights = tensorOf(model, 1);
      expect(weights.dtype).toBe("int8");
      expect([...weights.quantization!.scale]).toEqual([Math.fround(30 / 127)]);
      expect([...int8Of(model, weights)]).toEqual([-42, 0, 42, 85, 127]);
    });
  }
});

describe("dynamic range", () => {
  test("leaves 1,023 elements float and quantizes 1,024", async () => {
    const small = await quantizeModel(denseModel(1, 1023), DYNAMIC);
    expect(tensorOf(small.model, 1).dtype).toBe("float32");
    expect(small.report.kept[0]!.reasons[0]).toMatchObject({
      code: "too_small",
      text: "1023 elements are fewer than 1024",
      operator: "FULLY_CONNECTED (operator 0)",
    });
    const large = await quantizeModel(denseModel(1, 1024), DYNAMIC);
    expect(tensorOf(large.model, 1).dtype).toBe("int8");
    expect(operatorsOf(large.model)[0]!.version).toBe(12);
  });

  test("never stores -128", async () => {
    const values = randomValues(4096, 7).map((value) => value - 0.5);
    const { model } = await quantizeModel(denseModel(16, 256, values), DYNAMIC);
    expect(Math.min(...int8Of(model, tensorOf(model, 1)))).toBe(-127);
  });

  test("stores a table that two operators want in different forms twice", async () => {
    const { model, report } = await quantizeModel(tiedModel(), DYNAMIC);
    const [gather, dequantize, dense] = operatorsOf(model);
    expect([gather!.op, dequantize!.op, dense!.op]).toEqual([
      "GATHER",
      "DEQUANTIZE",
      "FULLY_CONNECTED",
    ]);
    expect(tensorOf(model, gather!.inputs[0]!).quantization!.scale).toHaveLength(1);
    expect(tensorOf(model, dense!.inputs[1]!).quantization!.scale).toHaveLength(40);
    expect(gather!.version).toBe(2);
    expect(report.quantized.map(({ granularity }) => granularity)).toEqual(["tensor", "channel"]);
  });

  test("scales rows behind a lookup only when fewer rows come out than are in the table", async () => {
    const few = await quantizeModel(tiedModel(), { ...DYNAMIC, include: ["op:GATHER"] });
    expect(operatorsOf(few.model).map(({ op }) => op)).toEqual([
      "GATHER",
      "DEQUANTIZE",
      "FULLY_CONNECTED",
    ]);
    const all = tinyModel(
      [
        { shape: [40], dtype: "int32" },
        { shape: [40, 32], data: randomValues(1280) },
        { shape: [40, 32] },
      ],
      [{ op: "GATHER", inputs: [1, 0], outputs: [2], options: makeOptions("GatherOptions") }],
      [0],
      [2],
    );
    const many = await quantizeModel(all, DYNAMIC);
    expect(operatorsOf(many.model).map(({ op }) => op)).toEqual(["DEQUANTIZE", "GATHER"]);
  });

  test("keeps the floats of a weight that the graph returns, beside an int8 copy", async () => {
    const dense = denseModel(32, 64);
    const graph = dense.subgraphs[0]!;
    const model = { ...dense, subgraphs: [{ ...graph, outputs: [2, 1] }] };
    const { model: quantized, report } = await quantizeModel(model, DYNAMIC);
    expect(tensorOf(quantized, 1).dtype).toBe("float32");
    expect(tensorOf(quantized, operatorsOf(quantized)[0]!.inputs[1]!).dtype).toBe("int8");
    expect(report.kept[0]!.reasons.map(({ code }) => code)).toEqual(["graph_boundary"]);
  });

  test("stores weights that share a buffer once", async () => {
    const weights = randomValues(2048);
    const dense = { op: "FULLY_CONNECTED", options: makeOptions("FullyConnectedOptions") } as const;
    const model = tinyModel(
      [
        { shape: [1, 64] },
        { shape: [32, 64], data: weights },
        { shape: [32, 64], like: 1 },
        { shape: [1, 32] },
        { shape: [1, 32] },
      ],
      [
        { ...dense, inputs: [0, 1, -1], outputs: [3] },
        { ...dense, inputs: [0, 2, -1], outputs: [4] },
      ],
      [0],
      [3, 4],
    );
    const { model: quantized } = await quantizeModel(model, DYNAMIC);
    expect(tensorOf(quantized, 1).buffer).toBe(tensorOf(quantized, 2).buffer);
    expect(quantized.buffers.map(({ byteLength }) => byteLength)).toEqual([0, 2048, 16]);
  });

  test("keeps all weights of a recurrent operator float when one of them has to stay", async () => {
    const rnn = (units: number) =>
      tinyModel(
        [
          { shape: [1, 4, 64] },
          { shape: [units, 64], data: randomValues(units * 64) },
          { shape: [units, units], data: randomValues(units * units) },
          { shape: [units], data: randomValues(units) },
          { shape: [1, units] },
          { shape: [1, 4, units] },
        ],
        [
          {
            op: "UNIDIRECTIONAL_SEQUENCE_RNN",
            inputs: [0, 1, 2, 3, 4],
            outputs: [5],
            options: makeOptions("SequenceRNNOptions"),
          },
        ],
        [0, 4],
        [5],
      );
    const small = await quantizeModel(rnn(31), DYNAMIC);
    expect(tensorOf(small.model, 1).dtype).toBe("float32");
    expect(small.report.kept[0]!.reasons[0]!.text).toBe(
      'UNIDIRECTIONAL_SEQUENCE_RNN wants all of its weights in one type, and "t2" stays float: ' +
        "961 elements are fewer than 1024",
    );
    const large = await quantizeModel(rnn(32), DYNAMIC);
    expect([1, 2, 3].map((index) => tensorOf(large.model, index).dtype)).toEqual([
      "int8",
      "int8",
      "float32",
    ]);
  });

  test("sets asymmetric_quantize_inputs as asked, where weights were quantized", async () => {
    for (const asymmetricInputs of [true, false]) {
      const { model } = await quantizeModel(denseModel(32, 32), { ...DYNAMIC, asymmetricInputs });
      expect(operatorsOf(model)[0]!.options!.value).toMatchObject({
        asymmetric_quantize_inputs: asymmetricInputs,
      });
    }
  });

  test("does not change the model that it is given, and changes nothing the second time", async () => {
    const model = tiedModel();
    const copy = structuredClone(model.subgraphs);
    const once = await quantizeModel(model, DYNAMIC);
    expect(model.subgraphs).toEqual(copy);
    const twice = await quantizeModel(once.model, DYNAMIC);
    expect(twice.model).toBe(once.model);
    expect(twice.report).toMatchObject({ quantized: [], alreadyQuantized: 2 });
  });
});

describe("other modes", () => {
  test("weight_only puts a DEQUANTIZE between weights and operator", async () => {
    const { model } = await quantizeModel(denseModel(32, 64), { mode: "weight_only" });
    const [dequantize, dense] = operatorsOf(model);
    expect(dequantize).toMatchObject({ op: "DEQUANTIZE", version: 5, inputs: [1] });
    expect(dense!.inputs[1]).toBe(dequantize!.outputs[0]);
    expect(dense!.options!.value).toMatchObject({ asymmetric_quantize_inputs: false });
    expect(tensorOf(model, dense!.inputs[1]!)).toMatchObject({ dtype: "float32", shape: [32, 64] });
  });

  test("float16 stores small constants too and says so to delegates", async () => {
    const { model } = await quantizeModel(denseModel(2, 3), { mode: "float16" });
    expect(tensorOf(model, 1).dtype).toBe("float16");
    const { buffer } = model.metadata.find(({ name }) => name === "reduced_precision_support")!;
    expect(new TextDecoder().decode(model.buffers[buffer]!.bytes)).toBe("fp16accfp32");
  });

  test("int4 stays in -7 … 7, two to a byte", async () => {
    const { model } = await quantizeModel(denseModel(4, 64), { ...ALL, weightType: "int4" });
    const weights = tensorOf(model, 1);
    expect(weights.dtype).toBe("int4");
    const bytes = model.buffers[weights.buffer]!.bytes!;
    expect(bytes).toHaveLength(128);
    const nibbles = [...bytes].flatMap((byte) => [(byte << 28) >> 28, (byte << 24) >> 28]);
    expect([Math.min(...nibbles), Math.max(...nibbles)]).toEqual([-7, 7]);
  });

  test("blocks keep their scales as half floats in a tensor beside", async () => {
    const options = { ...ALL, weightType: "int4", blockSize: 32 } as const;
    const { model, report } = await quantizeModel(denseModel(4, 64), options);
    const { details, scale } = tensorOf(model, 1).quantization!;
    expect(scale).toHaveLength(0);
    expect(details).toEqual({
      type: "BlockwiseQuantization",
      value: { scales: 3, zero_points: -1, block_size: 32 },
    });
    expect(tensorOf(model, 3)).toMatchObject({ dtype: "float16", shape: [4, 2] });
    expect(report.quantized[0]).toMatchObject({ granularity: "block", blockSize: 32 });
    // Fewer than four rows: the kernel would not read the blocks.
    const narrow = await quantizeModel(denseModel(3, 64), options);
    expect(narrow.report.quantized[0]).toMatchObject({ granularity: "channel", dtype: "int4" });
  });
});

describe("selection", () => {
  test("excludes by operator type and by name, includes nothing else, and names idle patterns", async () => {
    const byType = await quantizeModel(tiedModel(), { ...DYNAMIC, exclude: ["op:GATHER"] });
    expect(byType.report.quantized.map(({ readBy }) => readBy)).toEqual([
      ["FULLY_CONNECTED (operator 1)"],
    ]);
    const byName = await quantizeModel(tiedModel(), { ...DYNAMIC, exclude: ["^t1$", "nobody"] });
    expect(byName.report.quantized).toEqual([]);
    expect(byName.report.diagnostics.map(({ text }) => text)).toEqual([
      'The pattern "nobody" matches no constant.',
    ]);
    const byOutput = await quantizeModel(tiedModel(), { ...DYNAMIC, include: ["^t3;"] });
    expect(byOutput.report.quantized).toHaveLength(1);
  });

  test("refuses options that exclude each other, operators and patterns that do not exist", async () => {
    const refused: QuantizeOptions[] = [
      { ...DYNAMIC, include: ["op:DENSE"] },
      { ...DYNAMIC, exclude: ["("] },
      { ...DYNAMIC, minElements: -1 },
      { ...DYNAMIC, blockSize: 32 },
      { mode: "float16", perTensor: true },
      { mode: "weight_only", legacy: "r1.13" },
    ];
    for (const options of refused) {
      const failure = await quantizeModel(denseModel(4, 4), options).catch((error) => error);
      expect(isOctavoError(failure, "UsageError"), JSON.stringify(options)).toBe(true);
    }
  });
});

describe("data that is not as it should be", () => {
  test("infinite weights stay float, and the report says why", async () => {
    const values = randomValues(2048);
    values[5] = Number.NEGATIVE_INFINITY;
    const { model, report } = await quantizeModel(denseModel(32, 64, values), DYNAMIC);
    expect(tensorOf(model, 1).dtype).toBe("float32");
    expect(report.kept[0]!.reasons[0]).toMatchObject({
      code: "infinite_values",
      text: "1 of its values is infinite, for which no scale exists",
    });
  });

  test("NaN becomes 0 and is counted", async () => {
    const values = randomValues(2048);
    values[5] = Number.NaN;
    const { model, report } = await quantizeModel(denseModel(32, 64, values), DYNAMIC);
    expect(int8Of(model, tensorOf(model, 1))[5]).toBe(0);
    expect(report.quantized[0]).toMatchObject({ nonFinite: 1 });
    expect(report.quantized[0]!.sqnrDb).toBeGreaterThan(40);
  });

  test("data shorter than the shape says is an error that names the tensor", async () => {
    const model = denseModel(32, 64, randomValues(2000));
    const failure = await quantizeModel(model, DYNAMIC).catch((error) => error);
    expect(isOctavoError(failure, "GraphError")).toBe(true);
    expect(failure.message).toBe(
      'model, subgraph 0, tensor 1 "t1", data: 8000 bytes, expected 8192 for float32[32, 64]. ' +
        "The model is damaged, or the tool that wrote it has a bug.",
    );
  });
});

test("what is written verifies and reads back the same", async () => {
  for (const options of [DYNAMIC, { mode: "weight_only" }, { mode: "float16" }] as const) {
    const { model } = await quantizeModel(tiedModel(), options);
    const { model: read } = parseModel(await encodeModel(model));
    verifyModel(read);
    expect(read.subgraphs[0]!.tensors.map(({ dtype }) => dtype)).toEqual(
      model.subgraphs[0]!.tensors.map(({ dtype }) => dtype),
    );
  }
});
