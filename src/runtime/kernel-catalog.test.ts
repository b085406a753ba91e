import { describe, expect, it } from "vitest";
import {
  REFERENCE_CUSTOM_KERNELS,
  REFERENCE_KERNELS,
  referenceCustomKernel,
} from "../kernels/reference/table.ts";
import { fastKernel } from "../kernels/simd/table.ts";
import { KernelCatalog } from "./kernel-catalog.ts";
import { KERNEL_FILES, namesIn } from "./kernel-files.ts";

describe("KernelCatalog", () => {
  it("finds every kernel of the whole tables, loaded or not", async () => {
    const catalog = new KernelCatalog();
    for (const [op, kernel] of Object.entries(REFERENCE_KERNELS)) {
      expect(await catalog.reference(op, false), op).toBe(kernel);
      expect(catalog.fast(op), op).toBe(fastKernel(op));
    }
    const name = "TFLite_Detection_PostProcess";
    expect(await catalog.reference(name, true)).toBe(referenceCustomKernel(name));
  });

  it("finds every built-in kernel of a custom operator", async () => {
    for (const [code, kernel] of Object.entries(REFERENCE_CUSTOM_KERNELS)) {
      expect(await new KernelCatalog().reference(code, true), code).toBe(kernel);
    }
  });

  it("names the operators of each file, those and no others", async () => {
    for (const file of KERNEL_FILES) {
      const { KERNELS, CUSTOM_KERNELS } = await file.load();
      expect(namesIn(file, false).toSorted(), file.name).toEqual(Object.keys(KERNELS).toSorted());
      expect(namesIn(file, true).toSorted()).toEqual(Object.keys(CUSTOM_KERNELS).toSorted());
    }
  });

  it("finds nothing under names that are no operators", async () => {
    const catalog = new KernelCatalog();
    for (const name of ["toString", "__proto__", "NO_SUCH_OPERATOR", ""]) {
      expect(await catalog.reference(name, false)).toBeUndefined();
      expect(await catalog.reference(name, true)).toBeUndefined();
      expect(catalog.fast(name)).toBeUndefined();
    }
  });

  it("prefers the caller's kernel for a custom operator, and keeps it from builtin ones", async () => {
    const [mine] = Object.values(REFERENCE_KERNELS);
    const catalog = new KernelCatalog({ TFLite_Detection_PostProcess: mine!, LSTM: mine! });
    expect(await catalog.reference("TFLite_Detection_PostProcess", true)).toBe(mine);
    expect(await catalog.reference("LSTM", false)).toBe(REFERENCE_KERNELS["LSTM"]);
  });
});
