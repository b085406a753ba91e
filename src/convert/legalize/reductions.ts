/** Reductions, sorting, selection by index, segments, random numbers. */
import { makeOptions } from "../../formats/tflite/options.ts";
import type { BuiltinOperatorName } from "../../formats/tflite/schema.gen.ts";
import { boolAttr, intAttr, typeAttr } from "../../graph/attrs.ts";
import { flagAttr, hasAttr } from "../attributes.ts";
import { int32Vector, scalarValue } from "../fold/values.ts";
import type { LegalizationRow } from "./lowering.ts";
import { tensorType } from "./options.ts";

const reduce =
  (op: BuiltinOperatorName): LegalizationRow =>
  (lowering) => {
    const axes = lowering.ints(1);
    const operand =
      axes !== undefined && lowering.type(1).shape?.length === 0
        ? lowering.constant(int32Vector(axes), "axes")
        : lowering.int32Input(1);
    lowering.emit(
      op,
      [lowering.input(0), operand],
      makeOptions("ReducerOptions", { keep_dims: boolAttr(lowering.node, "keep_dims") }),
    );
  };

const argMax: LegalizationRow = (lowering) => {
  const output_type = tensorType(typeAttr(lowering.node, "output_type"));
  lowering.emit(
    "ARG_MAX",
    [lowering.input(0), lowering.int32Input(1)],
    makeOptions("ArgMaxOptions", { output_type }),
  );
};

const argMin: LegalizationRow = (lowering) => {
  const output_type = tensorType(typeAttr(lowering.node, "output_type"));
  lowering.emit(
    "ARG_MIN",
    [lowering.input(0), lowering.int32Input(1)],
    makeOptions("ArgMinOptions", { output_type }),
  );
};

const cumsum: LegalizationRow = (lowering) =>
  lowering.emit(
    "CUMSUM",
    [lowering.input(0), lowering.int32Input(1)],
    makeOptions("CumsumOptions", {
      exclusive: flagAttr(lowering.node, "exclusive"),
      reverse: flagAttr(lowering.node, "reverse"),
    }),
  );

const topK: LegalizationRow = (lowering) => {
  const k = hasAttr(lowering.node, "k")
    ? lowering.constant(scalarValue("int32", intAttr(lowering.node, "k")), "k")
    : lowering.int32Input(1);
  lowering.emit("TOPK_V2", [lowering.input(0), k], makeOptions("TopKV2Options"));
};

const where: LegalizationRow = (lowering) =>
  lowering.emit("WHERE", [lowering.input(0)], makeOptions("WhereOptions"));

const unique: LegalizationRow = (lowering) => {
  const idx_out_type = tensorType(typeAttr(lowering.node, "out_idx"));
  lowering.emit("UNIQUE", [lowering.input(0)], makeOptions("UniqueOptions", { idx_out_type }));
};

const segmentSum: LegalizationRow = (lowering) =>
  lowering.emit(
    "SEGMENT_SUM",
    [lowering.input(0), lowering.int32Input(1)],
    makeOptions("SegmentSumOptions"),
  );

const unsorted =
  (
    op: BuiltinOperatorName,
    options:
      | "UnsortedSegmentSumOptions"
      | "UnsortedSegmentMaxOptions"
      | "UnsortedSegmentMinOptions"
      | "UnsortedSegmentProdOptions",
  ): LegalizationRow =>
  (lowering) =>
    lowering.emit(
      op,
      [lowering.input(0), lowering.int32Input(1), lowering.int32Input(2)],
      makeOptions(options),
    );

const suppress =
  (version: "4" | "5"): LegalizationRow =>
  (lowering) =>
    lowering.emit(
      `NON_MAX_SUPPRESSION_V${version}`,
      lowering.inputs(),
      makeOptions(`NonMaxSuppressionV${version}Options`),
    );

const random =
  (op: "RANDOM_UNIFORM" | "RANDOM_STANDARD_NORMAL" | "MULTINOMIAL"): LegalizationRow =>
  (lowering) => {
    const { node } = lowering;
    const shape = lowering.int32Input(op === "MULTINOMIAL" ? 1 : 0);
    lowering.emit(
      op,
      op === "MULTINOMIAL" ? [lowering.input(0), shape] : [shape],
      makeOptions("RandomOptions", {
        seed: BigInt(intAttr(node, "seed")),
        seed2: BigInt(intAttr(node, "seed2")),
      }),
    );
  };

export const REDUCTION_ROWS: ReadonlyMap<string, LegalizationRow> = new Map([
  ["Sum", reduce("SUM")],
  ["Mean", reduce("MEAN")],
  ["Prod", reduce("REDUCE_PROD")],
  ["Max", reduce("REDUCE_MAX")],
  ["Min", reduce("REDUCE_MIN")],
  ["Any", reduce("REDUCE_ANY")],
  ["All", reduce("REDUCE_ALL")],
  ["ArgMax", argMax],
  ["ArgMin", argMin],
  ["Cumsum", cumsum],
  ["TopKV2", topK],
  ["TopK", topK],
  ["Where", where],
  ["Unique", unique],
  ["SegmentSum", segmentSum],
  ["UnsortedSegmentSum", unsorted("UNSORTED_SEGMENT_SUM", "UnsortedSegmentSumOptions")],
  ["UnsortedSegmentMax", unsorted("UNSORTED_SEGMENT_MAX", "UnsortedSegmentMaxOptions")],
  ["UnsortedSegmentMin", unsorted("UNSORTED_SEGMENT_MIN", "UnsortedSegmentMinOptions")],
  ["UnsortedSegmentProd", unsorted("UNSORTED_SEGMENT_PROD", "UnsortedSegmentProdOptions")],
  ["NonMaxSuppressionV4", suppress("4")],
  ["NonMaxSuppressionV5", suppress("5")],
  ["RandomUniform", random("RANDOM_UNIFORM")],
  ["RandomStandardNormal", random("RANDOM_STANDARD_NORMAL")],
  ["Multinomial", random("MULTINOMIAL")],
]);
