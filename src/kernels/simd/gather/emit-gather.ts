/**
 * Emits the copy that lays convolution windows side by side: for each of a few neighbouring output pixels, one row of
 * the matrix that is multiplied with the weights. Only a strip of rows exists at a time; there is never a copy of the
 * whole image. Elements are moved as bytes, so one function serves every element type.
 */
import type { FunctionBuilder, Local } from "../../../wasm/function-builder.ts";
import type { ModuleBuilder } from "../../../wasm/module-builder.ts";
import { emitAddTo, emitCopy, emitCountdown } from "../emit-basics.ts";
import { emitRun } from "../moves/emit-moves.ts";

export const GATHER_NAME = "gather-windows";

/** All sizes and steps in bytes. */
export type GatherFunction = (
  target: number,
  /** From one pixel's row to the next. */
  targetStride: number,
  /** i32[kernelRows]: address of the first pixel's first run in each kernel row. */
  rows: number,
  kernelRows: number,
  pixels: number,
  /** From one pixel's window to the next, in the image. */
  pixelStep: number,
  /** Runs per kernel row: 1 without dilation, the number of kernel columns with it. */
  runs: number,
  /** From one run to the next, in the image. */
  runStep: number,
  /** Length of a run; a multiple of 2. */
  runBytes: number,
  /** From one kernel row to the next, in the target. */
  targetRowStep: number,
) => void;

const PARAMS = Array<"i32">(10).fill("i32");

/** Adds the function to `module`. */
export function emitGather(module: ModuleBuilder): void {
  const f = module.function(PARAMS, [], GATHER_NAME);
  const [
    target,
    targetStride,
    rows,
    kernelRows,
    pixels,
    pixelStep,
    runs,
    runStep,
    runBytes,
    rowStep,
  ] = PARAMS.map((_, index) => f.param(index)) as Local[];
  const make = () => f.local("i32");
  const [shift, row, rowTarget, table, rowsLeft, runsLeft, run, out] = [
    make(),
    make(),
    make(),
    make(),
    make(),
    make(),
    make(),
    make(),
  ];
  emitCountdown(f, pixels, 1, () => {
    emitCopy(f, rows, table);
    emitCopy(f, target, rowTarget);
    emitCopy(f, kernelRows, rowsLeft);
    emitCountdown(f, rowsLeft, 1, () => {
      f.get(table);
      f.mem("i32.load");
      f.get(shift);
      f.op("i32.add");
      f.set(row);
      emitCopy(f, rowTarget, out);
      emitCopy(f, runs, runsLeft);
      emitCountdown(f, runsLeft, 1, () => {
        emitCopy(f, row, run);
        emitRun(f, run, out, runBytes);
        addLocal(f, row, runStep);
      });
      emitAddTo(f, table, 4);
      addLocal(f, rowTarget, rowStep);
    });
    addLocal(f, shift, pixelStep);
    addLocal(f, target, targetStride);
  });
}

function addLocal(f: FunctionBuilder, target: Local, amount: Local): void {
  f.get(target);
  f.get(amount);
  f.op("i32.add");
  f.set(target);
}
