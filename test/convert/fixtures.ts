/** The models of test/fixtures/convert: converting one, and running it on the inputs that TensorFlow ran it on. */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import type { DType, TensorData } from "../../src/base/dtype.ts";
import type { Diagnostic } from "../../src/base/errors.ts";
import type { Shape } from "../../src/base/shape.ts";
import { type ConvertOptions, convertGraph } from "../../src/convert/pipeline.ts";
import { verifyGraph } from "../../src/graph/verify.ts";
import { importGraphDef } from "../../src/import/graph-def.ts";
import { importSavedModel } from "../../src/import/saved-model.ts";
import type { Model } from "../../src/model/ir.ts";
import { verifyModel } from "../../src/model/verify.ts";
import { fileTree } from "../../src/node/file-tree.ts";
import { Interpreter } from "../../src/runtime/interpreter.ts";
import { relativeError } from "../golden/golden-case.ts";

const FOLDER = new URL("../fixtures/convert/", import.meta.url);

interface FixtureArray {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly data: readonly (number | string | boolean)[];
}

interface Fixture {
  readonly path: string;
  readonly inputs: Readonly<Record<string, FixtureArray>>;
  readonly outputs: Readonly<Record<string, FixtureArray>>;
}

const CASES = JSON.parse(readFileSync(new URL("cases.json", FOLDER), "utf8")) as Record<
  string,
  Fixture
>;

function fixture(name: string): Fixture {
  const found = CASES[name];
  if (found === undefined) throw new Error(`no fixture ${name}`);
  return found;
}

export interface Converted {
  readonly model: Model;
  readonly diagnostics: readonly Diagnostic[];
}

/** Imports and converts a fixture; every pass must leave a valid graph. */
export async function convertFixture(
  name: string,
  options: ConvertOptions = {},
): Promise<Converted> {
  const { path, outputs } = fixture(name);
  const { graph } = path.endsWith(".pb.gz")
    ? importGraphDef(gunzipSync(readFileSync(new URL(path, FOLDER))), {
        inputs: ["x"],
        outputs: Object.keys(outputs),
      })
    : await importSavedModel(fileTree(new URL(path, FOLDER).pathname));
  const { model, report } = convertGraph(graph, {
    ...options,
    onGraph: (_, each) => verifyGraph(each),
  });
  verifyModel(model);
  return { model, diagnostics: report.diagnostics };
}

/** Largest relative error over all outputs; strings and integers must be equal. */
export async function errorOf(name: string, model: Model): Promise<number> {
  const { inputs, outputs } = fixture(name);
  const interpreter = await Interpreter.create(model, { kernels: "reference" });
  for (const [key, array] of Object.entries(inputs))
    interpreter.setTensor(indexOf(key, "Input"), dataOf(array));
  await interpreter.invoke();
  const errors = Object.entries(outputs).map(([key, array]) => {
    const actual = interpreter.getTensor(indexOf(key, "Output"));
    return relativeError(comparable(dataOf(array)), comparable(actual));
  });
  interpreter.dispose();
  return Math.max(...errors);

  function indexOf(key: string, side: "Input" | "Output"): number {
    const details =
      side === "Input" ? interpreter.getInputDetails() : interpreter.getOutputDetails();
    const names = model.signatures[0]?.[side === "Input" ? "inputs" : "outputs"];
    const index =
      names?.find((each) => each.name === key)?.tensorIndex ??
      details.find((each) => each.name === key)?.index;
    if (index === undefined) throw new Error(`no ${side.toLowerCase()} ${key}`);
    return index;
  }
}

function dataOf({ dtype, data }: FixtureArray): TensorData {
  switch (dtype) {
    case "float32":
      return Float32Array.from(data as number[]);
    case "int32":
      return Int32Array.from(data as number[]);
    case "int64":
      return BigInt64Array.from(data as number[], (value) => BigInt(value));
    case "string":
      return (data as string[]).map((text) => new TextEncoder().encode(text));
    default:
      throw new Error(`fixtures have no ${dtype}`);
  }
}

/** Strings as their bytes one after the other, with lengths, so that numbers can be compared. */
function comparable(data: TensorData): TensorData {
  if (!Array.isArray(data)) return data;
  return Int32Array.from((data as Uint8Array[]).flatMap((text) => [text.length, ...text]));
}

/** How often each operator occurs in all subgraphs. */
export function countsOf(model: Model): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { op, customCode } of model.subgraphs.flatMap(({ operators }) => operators)) {
    const name = customCode ?? op;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}
