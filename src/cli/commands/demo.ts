/** `octavo demo`: the whole way, on a model that comes with Octavo. */
import type { Command } from "commander";
import type { Terminal } from "../terminal.ts";

/** Adds `octavo demo`. */
export function defineDemo(program: Command, terminal: Terminal): void {
  program
    .command("demo")
    .summary("convert, quantize and evaluate a small model that comes with Octavo")
    .description(
      "Takes a small classifier of handwritten digits that comes with Octavo from TensorFlow's SavedModel to four\n" +
        ".tflite models (float, dynamic range, weight-only, float16) and measures all four on 360 test images.",
    )
    .option("--json", "print the result as JSON")
    .action(async (flags: { readonly json?: true }) => {
      const { runDemo } = await import("../run-demo.ts");
      await runDemo(flags, terminal);
    });
}
