/** The requantization of int32 sums that are complete only after their product (`finish/emit-requantize-rows.ts`). */
import type { ActivationFunctionType } from "../../../formats/tflite/schema.gen.ts";
import type { KernelNode, TensorInfo } from "../../kernel.ts";
import type { QuantizedMultiplier } from "../../reference/fixed-point.ts";
import { inputAt, outputAt } from "../../require.ts";
import { rowSpans } from "../elementwise/spans.ts";
import {
  type EmittedFunction,
  type FastPlace,
  MIN_SHARED_WORK,
  type Region,
} from "../fast-kernel.ts";
import {
  emitRequantizeRows,
  type RequantizedOutput,
  type RequantizeRowsFunction,
  requantizeRowsName,
} from "../finish/emit-requantize-rows.ts";
import { type Requantization, requantizationOf } from "./requantization.ts";

/** How halves are rounded: up, away from zero, or up in whole groups of 8 columns and away in the rest. */
export type FinishLaw = "ties-up" | "ties-away" | "ties-up-by-8";

export interface IntegerFinish {
  readonly functions: readonly EmittedFunction[];
  readonly name: string;
  /** Bytes of a result. */
  readonly itemBytes: 1 | 2;
  readonly requantization: Requantization;
  /** int32 per column: −1 where halves are rounded away from zero. */
  readonly away: Int32Array;
}

/** Requantization to the int8 or uint8 output of a node; undefined where some factor does not fit. */
export function integerFinish(
  node: KernelNode,
  activation: ActivationFunctionType,
  columns: number,
  law: FinishLaw,
  input: TensorInfo = inputAt(node, 0),
): IntegerFinish | undefined {
  const output = outputAt(node, 0).dtype;
  if (output !== "int8" && output !== "uint8") return undefined;
  const isPerTensor = node.op === "BATCH_MATMUL" || output === "uint8";
  const precision = isPerTensor ? "per-tensor" : "per-channel";
  const requantization = requantizationOf(node, activation, columns, precision, input);
  if (requantization === undefined) return undefined;
  const name = requantizeRowsName(output);
  return {
    functions: [{ name, emit: (module) => emitRequantizeRows(module, output) }],
    name,
    itemBytes: 1,
    requantization,
    away: awayColumns(law, columns),
  };
}

/** int32 per column: −1 where halves are rounded away from zero. */
export function awayColumns(law: FinishLaw, columns: number): Int32Array {
  const up = { "ties-up": columns, "ties-away": 0, "ties-up-by-8": columns - (columns % 8) }[law];
  return Int32Array.from({ length: columns }, (_, column) => (column < up ? 0 : -1));
}

/**
 * Requantization with a factor for each column, halves away from zero; undefined where some factor is not below 1/2 or
 * is 0.
 */
export function finishOf(
  output: RequantizedOutput,
  factors: readonly QuantizedMultiplier[],
  bounds: Pick<Requantization, "zeroPoint" | "low" | "high">,
): IntegerFinish | undefined {
  if (!factors.every(({ shift, multiplier }) => shift < 0 && multiplier > 0)) return undefined;
  const name = requantizeRowsName(output);
  return {
    functions: [{ name, emit: (module) => emitRequantizeRows(module, output) }],
    name,
    itemBytes: output === "int8" || output === "uint8" ? 1 : 2,
    requantization: {
      multipliers: Int32Array.from(factors, ({ multiplier }) => multiplier),
      exponents: Int32Array.from(factors, ({ shift }) => 2 ** (31 + shift)),
      ...bounds,
    },
    away: new Int32Array(factors.length).fill(-1),
  };
}

/** Where the columns of a requantization lie. */
interface FinishPlaces {
  readonly multipliers: number;
  readonly exponents: number;
  readonly away: number;
}

export function layFinish(region: Region, { away }: IntegerFinish): FinishPlaces {
  const take = () => region.take(away.length * 4);
  return { multipliers: take(), exponents: take(), away: take() };
}

/** Turns rows of int32 sums into results; addresses in bytes. */
export type FinishRows = (sums: number, rows: number, columns: number, out: number) => void;

/** Writes the columns, and returns what requantizes rows of sums. */
export function storeFinish(
  place: FastPlace,
  { name, itemBytes, requantization, away }: IntegerFinish,
  at: FinishPlaces,
): FinishRows {
  const { multipliers, exponents, zeroPoint, low, high } = requantization;
  const { buffer } = place.memory;
  new Int32Array(buffer, at.multipliers, multipliers.length).set(multipliers);
  new Int32Array(buffer, at.exponents, exponents.length).set(exponents);
  new Int32Array(buffer, at.away, away.length).set(away);
  const run = place.call<RequantizeRowsFunction>(name);
  const rest = [at.multipliers, at.exponents, at.away, zeroPoint, low, high] as const;
  return shareFinish(place, { name, itemBytes, run }, rest);
}

/** What a result costs, in multiplications of a product. */
const RESULT_WORK = 32;

/** An emitted function that turns rows of sums into results of `itemBytes` bytes. */
interface RowsFunction<Rest extends readonly number[]> {
  readonly name: string;
  readonly itemBytes: number;
  run(sums: number, rows: number, columns: number, out: number, ...rest: Rest): void;
}

/** Binds such a function; several threads share rows where there are many. */
export function shareFinish<Rest extends readonly number[]>(
  place: FastPlace,
  { name, itemBytes, run }: RowsFunction<Rest>,
  rest: Rest,
): FinishRows {
  return (sums, rows, columns, out) => {
    const work = rows * columns * RESULT_WORK;
    if (place.threads === 1 || work < MIN_SHARED_WORK) {
      run(sums, rows, columns, out, ...rest);
      return;
    }
    const calls = rowSpans(rows, columns, place.threads).map(({ at, count }) => {
      const first = at * columns;
      return [sums + first * 4, count, columns, out + first * itemBytes, ...rest];
    });
    place.callAll(name, calls, work);
  };
}

/** What comes behind a product of sums. */
export interface SumFinish {
  readonly functions: readonly EmittedFunction[];
  /** Takes the bytes that it keeps. */
  lay(persistent: Region): (place: FastPlace) => FinishRows;
}

/** The requantization as what comes behind a product. */
export function sumFinish(finish: IntegerFinish): SumFinish {
  return {
    functions: finish.functions,
    lay: (persistent) => {
      const at = layFinish(persistent, finish);
      return (place) => storeFinish(place, finish, at);
    },
  };
}
