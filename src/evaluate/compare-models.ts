/**
 * Two versions of one model on the same inputs: how far the outputs lie apart, and where on the way that came about.
 * Layers are matched by the name of the tensor that they compute, which quantization and rewriting leave as it was.
 */
import { assert, ShapeError, UsageError } from "../base/errors.ts";
import { formatShape, sameShape } from "../base/shape.ts";
import { Interpreter, type TensorDetails } from "../runtime/interpreter.ts";
import type { InterpreterOptions } from "../runtime/interpreter-options.ts";
import type { Sample } from "./dataset.ts";
import { type Preprocessing, toModelInput } from "./preprocess.ts";
import { realValues } from "./real-values.ts";
import { measureError, mergeError, signalToNoise, type ValueError } from "./value-error.ts";

/** The difference in one tensor. Numbers are real values. */
export interface TensorComparison {
  /** The tensor's name in the reference model. */
  readonly name: string;
  /** The operator that computes it in the other model. */
  readonly op: string;
  /** Elements compared, over all inputs. */
  readonly elements: number;
  readonly largestDifference: number;
  /** Divided by the largest value of the reference; null where that is zero throughout. */
  readonly relativeDifference: number | null;
  /** Signal-to-noise ratio in decibels; null where the two are equal. */
  readonly sqnrDb: number | null;
}

export interface ModelComparison {
  readonly samples: number;
  readonly outputs: readonly TensorComparison[];
  /** In the order in which the other model computes them. */
  readonly layers: readonly TensorComparison[];
  /** Tensors that only one of the models computes, or in another shape. */
  readonly unmatched: number;
}

/** One sample for every input of the reference model, in order; each model gets it in its own element type. */
export type InputMaker = (inputs: readonly TensorDetails[], index: number) => Promise<Sample[]>;

export interface CompareOptions extends Pick<InterpreterOptions, "kernels" | "threads" | "wide"> {
  /** How many inputs; 1 by default. */
  readonly samples?: number;
  readonly preprocessing?: Preprocessing;
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * Compares `other` with `reference`, both .tflite files.
 * @throws {UsageError | ShapeError} when the models have other inputs or outputs
 * @throws what `Interpreter.create` and the run throw
 */
export async function compareModels(
  reference: Uint8Array,
  other: Uint8Array,
  makeInputs: InputMaker,
  { samples = 1, preprocessing, onProgress, ...options }: CompareOptions = {},
): Promise<ModelComparison> {
  const wanted = await RecordedModel.open(reference, options);
  const found = await RecordedModel.open(other, options);
  try {
    checkComparable(wanted.inputs, found.inputs, "inputs");
    checkComparable(wanted.outputs, found.outputs, "outputs");
    const outputs = new Tally();
    const layers = new Tally();
    for (let sample = 0; sample < samples; sample++) {
      const inputs = await makeInputs(wanted.inputs, sample);
      const before = await wanted.run(inputs, preprocessing);
      const after = await found.run(inputs, preprocessing);
      for (const [name, layer] of after.layers) layers.add(name, layer, before.layers.get(name));
      for (const name of before.layers.keys()) {
        if (!after.layers.has(name)) layers.unmatched.add(name);
      }
      for (const [order, output] of after.outputs.entries()) {
        const target = before.outputs[order];
        outputs.add(target?.name ?? output.name, output, target);
      }
      onProgress?.(sample + 1, samples);
    }
    return {
      samples,
      outputs: outputs.comparisons(),
      layers: layers.comparisons(),
      unmatched: layers.unmatched.size,
    };
  } finally {
    wanted.dispose();
    found.dispose();
  }
}

/** What a tensor held after one run, and which operator computed it. */
interface Recording {
  readonly name: string;
  readonly op: string;
  readonly values: Float32Array;
}

interface RecordedRun {
  readonly layers: ReadonlyMap<string, Recording>;
  readonly outputs: readonly Recording[];
}

/** An interpreter that keeps a copy of everything that its main subgraph computes. */
class RecordedModel {
  readonly #interpreter: Interpreter;
  readonly #layers: Map<string, Recording>;

  private constructor(interpreter: Interpreter, layers: Map<string, Recording>) {
    this.#interpreter = interpreter;
    this.#layers = layers;
  }

  static async open(bytes: Uint8Array, options: InterpreterOptions): Promise<RecordedModel> {
    const layers = new Map<string, Recording>();
    const interpreter = await Interpreter.create(bytes, {
      ...options,
      // Keeps layers apart that kernels would compute together.
      preserveAllTensors: true,
      observe({ subgraph, op, outputs }) {
        if (subgraph !== 0) return;
        for (const { name, dtype, quantization, data } of outputs) {
          const description = quantization === undefined ? { dtype } : { dtype, quantization };
          const values = realValues(description, data);
          if (values !== undefined) layers.set(name, { name, op, values: values.slice() });
        }
      },
    });
    return new RecordedModel(interpreter, layers);
  }

  get inputs(): readonly TensorDetails[] {
    return this.#interpreter.getInputDetails();
  }

  get outputs(): readonly TensorDetails[] {
    return this.#interpreter.getOutputDetails();
  }

  async run(samples: readonly Sample[], preprocessing?: Preprocessing): Promise<RecordedRun> {
    this.#layers.clear();
    this.#interpreter.resetVariables();
    for (const [order, input] of this.inputs.entries()) {
      const sample = samples[order];
      assert(sample !== undefined, `no sample for input ${order}`);
      this.#interpreter.setTensor(input.index, toModelInput(sample, input, preprocessing));
    }
    await this.#interpreter.invoke();
    const outputs = this.outputs.flatMap((details): Recording[] => {
      const values = realValues(details, this.#interpreter.getTensor(details.index));
      const op = this.#layers.get(details.name)?.op ?? "";
      return values === undefined ? [] : [{ name: details.name, op, values }];
    });
    return { layers: new Map(this.#layers), outputs };
  }

  dispose(): void {
    this.#interpreter.dispose();
  }
}

/** Errors by tensor name, over all samples. */
class Tally {
  readonly unmatched = new Set<string>();
  readonly #errors = new Map<string, { readonly op: string; readonly error: ValueError }>();

  add(name: string, { op, values }: Recording, wanted: Recording | undefined): void {
    if (wanted === undefined || wanted.values.length !== values.length) {
      this.unmatched.add(name);
      return;
    }
    const error = measureError(values, wanted.values);
    const before = this.#errors.get(name);
    this.#errors.set(name, {
      op,
      error: before === undefined ? error : mergeError(before.error, error),
    });
  }

  comparisons(): TensorComparison[] {
    return [...this.#errors].map(([name, { op, error }]) => ({
      name,
      op,
      elements: error.elements,
      largestDifference: error.largest,
      relativeDifference: error.largestWanted === 0 ? null : error.largest / error.largestWanted,
      sqnrDb: signalToNoise(error) ?? null,
    }));
  }
}

function checkComparable(
  wanted: readonly TensorDetails[],
  found: readonly TensorDetails[],
  what: "inputs" | "outputs",
): void {
  if (wanted.length !== found.length) {
    throw new UsageError({
      where: "compare",
      found: `${wanted.length} ${what} in one model and ${found.length} in the other`,
      expected: "two versions of one model",
    });
  }
  for (const [order, { name, shape }] of wanted.entries()) {
    const other = found[order];
    if (other === undefined || !sameShape(shape, other.shape)) {
      throw new ShapeError({
        where: `${what} of the models`,
        found: `"${name}" of ${formatShape(shape)} in one and ${formatShape(other?.shape ?? [])} in the other`,
        expected: "equal shapes",
      });
    }
  }
}
