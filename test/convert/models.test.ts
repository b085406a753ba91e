/**
 * Whole models held to TensorFlow: which operators recurrent networks, loops and tables become, and that they compute
 * what TensorFlow computes.
 */
import { describe, expect, it } from "vitest";
import { convertFixture, countsOf, errorOf } from "./fixtures.ts";

const TOLERANCE = 1e-5;

describe("recurrent networks that have a fused operator", () => {
  it.each([
    ["tagged_lstm", { UNIDIRECTIONAL_SEQUENCE_LSTM: 1, STRIDED_SLICE: 1 }],
    ["tagged_lstm_backward", { REVERSE_V2: 1, UNIDIRECTIONAL_SEQUENCE_LSTM: 1, STRIDED_SLICE: 1 }],
    ["tagged_lstm_time_major", { UNIDIRECTIONAL_SEQUENCE_LSTM: 1, STRIDED_SLICE: 1 }],
    ["bidirectional_lstm", { BIDIRECTIONAL_SEQUENCE_LSTM: 1 }],
    // The official kernel misplaces merged outputs of a batch.
    ["bidirectional_lstm_batch", { BIDIRECTIONAL_SEQUENCE_LSTM: 1, CONCATENATION: 1 }],
    ["bidirectional_lstm_time_major", { BIDIRECTIONAL_SEQUENCE_LSTM: 1 }],
    ["bidirectional_lstm_apart", { BIDIRECTIONAL_SEQUENCE_LSTM: 1 }],
    ["bidirectional_rnn", { BIDIRECTIONAL_SEQUENCE_RNN: 1 }],
    // The official kernel runs over a time-major sequence once for every step.
    [
      "bidirectional_rnn_time_major",
      { REVERSE_V2: 2, UNIDIRECTIONAL_SEQUENCE_RNN: 2, CONCATENATION: 1 },
    ],
    ["rnn_relu", { UNIDIRECTIONAL_SEQUENCE_RNN: 1 }],
    // Its batch size is not in the model: it becomes 1.
    ["lstm_open_batch", { UNIDIRECTIONAL_SEQUENCE_LSTM: 1 }],
    ["block_lstm", { UNIDIRECTIONAL_SEQUENCE_LSTM: 1 }],
    ["block_lstm_v2", { UNIDIRECTIONAL_SEQUENCE_LSTM: 1 }],
    ["block_lstm_cell", { UNIDIRECTIONAL_SEQUENCE_LSTM: 1 }],
    ["lstm_stacked", { UNIDIRECTIONAL_SEQUENCE_LSTM: 2 }],
  ])("%s becomes it and says that it keeps its state", async (name, operators) => {
    const { model, diagnostics } = await convertFixture(name);
    expect(countsOf(model)).toEqual(operators);
    expect(diagnostics.map(({ id }) => id)).toContain("recurrent-state");
    expect(await errorOf(name, model)).toBeLessThan(TOLERANCE);
  });
});

describe("recurrent networks that the fused operator cannot say", () => {
  it.each([
    ["tagged_lstm_cell_state", "TANH"],
    ["tagged_lstm_start", "TANH"],
    ["lstm_lengths", "WHILE"],
    ["gru", "WHILE"],
    // In a loop the operator would keep its state from one round to the next.
    ["lstm_repeated", "WHILE"],
  ])("%s computes the same without it", async (name, operator) => {
    const { model, diagnostics } = await convertFixture(name);
    expect(Object.keys(countsOf(model))).toContain(operator);
    expect(Object.keys(countsOf(model)).filter((op) => op.includes("SEQUENCE"))).toEqual([]);
    expect(diagnostics).toEqual([]);
    expect(await errorOf(name, model)).toBeLessThan(TOLERANCE);
  });
});

describe("loops", () => {
  it("inside loops keep their functions apart", async () => {
    const { model } = await convertFixture("nested_loops");
    expect(countsOf(model)).toMatchObject({ WHILE: 2, IF: 1 });
    expect(await errorOf("nested_loops", model)).toBeLessThan(TOLERANCE);
  });

  it.each(["gru", "lstm_lengths", "nested_loops"])(
    "of %s are written out on request",
    async (name) => {
      const { model } = await convertFixture(name, { unroll: 5 });
      expect(Object.keys(countsOf(model))).not.toContain("WHILE");
      expect(await errorOf(name, model)).toBeLessThan(TOLERANCE);
    },
  );

  it("of more steps than asked for stay loops", async () => {
    const { model } = await convertFixture("gru", { unroll: 4 });
    expect(countsOf(model)).toMatchObject({ WHILE: 1 });
  });
});

