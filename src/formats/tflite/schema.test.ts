import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { defaultsOf, makeOptions, optionsAs } from "./options.ts";
import { BUILTIN_OPERATOR, TFLITE_SCHEMA } from "./schema.gen.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));

describe("the TensorFlow Lite schema", () => {
  it("is generated from scripts/schema/tflite.fbs as it is now", () => {
    const { status, stderr } = spawnSync(
      process.execPath,
      [`${root}scripts/generate-tflite-schema.mjs`, "--check"],
      { encoding: "utf8" },
    );
    expect(stderr).toBe("");
    expect(status).toBe(0);
  });

  it("has TensorFlow 2.21's codes for operators and option tables", () => {
    expect(BUILTIN_OPERATOR.length).toBe(210);
    expect(BUILTIN_OPERATOR.indexOf("BATCH_MATMUL")).toBe(126);
    expect(BUILTIN_OPERATOR.indexOf("STABLEHLO_CASE")).toBe(209);
    expect(TFLITE_SCHEMA.unions["BuiltinOptions"]?.indexOf("RightShiftOptions")).toBe(125);
    expect(TFLITE_SCHEMA.unions["BuiltinOptions2"]?.length).toBe(23);
  });

  it("has no table inside itself, so that decoding cannot recur without end", () => {
    const depths = new Map<string, number>();
    const depthOf = (table: string, path: readonly string[]): number => {
      expect(path).not.toContain(table);
      const known = depths.get(table);
      if (known !== undefined) return known;
      const children = (TFLITE_SCHEMA.tables[table] ?? []).flatMap((field) => {
        if (field.kind === "union") return TFLITE_SCHEMA.unions[field.of] ?? [];
        const isTable =
          field.kind === "table" || (field.kind === "vector" && field.element === "table");
        return isTable ? [field.of] : [];
      });
      const depth = 1 + Math.max(0, ...children.map((child) => depthOf(child, [...path, table])));
      depths.set(table, depth);
      return depth;
    };
    expect(depthOf(TFLITE_SCHEMA.root, [])).toBe(6);
  });
});

describe("operator options", () => {
  it("take the schema's defaults for what is not named", () => {
    expect(makeOptions("Conv2DOptions", { stride_w: 2, stride_h: 2 })).toEqual({
      type: "Conv2DOptions",
      value: {
        padding: "SAME",
        stride_w: 2,
        stride_h: 2,
        fused_activation_function: "NONE",
        dilation_w_factor: 1,
        dilation_h_factor: 1,
        quantized_bias_type: "FLOAT32",
      },
    });
    expect(defaultsOf("AddOptions").pot_scale_int16).toBe(true);
  });

  it("are read as the table asked for, or not at all", () => {
    expect(optionsAs(undefined, "SoftmaxOptions")).toEqual({ beta: 0 });
    expect(optionsAs(makeOptions("SoftmaxOptions", { beta: 1 }), "SoftmaxOptions")?.beta).toBe(1);
    expect(optionsAs(makeOptions("AddOptions"), "SoftmaxOptions")).toBeUndefined();
  });
});
