/** What `octavo run` does: arrays in, one run, arrays out. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { ShapeError, UsageError } from "../base/errors.ts";
import { formatShape, type Shape, sameShape } from "../base/shape.ts";
import { encodeNpy, type NpyArray, parseNpy } from "../formats/npy/npy.ts";
import type { TensorMap } from "../model/ir.ts";
import { parseModel } from "../model/read.ts";
import { readWholeFile } from "../node/file-source.ts";
import { ioErrorOf } from "../node/io-error.ts";
import { Interpreter, type TensorDetails } from "../runtime/interpreter.ts";
import type { Named } from "./arguments.ts";
import { withOutputs } from "./outputs.ts";
import { type RuntimeFlags, runtimeOptions, worthSaying } from "./runtime-flags.ts";
import type { Terminal } from "./terminal.ts";
import { textTable } from "./text.ts";

export interface RunFlags extends RuntimeFlags {
  readonly input?: readonly Named<string>[];
  readonly outputDir: string;
}

/** An input or output with the name that people know it by. */
interface Port {
  readonly details: TensorDetails;
  /** The signature's name, or the tensor's where there is no signature. */
  readonly name: string;
}

/**
 * Runs a model once and writes its outputs as `INDEX_NAME.npy`. Returns a table of them.
 * @throws {UsageError} when inputs are missing or unknown; {ShapeError} when an array does not fit its input.
 */
export async function runModel(
  path: string,
  files: readonly Named<string>[],
  flags: RunFlags,
  terminal: Terminal,
): Promise<string> {
  const { model, diagnostics } = parseModel(await readWholeFile(path), path);
  terminal.warn(diagnostics);
  const interpreter = await Interpreter.create(model, runtimeOptions(flags));
  terminal.warn(worthSaying(interpreter.diagnostics, flags));
  try {
    const signature = interpreter.signatures.find(({ subgraphIndex }) => subgraphIndex === 0);
    const inputs = portsOf(interpreter.getInputDetails(), signature?.inputs);
    await feed(interpreter, assign(inputs, files, path));
    await interpreter.invoke();
    const outputs = outputPorts(interpreter.getOutputDetails(), signature?.outputs);
    return await writeOutputs(interpreter, outputs, flags.outputDir);
  } finally {
    interpreter.dispose();
  }
}

function portsOf(details: readonly TensorDetails[], maps: readonly TensorMap[] = []): Port[] {
  return details.map((tensor) => ({
    details: tensor,
    name: maps.find(({ tensorIndex }) => tensorIndex === tensor.index)?.name ?? tensor.name,
  }));
}

/**
 * Callers know outputs by the signature: they come in its order, which need not be the subgraph's. Outputs that the
 * signature does not name come last.
 */
function outputPorts(details: readonly TensorDetails[], maps: readonly TensorMap[] = []): Port[] {
  const named = maps.flatMap(({ name, tensorIndex }): Port[] => {
    const tensor = details.find(({ index }) => index === tensorIndex);
    return tensor === undefined ? [] : [{ details: tensor, name }];
  });
  const others = details.filter(({ index }) => !maps.some((map) => map.tensorIndex === index));
  return [...named, ...portsOf(others)];
}

/** Finds the file of every input. */
function assign(
  inputs: readonly Port[],
  files: readonly Named<string>[],
  model: string,
): [Port, string][] {
  const wanted = inputs.map(({ name }) => `"${name}"`).join(", ");
  const fail = (found: string): never => {
    throw new UsageError({
      where: "--input",
      found,
      expected: `one for each input of ${model}: ${wanted === "" ? "it has none" : wanted}`,
      option: "--input",
    });
  };
  const byPort = new Map<Port, string>();
  for (const [order, { name, value }] of files.entries()) {
    const input =
      name === undefined
        ? (inputs[order] ?? fail(`${files.length} files`))
        : (inputs.find((port) => port.name === name || port.details.name === name) ??
          fail(`no input is called "${name}"`));
    byPort.set(input, value);
  }
  const missing = inputs.filter((input) => !byPort.has(input)).map(({ name }) => `"${name}"`);
  if (missing.length > 0) fail(`none for ${missing.join(", ")}`);
  return [...byPort];
}

/** Resizes first and sets after: a new shape makes the interpreter forget what was set. */
async function feed(interpreter: Interpreter, files: readonly [Port, string][]): Promise<void> {
  const arrays: [number, NpyArray][] = [];
  for (const [port, file] of files) {
    const array = parseNpy(await readWholeFile(file), file);
    checkFits(port, array, file);
    const { index, shape } = port.details;
    if (!sameShape(shape, array.shape)) await interpreter.resizeInput(index, array.shape);
    arrays.push([index, array]);
  }
  for (const [index, { data }] of arrays) interpreter.setTensor(index, data);
}

/** The type must be the input's, and so must every size but the first and those that the model leaves open. */
function checkFits({ name, details }: Port, array: NpyArray, file: string): void {
  const { shapeSignature, dtype } = details;
  const fits =
    array.dtype === dtype &&
    array.shape.length === shapeSignature.length &&
    shapeSignature.every((size, axis) => axis === 0 || size < 0 || size === array.shape[axis]);
  if (fits) return;
  throw new ShapeError({
    where: file,
    found: `${array.dtype} ${formatShape(array.shape)}`,
    expected: `${dtype} ${expectedShape(shapeSignature)} for the input "${name}"`,
    remedy: "Store the array with that type and shape",
  });
}

function expectedShape(shapeSignature: Shape): string {
  return `[${shapeSignature.map((size, axis) => (axis === 0 || size < 0 ? "any" : size)).join(", ")}]`;
}

async function writeOutputs(
  interpreter: Interpreter,
  outputs: readonly Port[],
  folder: string,
): Promise<string> {
  const encoded = outputs.map(({ details: { index, dtype, shape }, name }, order) => ({
    file: join(folder, `${order}_${fileNameOf(name)}.npy`),
    bytes: encodeNpy({ dtype, shape, data: interpreter.getTensor(index) }),
    row: [name, dtype, formatShape(shape)],
  }));
  await makeFolder(folder);
  await withOutputs(async (open) => {
    for (const { file, bytes } of encoded) await (await open(file)).write(bytes);
  });
  return textTable([
    ["output", "type", "shape", "file"],
    ...encoded.map(({ row, file }) => [...row, file]),
  ]);
}

/** Names of tensors may hold slashes, colons and anything else: what is not safe in a file name becomes "_". */
function fileNameOf(name: string): string {
  return name.replace(/[^\w.-]+/g, "_").slice(0, 100);
}

async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    throw ioErrorOf(error, folder, "written");
  }
}