describe("a choice of branches", () => {
  it("is a chain of Ifs, of which the last serves every other index", async () => {
    const { model } = await convertFixture("cases");
    expect(countsOf(model)).toMatchObject({ WHILE: 1, IF: 10 });
    expect(await errorOf("cases", model)).toBeLessThan(TOLERANCE);
  });
});

describe("complex numbers", () => {
  it.each(["spectrum", "complex"])("of %s are computed as pairs", async (name) => {
    const { model } = await convertFixture(name);
    expect(await errorOf(name, model)).toBeLessThan(TOLERANCE);
  });

  it("use the operators that there are", async () => {
    const { model } = await convertFixture("spectrum");
    expect(countsOf(model)).toMatchObject({ RFFT2D: 1, COMPLEX_ABS: 1, FULLY_CONNECTED: 2 });
  });

  it("are refused where the model returns them", async () => {
    await expect(convertFixture("complex_output")).rejects.toThrow(/Complex \(node/);
  });
});

describe("operations without an operator of their own", () => {
  it.each([
    "block_gru_cell",
    "image_disguises",
    "matrix_disguises",
    "vector_disguises",
    "joined_list",
    "scanned_list",
  ])("in %s are put together from others", async (name) => {
    const { model } = await convertFixture(name);
    expect(await errorOf(name, model)).toBeLessThan(TOLERANCE);
  });

  it("include dilated convolutions of lines, which are one convolution", async () => {
    const { model } = await convertFixture("vector_disguises");
    expect(countsOf(model)).toMatchObject({ CONV_2D: 1 });
    expect(countsOf(model)).not.toHaveProperty("SPACE_TO_BATCH_ND");
  });
});

describe("hash tables", () => {
  it.each([
    ["tables", { CALL_ONCE: 1, HASHTABLE: 4, HASHTABLE_IMPORT: 2, HASHTABLE_FIND: 2, ADD: 1 }],
    ["table_files", { CALL_ONCE: 1, HASHTABLE: 4, HASHTABLE_IMPORT: 2, HASHTABLE_FIND: 2 }],
    [
      "tables_of_int32",
      { CALL_ONCE: 1, HASHTABLE: 4, HASHTABLE_IMPORT: 2, HASHTABLE_FIND: 2, CAST: 2 },
    ],
  ])("%s are filled once and looked up, their size is a constant", async (name, operators) => {
    const { model } = await convertFixture(name);
    expect(countsOf(model)).toMatchObject(operators);
    expect(await errorOf(name, model)).toBe(0);
  });

  it("of types without a kernel are refused", async () => {
    await expect(convertFixture("table_of_numbers")).rejects.toThrow(
      /HashTableV2 with int64 keys and int64 values/,
    );
  });
});

describe("operations without an operator", () => {
  const missing = { ResizeBicubic: 1, ExtractImagePatches: 1 };

  it("are all named when the model is refused", async () => {
    await expect(convertFixture("custom")).rejects.toThrow(
      /2 operations .*(ResizeBicubic.*ExtractImagePatches|ExtractImagePatches.*ResizeBicubic)/,
    );
  });

  it("become custom operators under their names where that is allowed", async () => {
    const { model, diagnostics } = await convertFixture("custom", { allowCustomOps: true });
    expect(countsOf(model)).toEqual({ ...missing, RELU: 1 });
    expect(diagnostics.map(({ id }) => id)).toEqual(["custom-operators"]);
  });

  it("become Flex operators for runtimes with TensorFlow's kernels", async () => {
    const { model } = await convertFixture("custom", { selectTfOps: true });
    expect(countsOf(model)).toEqual({ FlexResizeBicubic: 1, FlexExtractImagePatches: 1, RELU: 1 });
  });

  it("are written with the options of the official converter", async () => {
    const bytesOf = async (selectTfOps: boolean) => {
      const { model } = await convertFixture("custom", { allowCustomOps: true, selectTfOps });
      const resize = model.subgraphs[0]?.operators.find(({ customCode }) =>
        customCode?.endsWith("ResizeBicubic"),
      );
      return Buffer.from(resize?.customOptions ?? []).toString("latin1");
    };
    // TensorFlow 2.21's bytes; of the second, its NodeDef without debug information and with attributes in order.
    expect(await bytesOf(false)).toBe(
      "T\0align_corners\0half_pixel_centers\0\x03$#\x16\x03\x01\x03\0\x01\0\x04hh\x06$\x01",
    );
    expect(await bytesOf(true)).toBe(
      "\rResizeBicubic\0K\x12\rResizeBicubic\x1a\0\x1a\0*\x07\n\x01T\x12\x020\x01" +
        "*\x13\n\ralign_corners\x12\x02(\x01*\x18\n\x12half_pixel_centers\x12\x02(\0\0" +
        "\x02\\N\x14\x14\x04(\x01",
    );
  });
});
