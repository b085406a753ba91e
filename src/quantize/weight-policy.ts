/**
 * The policies of the weight modes, driven by the table of weight operands. `dynamicRangePolicy` decides as the
 * TensorFlow 2.21 converter does (compiler/mlir/lite/transforms/prepare_quantize_dynamic_range.cc and quantize.cc).
 */
import type { FloatConstant } from "./constants.ts";
import {
  companionStaysFloat,
  type KeepReason,
  notAWeight,
  operatorNotSupported,
  SHARED,
  SPARSE,
  tooSmall,
} from "./keep-reason.ts";
import {
  constantOperands,
  keepConstants,
  type OperatorContext,
  type OperatorTreatment,
  type Policy,
  type Treatment,
} from "./policy.ts";
import type { BlockSize, Granularity, RangeMethod, WeightFormat } from "./weight-format.ts";
import { type WeightRule, weightRuleOf } from "./weight-operands.ts";

/** Default of `minElements`: smaller weights are not worth their scale, says the official converter. */
export const DEFAULT_MIN_ELEMENTS = 1024;

/** Why a selection leaves a constant of an operator alone; undefined where it does not. */
export type Selection = (
  context: OperatorContext,
  constant: FloatConstant,
) => KeepReason | undefined;

export interface WeightSettings {
  /** Every weight goes through DEQUANTIZE, except where the kernel looks values up. */
  readonly weightOnly: boolean;
  /** int4 falls back to int8 where no kernel reads int4; float16 always goes through DEQUANTIZE. */
  readonly dtype: "int8" | "int4" | "float16";
  readonly granularity: "channel" | "tensor" | BlockSize;
  readonly method: RangeMethod;
  readonly minElements: number;
  /** Value for `asymmetric_quantize_inputs` of operators that become hybrid. */
  readonly asymmetricInputs: boolean;
  readonly select: Selection;
}

/** Weights in the given type, read by the kernel where it can. */
export function weightPolicy(settings: WeightSettings): Policy {
  return (context) => {
    const rule = weightRuleOf(context.operator);
    const { op } = context.operator;
    if (rule === undefined) return { operands: keepConstants(context, operatorNotSupported(op)) };
    const judged = constantOperands(context).map(([operand, constant]): Treatment => {
      const reason = rule.operands.includes(operand)
        ? reasonToKeep(context, constant, settings)
        : notAWeight(context.operator, operand);
      if (reason !== undefined) return { kind: "keep", operand, reason };
      return { kind: "quantize", operand, ...storage(rule, constant, settings) };
    });
    const together = rule.together && !settings.weightOnly && settings.dtype !== "float16";
    const operands = together ? allOrNone(context, rule, judged) : judged;
    return withFlag(rule, settings.asymmetricInputs, operands);
  };
}

/** Every float constant as float16 behind a DEQUANTIZE, whatever reads it. */
export function float16Policy(select: Selection): Policy {
  return (context) => ({
    operands: constantOperands(context).map(([operand, constant]): Treatment => {
      const reason = unusable(context, constant) ?? select(context, constant);
      if (reason !== undefined) return { kind: "keep", operand, reason };
      return { kind: "quantize", operand, format: { dtype: "float16" }, direct: false };
    }),
  });
}

/** TensorFlow 1.13: per tensor, symmetric where there is a hybrid kernel, uint8 behind DEQUANTIZE where there was none. */
export function r113Policy(settings: Pick<WeightSettings, "minElements" | "select">): Policy {
  const symmetric: WeightFormat = {
    dtype: "int8",
    granularity: { kind: "tensor" },
    method: "r1.13",
  };
  return (context) => {
    const { op } = context.operator;
    const rule = weightRuleOf(context.operator);
    if (rule === undefined || !R1_13_OPERATORS.has(op)) {
      return { operands: keepConstants(context, operatorNotSupported(op)) };
    }
    const hybrid = op !== "DEPTHWISE_CONV_2D" && rule.kernel !== "none";
    const judged = constantOperands(context).map(([operand, constant]): Treatment => {
      const reason = rule.operands.includes(operand)
        ? (reasonToKeep(context, constant, settings) ??
          (constant.uses.length > 1 ? SHARED : undefined))
        : notAWeight(context.operator, operand);
      if (reason !== undefined) return { kind: "keep", operand, reason };
      const format: WeightFormat = hybrid ? symmetric : { dtype: "uint8" };
      return { kind: "quantize", operand, format, direct: hybrid };
    });
    return withFlag(rule, false, rule.together ? allOrNone(context, rule, judged) : judged);
  };
}

