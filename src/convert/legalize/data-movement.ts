/** Reshaping, cutting, joining, gathering, padding. */
import { makeOptions } from "../../formats/tflite/options.ts";
import { findAttr, intAttr, stringAttr, typeAttr } from "../../graph/attrs.ts";
import { flagAttr, intsOrNone } from "../attributes.ts";
import { normalizeAxis } from "../broadcast.ts";
import { masksOf } from "../fold/data-movement.ts";
import { placeOf } from "../infer/typed-node.ts";
import type { LegalizationRow, Lowering } from "./lowering.ts";
import { tensorType } from "./options.ts";

/** Rank of an input that has to be known. */
function rankOf(lowering: Lowering, input: number): number {
  return lowering.type(input).shape?.length ?? lowering.fail(`input ${input} of unknown rank`);
}

/** A constant axis operand, not negative. */
function axisOperand(lowering: Lowering, input: number, rank: number): number {
  const [axis = 0] = lowering.needInts(input, "axis");
  return normalizeAxis(axis, rank, placeOf(lowering.node));
}

const reshape: LegalizationRow = (lowering) =>
  lowering.emit(
    "RESHAPE",
    [lowering.input(0), lowering.int32Input(1)],
    makeOptions("ReshapeOptions"),
  );

const squeeze: LegalizationRow = (lowering) =>
  lowering.emit(
    "SQUEEZE",
    [lowering.input(0)],
    makeOptions("SqueezeOptions", { squeeze_dims: intsOrNone(lowering.node, "squeeze_dims") }),
  );

const expandDims: LegalizationRow = (lowering) =>
  lowering.emit(
    "EXPAND_DIMS",
    [lowering.input(0), lowering.int32Input(1)],
    makeOptions("ExpandDimsOptions"),
  );

const transpose: LegalizationRow = (lowering) =>
  lowering.emit(
    "TRANSPOSE",
    [lowering.input(0), lowering.int32Input(1)],
    makeOptions("TransposeOptions"),
  );

/** Concat has its axis first, ConcatV2 last. */
const concat =
  (axisFirst: boolean): LegalizationRow =>
  (lowering) => {
    const axisInput = axisFirst ? 0 : lowering.inputCount - 1;
    const values = lowering.inputs().filter((_, i) => i !== axisInput);
    const axis = axisOperand(lowering, axisInput, rankOf(lowering, axisFirst ? 1 : 0));
    lowering.emit("CONCATENATION", values, makeOptions("ConcatenationOptions", { axis }));
  };

const pack: LegalizationRow = (lowering) => {
  const axis = normalizeAxis(
    intAttr(lowering.node, "axis"),
    rankOf(lowering, 0) + 1,
    placeOf(lowering.node),
  );
  lowering.emit(
    "PACK",
    lowering.inputs(),
    makeOptions("PackOptions", { axis, values_count: lowering.inputCount }),
  );
};

const unpack: LegalizationRow = (lowering) => {
  const axis = normalizeAxis(
    intAttr(lowering.node, "axis"),
    rankOf(lowering, 0),
    placeOf(lowering.node),
  );
  const num = intAttr(lowering.node, "num");
  lowering.emit("UNPACK", [lowering.input(0)], makeOptions("UnpackOptions", { axis, num }));
};

const split: LegalizationRow = (lowering) => {
  const num_splits = intAttr(lowering.node, "num_split");
  lowering.emit(
    "SPLIT",
    [lowering.int32Input(0), lowering.input(1)],
    makeOptions("SplitOptions", { num_splits }),
  );
};

const splitV: LegalizationRow = (lowering) => {
  const num_splits = intAttr(lowering.node, "num_split");
  lowering.emit(
    "SPLIT_V",
    [lowering.input(0), lowering.int32Input(1), lowering.int32Input(2)],
    makeOptions("SplitVOptions", { num_splits }),
  );
};

const slice: LegalizationRow = (lowering) =>
  lowering.emit("SLICE", lowering.inputs(), makeOptions("SliceOptions"));

