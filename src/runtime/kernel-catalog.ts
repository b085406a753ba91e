/**
 * Finds kernels by operator name. Those of operators that many models have are always there; the others are loaded when
 * a model has one, so that the rest of the models neither wait for them nor download them.
 */
import { IoError } from "../base/errors.ts";
import type { Kernel, KernelTable } from "../kernels/kernel.ts";
import { commonKernel } from "../kernels/reference/common-table.ts";
import { commonFastKernel } from "../kernels/simd/common-table.ts";
import type { FastKernel } from "../kernels/simd/fast-kernel.ts";

type RareKernels = typeof import("../kernels/rare-kernels.ts");

export class KernelCatalog {
  readonly #custom: KernelTable;
  #rare: RareKernels | undefined;

  /** `custom` are the caller's kernels for custom operators; they go before the built-in ones. */
  constructor(custom: KernelTable = {}) {
    this.#custom = custom;
  }

  /**
   * The reference kernel of an operator; undefined where there is none.
   *
   * @throws {IoError} when the file with the rarer kernels cannot be loaded.
   */
  async reference(op: string, isCustom: boolean): Promise<Kernel | undefined> {
    const known = isCustom ? own(this.#custom, op) : commonKernel(op);
    if (known !== undefined) return known;
    this.#rare ??= await loadRare();
    return own(isCustom ? this.#rare.REFERENCE_CUSTOM_KERNELS : this.#rare.RARE_KERNELS, op);
  }

  /** The emitted kernel of an operator whose reference kernel was asked for before; undefined where there is none. */
  fast(op: string): FastKernel | undefined {
    return commonFastKernel(op) ?? own<FastKernel>(this.#rare?.RECURRENT_KERNELS ?? {}, op);
  }
}

async function loadRare(): Promise<RareKernels> {
  try {
    return await import("../kernels/rare-kernels.ts");
  } catch (cause) {
    throw new IoError({
      where: "rare-kernels.js",
      found: `no module (${cause instanceof Error ? cause.message : String(cause)})`,
      expected: "the kernels of operators that few models have",
      remedy: "Serve all files of the package or of the bundle, this one too",
      path: "rare-kernels.js",
      cause,
    });
  }
}

function own<Entry>(table: Readonly<Record<string, Entry>>, op: string): Entry | undefined {
  return Object.hasOwn(table, op) ? table[op] : undefined;
}
