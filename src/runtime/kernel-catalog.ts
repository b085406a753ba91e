/**
 * Finds kernels by operator name. Those of which convolutional networks and dense classifiers are made are always there;
 * the others are in files that are loaded when a model has one, so that the rest of the models neither wait for them nor
 * download them.
 */
import { IoError } from "../base/errors.ts";
import type { Kernel, KernelTable } from "../kernels/kernel.ts";
import { COMMON_KERNELS } from "../kernels/reference/common-table.ts";
import { COMMON_FAST_KERNELS } from "../kernels/simd/common-table.ts";
import type { FastKernel, FastKernelTable } from "../kernels/simd/fast-kernel.ts";

/** Kernels of one file. */
interface KernelSet {
  readonly KERNELS: KernelTable;
  /** Of custom operators, by custom code. */
  readonly CUSTOM_KERNELS: KernelTable;
  readonly FAST_KERNELS: FastKernelTable;
}

interface KernelFile {
  readonly name: string;
  load(): Promise<KernelSet>;
}

/** In the order in which they are looked at: what more models have first. */
const FILES: readonly KernelFile[] = [
  { name: "occasional-kernels.js", load: () => import("../kernels/occasional-kernels.ts") },
  { name: "rare-kernels.js", load: () => import("../kernels/rare-kernels.ts") },
];

export class KernelCatalog {
  readonly #custom: KernelTable;
  /** The common set, and behind it those of `FILES` that have been loaded. */
  readonly #sets: KernelSet[];

  /** `custom` are the caller's kernels for custom operators; they go before the built-in ones. */
  constructor(custom: KernelTable = {}) {
    this.#custom = custom;
    this.#sets = [
      { KERNELS: COMMON_KERNELS, CUSTOM_KERNELS: {}, FAST_KERNELS: COMMON_FAST_KERNELS },
    ];
  }

  /**
   * The reference kernel of an operator; undefined where there is none.
   *
   * @throws {IoError} when a file with kernels cannot be loaded.
   */
  async reference(op: string, isCustom: boolean): Promise<Kernel | undefined> {
    const given = isCustom ? own(this.#custom, op) : undefined;
    if (given !== undefined) return given;
    for (let at = 0; at <= FILES.length; at++) {
      const set = this.#sets[at] ?? (await load(FILES[at - 1]!));
      this.#sets[at] = set;
      const kernel = own(isCustom ? set.CUSTOM_KERNELS : set.KERNELS, op);
      if (kernel !== undefined) return kernel;
    }
    return undefined;
  }

  /** The emitted kernel of an operator whose reference kernel was asked for before; undefined where there is none. */
  fast(op: string): FastKernel | undefined {
    for (const { FAST_KERNELS } of this.#sets) {
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
