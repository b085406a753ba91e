import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { parseModel } from "./read.ts";
import { printModel } from "./text.ts";

function printed(name: string): string {
  const path = new URL(`../../test/fixtures/tflite/${name}.tflite`, import.meta.url);
  return printModel(parseModel(readFileSync(fileURLToPath(path))).model);
}

describe("printModel", () => {
  it("prints operators with the names of their operands, types, and options that differ from the defaults", () => {
    expect(printed("cnn_dynamic_range")).toMatchInlineSnapshot(`
      "model version 3 "MLIR Converted."
      subgraph 0 "main"
        input  %0 "serving_default_image:0" float32[1, 8, 8, 1]
        %8 float32[1, 8, 8, 16] = CONV_2D v1 (x %0, filter %1 float32[16, 3, 3, 1], bias %2 float32[16]) {stride_w: 1, stride_h: 1, fused_activation_function: RELU6}
        %9 float32[1, 6, 6, 128] = DEPTHWISE_CONV_2D v6 (x %8, filter %6 int8[1, 3, 3, 128] scale ×128 axis 3, bias %4 float32[128]) {padding: VALID, stride_w: 1, stride_h: 1, depth_multiplier: 8}
        %10 float32[1, 128] = MEAN v1 (x %9, axes %3 int32[2] = [1, 2])
        %11 float32[1, 8] = FULLY_CONNECTED v12 (x %10, weights %7 int8[8, 128] scale ×8 axis 0, bias %5 float32[8]) {asymmetric_quantize_inputs: true}
        %12 float32[1, 8] = SOFTMAX v1 (x %11) {beta: 1}
        output %12 "PartitionedCall:0"
      signature "serving_default" of subgraph 0: image %0 -> probabilities %12
      metadata "min_runtime_version" buffer 14
      metadata "CONVERSION_METADATA" buffer 15
      "
    `);
  });

  it("prints every subgraph and the small constants", () => {
    expect(printed("while")).toMatchInlineSnapshot(`
      "model version 3 "MLIR Converted."
      subgraph 0 "main"
        input  %0 "serving_default_start:0" float32[4]
        %2 int32[], %3 float32[4] = WHILE v1 (x %1 int32[] = 0, x %0) {cond_subgraph_index: 1, body_subgraph_index: 2}
        output %3 "PartitionedCall:0"
      subgraph 1 "while_cond"
        input  %0 "while_cond_arg0" int32[]
        input  %1 "while_cond_arg1" float32[4]
        %3 bool[] = LESS v1 (a %0, b %2 int32[] = 3)
        output %3 "while/Less"
      subgraph 2 "while_body"
        input  %0 "while_body_arg0" int32[]
        input  %1 "while_body_arg1" float32[4]
        %4 int32[] = ADD v1 (a %0, b %2 int32[] = 1)
        %5 float32[4] = MUL v1 (a %1, b %3 float32[])
        %6 float32[4] = TANH v1 (x %5)
        output %4 "while/add"
        output %6 "while/Tanh"
      signature "serving_default" of subgraph 0: start %0 -> end %3
      metadata "min_runtime_version" buffer 16
      metadata "CONVERSION_METADATA" buffer 17
      "
    `);
  });

  it("marks variables and operands that are left out", () => {
    const text = printed("lstm");
    expect(text).toContain("peephole_input -, peephole_forget -, peephole_output -");
    expect(text).toMatch(/output_state %\d+ variable float32\[1, 6\]/);
    expect(text).toContain("{fused_activation_function: TANH, cell_clip: 10}");
  });

  it("prints custom operators by name", () => {
    expect(printed("unusual")).toContain("CUSTOM Frobnicate v2 (%0, -) {custom: 37 bytes}");
  });
});
