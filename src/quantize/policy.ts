/**
 * What a mode decides for each operator, before any data is read: which of its constants are stored in which format,
 * whether the operator reads that directly or through DEQUANTIZE, and why a constant stays float.
 */
import type { Operator, Subgraph } from "../model/ir.ts";
import type { FloatConstant } from "./constants.ts";
import type { KeepReason } from "./keep-reason.ts";
import type { WeightFormat } from "./weight-format.ts";

/** One operator with its constants, as policies see it. */
export interface OperatorContext {
  readonly graph: Subgraph;
  readonly operator: Operator;
  /** Names of the output tensors, each followed by ";": what recipes match their patterns against. */
  readonly scope: string;
  /** The float constant at an operand; undefined for activations, other types and absent operands. */
  constantAt(operand: number): FloatConstant | undefined;
  /** Why the constant's data cannot be quantized at all, known from an earlier look at it. */
  obstacleOf(constant: FloatConstant): KeepReason | undefined;
}

/** The decision about one constant operand. */
export type Treatment =
  | {
      readonly kind: "quantize";
      readonly operand: number;
      readonly format: WeightFormat;
      /** The operator reads the stored type; otherwise a DEQUANTIZE stands between. */
      readonly direct: boolean;
    }
  | { readonly kind: "keep"; readonly operand: number; readonly reason: KeepReason };

export interface OperatorTreatment {
  readonly operands: readonly Treatment[];
  /** Value for the operator's `asymmetric_quantize_inputs`; absent where it stays as it is. */
  readonly asymmetricInputs?: boolean;
}

export type Policy = (context: OperatorContext) => OperatorTreatment;

/** The scope string of an operator: output names, or input names where it has no outputs. */
export function scopeOf(graph: Subgraph, { inputs, outputs }: Operator): string {
  const listed = outputs.length > 0 ? outputs : inputs;
  return listed
    .filter((index) => index >= 0)
    .map((index) => `${graph.tensors[index]?.name ?? ""};`)
    .join("");
}

/** The constants among an operator's operands. */
export function constantOperands(context: OperatorContext): [number, FloatConstant][] {
  return context.operator.inputs.flatMap((_, operand): [number, FloatConstant][] => {
    const constant = context.constantAt(operand);
    return constant === undefined ? [] : [[operand, constant]];
  });
}

/** Leaves all constants of an operator float, for one reason. */
export function keepConstants(context: OperatorContext, reason: KeepReason): Treatment[] {
  return constantOperands(context).map(([operand]) => ({ kind: "keep", operand, reason }));
}