const stridedSlice: LegalizationRow = (lowering) => {
  const masks = masksOf(lowering.node);
  lowering.emit(
    "STRIDED_SLICE",
    [lowering.input(0), ...[1, 2, 3].map((input) => lowering.int32Input(input))],
    makeOptions("StridedSliceOptions", {
      begin_mask: masks.begin,
      end_mask: masks.end,
      ellipsis_mask: masks.ellipsis,
      new_axis_mask: masks.newAxis,
      shrink_axis_mask: masks.shrink,
    }),
  );
};

const gather: LegalizationRow = (lowering) => {
  const rank = rankOf(lowering, 0);
  const axis = lowering.inputCount > 2 ? axisOperand(lowering, 2, rank) : 0;
  const given = findAttr(lowering.node, "batch_dims", "int") ?? 0;
  const batch_dims = given < 0 ? given + rankOf(lowering, 1) : given;
  lowering.emit(
    "GATHER",
    [lowering.input(0), lowering.input(1)],
    makeOptions("GatherOptions", { axis, batch_dims }),
  );
};

const gatherNd: LegalizationRow = (lowering) =>
  lowering.emit("GATHER_ND", lowering.inputs(), makeOptions("GatherNdOptions"));

const scatterNd: LegalizationRow = (lowering) =>
  lowering.emit(
    "SCATTER_ND",
    [lowering.int32Input(0), lowering.input(1), lowering.int32Input(2)],
    makeOptions("ScatterNdOptions"),
  );

const pad: LegalizationRow = (lowering) =>
  lowering.emit("PAD", lowering.inputs(), makeOptions("PadOptions"));

const padV2: LegalizationRow = (lowering) =>
  lowering.emit("PADV2", lowering.inputs(), makeOptions("PadV2Options"));

const mirrorPad: LegalizationRow = (lowering) => {
  const mode = stringAttr(lowering.node, "mode") === "REFLECT" ? "REFLECT" : "SYMMETRIC";
  lowering.emit("MIRROR_PAD", lowering.inputs(), makeOptions("MirrorPadOptions", { mode }));
};

const tile: LegalizationRow = (lowering) =>
  lowering.emit("TILE", lowering.inputs(), makeOptions("TileOptions"));

const broadcastTo: LegalizationRow = (lowering) =>
  lowering.emit("BROADCAST_TO", lowering.inputs(), makeOptions("BroadcastToOptions"));

const broadcastArgs: LegalizationRow = (lowering) =>
  lowering.emit("BROADCAST_ARGS", lowering.inputs());

const fill: LegalizationRow = (lowering) =>
  lowering.emit("FILL", lowering.inputs(), makeOptions("FillOptions"));

const range: LegalizationRow = (lowering) =>
  lowering.emit("RANGE", lowering.inputs(), makeOptions("RangeOptions"));

const oneHot: LegalizationRow = (lowering) =>
  lowering.emit(
    "ONE_HOT",
    [lowering.input(0), lowering.int32Input(1), lowering.input(2), lowering.input(3)],
    makeOptions("OneHotOptions", { axis: intAttr(lowering.node, "axis") }),
  );

const shape: LegalizationRow = (lowering) => {
  const out_type = tensorType(typeAttr(lowering.node, "out_type"));
  for (let i = 0; i < lowering.inputCount; i++) {
    lowering.emit("SHAPE", [lowering.input(i)], makeOptions("ShapeOptions", { out_type }), [
      lowering.output(i),
    ]);
  }
};

const rank: LegalizationRow = (lowering) =>
  lowering.emit("RANK", [lowering.input(0)], makeOptions("RankOptions"));

const reverse: LegalizationRow = (lowering) =>
  lowering.emit(
    "REVERSE_V2",
    [lowering.input(0), lowering.int32Input(1)],
    makeOptions("ReverseV2Options"),
  );

const reverseSequence: LegalizationRow = (lowering) =>
  lowering.emit(
    "REVERSE_SEQUENCE",
    lowering.inputs(),
    makeOptions("ReverseSequenceOptions", {
      seq_dim: intAttr(lowering.node, "seq_dim"),
      batch_dim: intAttr(lowering.node, "batch_dim"),
    }),
  );

