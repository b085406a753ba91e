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
  const [run, column, pixelsLeft, runsLeft] = [make(), make(), make(), make()];
  const [source, out, from, to] = [make(), make(), make(), make()];
  // Pixels are the inner loop: they are many, rows and runs few.
  emitCountdown(f, kernelRows, 1, () => {
    f.get(rows);
    f.mem("i32.load");
    f.set(run);
    emitCopy(f, target, column);
    emitCopy(f, runs, runsLeft);
    emitCountdown(f, runsLeft, 1, () => {
      emitCopy(f, run, source);
      emitCopy(f, column, out);
      emitCopy(f, pixels, pixelsLeft);
      emitCountdown(f, pixelsLeft, 1, () => {
        emitCopy(f, source, from);
        emitCopy(f, out, to);
        emitRun(f, from, to, runBytes);
        addLocal(f, source, pixelStep);
        addLocal(f, out, targetStride);
      });
      addLocal(f, run, runStep);
      addLocal(f, column, runBytes);
    });
    emitAddTo(f, rows, 4);
    addLocal(f, target, rowStep);
  });
}

function addLocal(f: FunctionBuilder, target: Local, amount: Local): void {
  f.get(target);
  f.get(amount);
  f.op("i32.add");
  f.set(target);
}
