/**
 * Does second: stores each planned constant in its new forms, one after the other, and keeps nothing of the floats.
 * Constants that share a buffer are stored once.
 */
import { assert } from "../base/errors.ts";
import type { Model } from "../model/ir.ts";
import type { FloatConstant } from "./constants.ts";
import { type FastRun, openFastRun } from "./fast-symmetric.ts";
import { infiniteValues, type KeepReason } from "./keep-reason.ts";
import type { ConstantPlan, SubgraphPlan } from "./plan.ts";
import { quantizeConstant } from "./quantize-constant.ts";
import type { QuantizedWeight } from "./quantize-weight.ts";
import { formatKey, type WeightFormat } from "./weight-format.ts";

/** Elements from which on compiling pays. */
const LARGE = 256 * 1024;

/** Called after each stored constant with the float bytes done and to do. */
export type Progress = (doneBytes: number, totalBytes: number) => void;

/** Stored forms of constants, and what could not be stored. */
export class WeightStore {
  readonly #model: Model;
  readonly #stored = new Map<string, QuantizedWeight>();
  #fastRun: { readonly run: FastRun | undefined } | undefined;
  readonly #obstacles = new Map<string, KeepReason>();

  constructor(model: Model) {
    this.#model = model;
  }

  /** Why a constant cannot be quantized, as far as its data has been seen. */
  obstacleOf(constant: FloatConstant): KeepReason | undefined {
    return this.#obstacles.get(dataKey(constant));
  }

  /** The stored form; undefined before `storeAll` has seen it. */
  find(constant: FloatConstant, format: WeightFormat): QuantizedWeight | undefined {
    return this.#stored.get(`${dataKey(constant)} ${formatKey(format)}`);
  }

  /**
   * Stores every form of the plans that is not there yet. Returns whether all of them could be stored; where not, the
   * obstacles are known now and the model has to be planned anew.
   */
  async storeAll(plans: readonly SubgraphPlan[], progress?: Progress): Promise<boolean> {
    const pending = plans.flatMap(({ constants }) =>
      constants.filter((plan) =>
        plan.forms.some(({ format }) => !this.find(plan.constant, format)),
      ),
    );
    const total = pending.reduce((sum, { constant }) => sum + 4 * constant.elements, 0);
    let done = 0;
    let complete = true;
    for (const plan of pending) {
      complete = (await this.#store(plan)) && complete;
      done += 4 * plan.constant.elements;
      progress?.(done, total);
    }
    return complete;
  }

  /** Emitted code for large constants, compiled at the first of them and hot from then on. */
  #runFor(elements: number): FastRun | undefined {
    if (elements < LARGE) return undefined;
    this.#fastRun ??= { run: openFastRun() };
    return this.#fastRun.run;
  }

  async #store({ constant, forms }: ConstantPlan): Promise<boolean> {
    const missing = forms.filter(({ format }) => !this.find(constant, format));
    if (missing.length === 0) return true;
    const { tensor, elements } = constant;
    const buffer = this.#model.buffers[tensor.buffer]!;
    assert(buffer.byteLength === 4 * elements, `verified data of tensor ${constant.index}`);
    for (const { format } of missing) {
      const stored = await quantizeConstant(buffer, tensor.shape, format, this.#runFor(elements));
      if (stored.bytes === undefined) {
        this.#obstacles.set(dataKey(constant), infiniteValues(stored.infinite));
        return false;
      }
      this.#stored.set(`${dataKey(constant)} ${formatKey(format)}`, stored);
    }
    return true;
  }
}

/** Same buffer and shape: same stored form. */
function dataKey({ tensor }: FloatConstant): string {
  return `${tensor.buffer} ${tensor.shape.join("x")}`;
}