const blocks =
  (op: "SPACE_TO_BATCH_ND" | "BATCH_TO_SPACE_ND"): LegalizationRow =>
  (lowering) =>
    lowering.emit(
      op,
      [lowering.input(0), lowering.int32Input(1), lowering.int32Input(2)],
      makeOptions(op === "SPACE_TO_BATCH_ND" ? "SpaceToBatchNDOptions" : "BatchToSpaceNDOptions"),
    );

const sparseToDense: LegalizationRow = (lowering) =>
  lowering.emit(
    "SPARSE_TO_DENSE",
    lowering.inputs(),
    makeOptions("SparseToDenseOptions", {
      validate_indices: flagAttr(lowering.node, "validate_indices"),
    }),
  );

/** Only the main diagonal; V2 and V3 have operands k, rows, columns and padding that must say just that. */
const matrixDiag: LegalizationRow = (lowering) => {
  if (lowering.inputCount > 1 && lowering.needInts(1, "k").some((k) => k !== 0))
    lowering.fail("k other than 0");
  for (const input of [2, 3]) {
    if (
      input < lowering.inputCount &&
      lowering.needInts(input, "matrix size").some((n) => n !== -1)
    ) {
      lowering.fail("a matrix size");
    }
  }
  lowering.emit("MATRIX_DIAG", [lowering.input(0)], makeOptions("MatrixDiagOptions"));
};

const matrixSetDiag: LegalizationRow = (lowering) => {
  if (lowering.inputCount > 2 && lowering.needInts(2, "k").some((k) => k !== 0))
    lowering.fail("k other than 0");
  lowering.emit(
    "MATRIX_SET_DIAG",
    [lowering.input(0), lowering.input(1)],
    makeOptions("MatrixSetDiagOptions"),
  );
};

const dynamicUpdateSlice: LegalizationRow = (lowering) =>
  lowering.emit(
    "DYNAMIC_UPDATE_SLICE",
    lowering.inputs(),
    makeOptions("DynamicUpdateSliceOptions"),
  );

const rfft2d: LegalizationRow = (lowering) =>
  lowering.emit(
    "RFFT2D",
    [lowering.input(0), lowering.int32Input(1)],
    makeOptions("Rfft2dOptions"),
  );

export const DATA_MOVEMENT_ROWS: ReadonlyMap<string, LegalizationRow> = new Map([
  ["Reshape", reshape],
  ["Squeeze", squeeze],
  ["ExpandDims", expandDims],
  ["Transpose", transpose],
  ["Concat", concat(true)],
  ["ConcatV2", concat(false)],
  ["Pack", pack],
  ["Unpack", unpack],
  ["Split", split],
  ["SplitV", splitV],
  ["Slice", slice],
  ["StridedSlice", stridedSlice],
  ["Gather", gather],
  ["GatherV2", gather],
  ["GatherNd", gatherNd],
  ["ScatterNd", scatterNd],
  ["Pad", pad],
  ["PadV2", padV2],
  ["MirrorPad", mirrorPad],
  ["Tile", tile],
  ["BroadcastTo", broadcastTo],
  ["BroadcastArgs", broadcastArgs],
  ["Fill", fill],
  ["Range", range],
  ["OneHot", oneHot],
  ["Shape", shape],
  ["ShapeN", shape],
  ["Rank", rank],
  ["ReverseV2", reverse],
  ["ReverseSequence", reverseSequence],
  ["SpaceToBatchND", blocks("SPACE_TO_BATCH_ND")],
  ["BatchToSpaceND", blocks("BATCH_TO_SPACE_ND")],
  ["SparseToDense", sparseToDense],
  ["MatrixDiag", matrixDiag],
  ["MatrixDiagV2", matrixDiag],
  ["MatrixDiagV3", matrixDiag],
  ["MatrixSetDiag", matrixSetDiag],
  ["MatrixSetDiagV2", matrixSetDiag],
  ["MatrixSetDiagV3", matrixSetDiag],
  ["XlaDynamicUpdateSlice", dynamicUpdateSlice],
  ["RFFT2D", rfft2d],
]);