const R1_13_OPERATORS: ReadonlySet<string> = new Set([
  "CONV_2D",
  "DEPTHWISE_CONV_2D",
  "FULLY_CONNECTED",
  "EMBEDDING_LOOKUP",
  "SVDF",
  "RNN",
  "UNIDIRECTIONAL_SEQUENCE_RNN",
  "BIDIRECTIONAL_SEQUENCE_RNN",
  "LSTM",
  "UNIDIRECTIONAL_SEQUENCE_LSTM",
  "BIDIRECTIONAL_SEQUENCE_LSTM",
]);

/** Facts about the data that no mode can get around. */
function unusable(context: OperatorContext, constant: FloatConstant): KeepReason | undefined {
  if (constant.tensor.sparsity !== undefined) return SPARSE;
  return context.obstacleOf(constant);
}

function reasonToKeep(
  context: OperatorContext,
  constant: FloatConstant,
  { minElements, select }: Pick<WeightSettings, "minElements" | "select">,
): KeepReason | undefined {
  return (
    unusable(context, constant) ??
    select(context, constant) ??
    (constant.elements < minElements ? tooSmall(constant.elements, minElements) : undefined)
  );
}

/** The stored form of a weight of `rule`, and whether the operator reads it as it is. */
function storage(
  rule: WeightRule,
  constant: FloatConstant,
  settings: WeightSettings,
): { format: WeightFormat; direct: boolean } {
  if (settings.dtype === "float16") return { format: { dtype: "float16" }, direct: false };
  const direct = rule.kernel === "table" || (rule.kernel === "hybrid" && !settings.weightOnly);
  const dtype = settings.dtype === "int4" && (rule.int4 || !direct) ? "int4" : "int8";
  const granularity = granularityOf(rule, constant, settings, dtype, direct);
  const format: WeightFormat = { dtype, granularity, method: settings.method };
  // The depthwise hybrid kernel reads one scale per channel, whatever the file says.
  const repeat = direct && granularity.kind === "tensor" && rule.axis === 3;
  return { format: repeat ? { ...format, repeatAlong: rule.axis } : format, direct };
}

function granularityOf(
  rule: WeightRule,
  { tensor }: FloatConstant,
  { granularity }: WeightSettings,
  dtype: "int8" | "int4",
  direct: boolean,
): Granularity {
  const { axis } = rule;
  // A damaged file may have weights without that axis.
  if (granularity === "tensor" || axis === undefined || axis >= tensor.shape.length) {
    return { kind: "tensor" };
  }
  const channels: Granularity = { kind: "channel", axis };
  if (granularity === "channel" || dtype === "int8" || !direct) return channels;
  // Where blocks do not fit, every row has one scale, as a row of one block would.
  const fewest = rule.blocksFromRows ?? Number.POSITIVE_INFINITY;
  const [rows = 0] = tensor.shape;
  const fits = rows >= fewest && (tensor.shape.at(-1) ?? 0) % granularity === 0;
  return fits ? { kind: "block", size: granularity } : channels;
}

/** Hybrid kernels of recurrent operators want every weight in one type: one that stays float keeps the others. */
function allOrNone(
  { operator, graph }: OperatorContext,
  rule: WeightRule,
  judged: readonly Treatment[],
): readonly Treatment[] {
  const byOperand = new Map(judged.map((treatment) => [treatment.operand, treatment]));
  const present = rule.operands.filter((operand) => (operator.inputs[operand] ?? -1) >= 0);
  const holdout = present.find((operand) => byOperand.get(operand)?.kind !== "quantize");
  if (holdout === undefined) return judged;
  const treatment = byOperand.get(holdout);
  const because = treatment?.kind === "keep" ? treatment.reason.text : "it is not a float constant";
  const name = graph.tensors[operator.inputs[holdout]!]!.name;
  const reason = companionStaysFloat(operator.op, name, because);
  return judged.map((treatment) =>
    treatment.kind === "keep" ? treatment : { kind: "keep", operand: treatment.operand, reason },
  );
}

function withFlag(
  rule: WeightRule,
  asymmetricInputs: boolean,
  operands: readonly Treatment[],
): OperatorTreatment {
  const hybrid = operands.some((treatment) => treatment.kind === "quantize" && treatment.direct);
  return hybrid && rule.flagIn !== undefined ? { operands, asymmetricInputs } : { operands };
}
