/**
 * Finds kernels by operator name. Those of which convolutional networks and dense classifiers are made are always there;
 * the others are in files that are loaded when a model has one, so that the rest of the models neither wait for them nor
 * download them.
 */
import { IoError } from "../base/errors.ts";
import type { Kernel, KernelTable } from "../kernels/kernel.ts";
import { COMMON_KERNELS } from "../kernels/reference/common-table.ts";
import { COMMON_FAST_KERNELS } from "../kernels/simd/common-table.ts";
import type { FastKernel } from "../kernels/simd/fast-kernel.ts";
import { KERNEL_FILES, type KernelFile, type KernelSet, namesIn } from "./kernel-files.ts";

export class KernelCatalog {
  readonly #custom: KernelTable;
  /** What has been loaded, by file. */
  readonly #loaded = new Map<KernelFile, KernelSet>();

  /** `custom` are the caller's kernels for custom operators; they go before the built-in ones. */
  constructor(custom: KernelTable = {}) {
    this.#custom = custom;
  }

  /**
   * The reference kernel of an operator; undefined where there is none.
   *
   * @throws {IoError} when a file with kernels cannot be loaded.
   */
  async reference(op: string, isCustom: boolean): Promise<Kernel | undefined> {
    const known = own(isCustom ? this.#custom : COMMON_KERNELS, op);
    if (known !== undefined) return known;
    const file = KERNEL_FILES.find((file) => namesIn(file, isCustom).includes(op));
    if (file === undefined) return undefined;
    const set = this.#loaded.get(file) ?? (await load(file));
    this.#loaded.set(file, set);
    return own(isCustom ? set.CUSTOM_KERNELS : set.KERNELS, op);
  }

  /** The emitted kernel of an operator whose reference kernel was asked for before; undefined where there is none. */
  fast(op: string): FastKernel | undefined {
    const common = own(COMMON_FAST_KERNELS, op);
    if (common !== undefined) return common;
    for (const { FAST_KERNELS } of this.#loaded.values()) {
      const kernel = own(FAST_KERNELS, op);
      if (kernel !== undefined) return kernel;
    }
    return undefined;
  }
}

async function load({ name, load }: KernelFile): Promise<KernelSet> {
  try {
    return await load();
  } catch (cause) {
    throw new IoError({
      where: name,
      found: `no module (${cause instanceof Error ? cause.message : String(cause)})`,
      expected: "the kernels of operators that not all models have",
      remedy: "Serve all files of the package or of the bundle, this one too",
      path: name,
      cause,
    });
  }
}

function own<Entry>(table: Readonly<Record<string, Entry>>, op: string): Entry | undefined {
  return Object.hasOwn(table, op) ? table[op] : undefined;
}
