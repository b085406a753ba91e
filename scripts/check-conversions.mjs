// Checks in TensorFlow's own interpreter that the files Octavo writes load there and compute what Octavo computes.
//
//   npm run build && node scripts/check-conversions.mjs PYTHON [SOURCE]...
//
// PYTHON is an interpreter that has tensorflow-cpu 2.21.0. Each SOURCE (a SavedModel folder or a .tflite file; the
// embedded model when there is none) is converted in every mode and run on seeded noise. What Octavo's reference kernels
// and its fast ones compute is what check-with-tensorflow.py then expects, within 1e-5 of the largest value.
//
// Dynamic range models round activations to 8 bits: where a value lies between two steps, the last bit of a float decides,
// and after some twenty layers outputs differ by percents, in TensorFlow's interpreter as soon as an input changes by its
// last bit. So much is allowed there: four times what such changes of the inputs do to Octavo's own outputs.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { encodeNpy } from "../dist/formats/npy/npy.js";
import { Interpreter, TFLiteConverter } from "../dist/index.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const MODES = ["float", "dynamic_range", "weight_only", "float16"];
const KERNELS = ["reference", "auto"];
const TOLERANCE = 1e-5;

const [python, ...given] = process.argv.slice(2);
if (python === undefined) {
  console.error("usage: node scripts/check-conversions.mjs PYTHON [SOURCE]...");
  process.exit(2);
}
const sources = given.length > 0 ? given : [join(root, "test/fixtures/digits/saved_model")];
const scratch = mkdtempSync(join(tmpdir(), "octavo-conversions-"));

/** Numbers between -1 and 1 from a linear congruential generator (Numerical Recipes). */
function noise(count) {
  let state = 1;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

function save(name, { shape, dtype }, data) {
  const path = join(scratch, name);
  writeFileSync(path, encodeNpy({ dtype, shape, data }));
  return path;
}

/** Outputs for inputs that are all multiplied by `factor`. */
async function run(interpreter, inputs, factor = 1) {
  for (const [index, { index: tensor }] of interpreter.getInputDetails().entries()) {
    interpreter.setTensor(
      tensor,
      inputs[index].map((value) => value * factor),
    );
  }
  await interpreter.invoke();
  return interpreter.getOutputDetails().map(({ index }) => interpreter.getTensor(index));
}

/** The largest difference of any output, divided by that output's largest value. */
function gapOf(actual, expected) {
  const gaps = expected.map((output, index) => {
    const gap = output.reduce((most, x, at) => Math.max(most, Math.abs(x - actual[index][at])), 0);
    return gap / output.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-30);
  });
  return Math.max(...gaps);
}

/** How far outputs move when inputs change by their last bits. */
async function sensitivity(interpreter, inputs, outputs) {
  let largest = 0;
  for (const bits of [-2, -1, 1, 2]) {
    const moved = await run(interpreter, inputs, 1 + bits * 2 ** -23);
    largest = Math.max(largest, gapOf(moved, outputs));
  }
  return largest;
}

async function checkFile(label, mode, bytes, kernels) {
  const model = join(scratch, "model.tflite");
  writeFileSync(model, bytes);
  const interpreter = await Interpreter.create(bytes, { kernels });
  const inputDetails = interpreter.getInputDetails();
  const inputs = inputDetails.map(({ shape, dtype }) => {
    if (dtype !== "float32") throw new Error(`${label}: input of ${dtype}`);
    return noise(shape.reduce((count, size) => count * size, 1));
  });
  const outputs = await run(interpreter, inputs);
  const isRounded = mode === "dynamic_range";
  const moved = isRounded ? await sensitivity(interpreter, inputs, outputs) : 0;
  const tolerance = Math.max(TOLERANCE, 4 * moved);
  const inputFiles = inputDetails.map((details, at) => save(`in${at}.npy`, details, inputs[at]));
  const outputFiles = interpreter
    .getOutputDetails()
    .map((details, at) => save(`out${at}.npy`, details, outputs[at]));
  interpreter.dispose();
  const { stdout, stderr, status } = spawnSync(
    python,
    [
      join(root, "scripts/check-with-tensorflow.py"),
      model,
      ...inputFiles.flatMap((path) => ["--input", path]),
      ...outputFiles.flatMap((path) => ["--expect", path]),
      ...["--tolerance", String(tolerance)],
    ],
    { encoding: "utf8" },
  );
  const [line = stderr.trim()] = stdout.split("\n");
  console.log(
    `${status === 0 ? "ok  " : "FAIL"} ${label}, ${kernels}: ${line.replace(/^.*: /, "")}`,
  );
  return status === 0;
}

try {
  let failures = 0;
  for (const source of sources) {
    const isTflite = source.endsWith(".tflite");
    const converter = await (isTflite
      ? TFLiteConverter.fromTflite(source)
      : TFLiteConverter.fromSavedModel(source));
    for (const mode of MODES) {
      converter.mode = mode;
      const bytes = await converter.convert();
      for (const kernels of KERNELS) {
        const label = `${basename(source)} ${mode}`;
        if (!(await checkFile(label, mode, bytes, kernels))) failures++;
      }
    }
    await converter.close();
  }
  const total = sources.length * MODES.length * KERNELS.length;
  console.log(`${total - failures} of ${total} ok`);
  process.exitCode = failures === 0 ? 0 : 1;
} finally {
  rmSync(scratch, { recursive: true });
}
