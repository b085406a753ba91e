/**
 * The interpreter as applications see it: open a model, set inputs, invoke, read outputs. Mirrors tf.lite.Interpreter.
 * It holds no file and no thread; `dispose` only lets go of memory.
 */
import type { DType, TensorData } from "../base/dtype.ts";
import { type Diagnostic, UsageError } from "../base/errors.ts";
import { type Shape, sameShape } from "../base/shape.ts";
import type { TensorView } from "../kernels/kernel.ts";
import type { Model, Quantization, Signature, Subgraph } from "../model/ir.ts";
import { parseModel } from "../model/read.ts";
import { verifyModel } from "../model/verify.ts";
import { checkThreads, checkTimeLimit, findSignature } from "./check-options.ts";
import type { InterpreterOptions, InvokeOptions } from "./interpreter-options.ts";
import { KernelCatalog } from "./kernel-catalog.ts";
import { fastChoice, type Threads, threadsOf, wideRemarks } from "./kernel-choice.ts";
import { loadModel } from "./load.ts";
import { type ModelSource, readModelSource } from "./model-source.ts";
import type { PlannedStep, SessionMemory } from "./observations.ts";
import { Program } from "./program.ts";
import { StartingWorkers } from "./starting-workers.ts";
import type { SubgraphSession } from "./subgraph-session.ts";
import { allocateData } from "./tensor-data.ts";
import { copyOf, type InputData, toTensorData } from "./tensor-exchange.ts";

/** What is known of a tensor. */
export interface TensorDetails {
  /** What `setTensor`, `getTensor` and `resizeInput` take; the tensor's index in its subgraph. */
  readonly index: number;
  /** The tensor's name. */
  readonly name: string;
  /** Current shape. A shape that only a run can tell is the file's before the first run. */
  readonly shape: Shape;
  /** The shape with -1 where a dimension may be resized. */
  readonly shapeSignature: Shape;
  readonly dtype: DType;
  readonly quantization?: Quantization;
}

/** A tensor by index, by name, or by its name in a signature of the model. */
export type TensorKey = number | string;

/** What the choices at opening have come to. */
interface Opened extends Threads {
  readonly triesWide: boolean;
  readonly starting: StartingWorkers;
}

/**
 * Runs one subgraph of a model.
 *
 * @example
 * const interpreter = await Interpreter.create(bytes);
 * const [input] = interpreter.getInputDetails();
 * interpreter.setTensor(input.index, new Float32Array(784));
 * await interpreter.invoke();
 * const scores = interpreter.getTensor("scores");
 */
export class Interpreter {
  readonly #program: Program;
  readonly #session: SubgraphSession;
  readonly #subgraph: Subgraph;
  readonly #signature: Signature | undefined;
  readonly #model: Model;
  readonly #opened: Opened;
  /** How many threads share the emitted kernels' work, the calling one included. */
  readonly threads: number;
  /** Remarks on how the model was opened: what was asked for and is not so. */
  readonly diagnostics: readonly Diagnostic[];
  readonly #triesWide: boolean;
  /** Inputs that were set while there was no plan. */
  readonly #waiting = new Map<number, TensorView>();
  readonly #starting: StartingWorkers;
  #hasRun = false;

  private constructor(
    model: Model,
    program: Program,
    subgraphIndex: number,
    opened: Opened,
    signature?: Signature,
  ) {
    const { threads, diagnostics, triesWide, starting } = opened;
    this.#model = model;
    this.#opened = opened;
    this.#triesWide = triesWide;
    this.threads = threads;
    this.diagnostics = diagnostics;
    this.#starting = starting;
    this.#program = program;
    this.#session = program.session(subgraphIndex);
    this.#subgraph = model.subgraphs[subgraphIndex]!;
    this.#signature =
      signature ?? model.signatures.find((entry) => entry.subgraphIndex === subgraphIndex);
  }

  /**
   * Opens a model for running. Bytes must not change while the interpreter lives: constants are used in place.
   *
   * @throws {IoError} for an address or an answer without the bytes of a file.
   * @throws {FormatError} for bytes that are no TensorFlow Lite model.
   * @throws {UnsupportedError} that lists everything in the model that this version cannot run.
   * @throws {GraphError | ShapeError | LimitError} for a model that contradicts itself or asks for too much memory.
   */
  static async create(model: ModelSource, options: InterpreterOptions = {}): Promise<Interpreter> {
    checkThreads(options.threads);
    const source = await readModelSource(model);
    const parsed = source instanceof Uint8Array ? parseModel(source).model : source;
    verifyModel(parsed);
    const signature = findSignature(parsed, options.signature);
    const index = signature?.subgraphIndex ?? options.subgraph ?? 0;
    if (parsed.subgraphs[index] === undefined) {
      throw new UsageError({
        where: "Interpreter.create",
        found: `subgraph ${index}`,
        expected: `an index below ${parsed.subgraphs.length}`,
        option: "subgraph",
      });
    }
    const catalog = new KernelCatalog(options.customOperators);
    const fast = fastChoice(options.kernels ?? "auto", catalog, options);
    const starting = new StartingWorkers();
    const { threads, diagnostics } = threadsOf(fast, options.threads);
    const remarks = [...diagnostics, ...wideRemarks(fast, options.wide)];
    const program = new Program(await loadModel(parsed, catalog), {
      preserveAll: options.preserveAllTensors ?? false,
      ...(fast === undefined ? {} : { fast: starting.watch(fast) }),
      ...(options.observe === undefined ? {} : { observe: options.observe }),
      remark: (remark) => remarks.push(remark),
    });
    const triesWide = fast?.compileWide !== undefined;
    const opened = { threads, diagnostics: remarks, triesWide, starting };
    const interpreter = new Interpreter(parsed, program, index, opened, signature);
    if (!interpreter.#awaitsShapes(options.inputShapes ?? {})) interpreter.#session.prepare();
    await starting.settled();
    return interpreter;
  }

  /** Whether emitted kernels work with 256-bit vectors where the engine found pairs. */
  get wide(): boolean {
    return this.#triesWide && !this.diagnostics.some(({ id }) => id.startsWith("wide-"));
  }

  /** The inputs of the subgraph, in order. */
  getInputDetails(): TensorDetails[] {
    return this.#live().#subgraph.inputs.map((index) => this.#details(index));
  }

  /** The outputs of the subgraph, in order. */
  getOutputDetails(): TensorDetails[] {
    return this.#live().#subgraph.outputs.map((index) => this.#details(index));
  }

  /** All tensors of the subgraph; which of them can be read depends on `preserveAllTensors`. */
  getTensorDetails(): TensorDetails[] {
    return this.#live().#subgraph.tensors.map((_, index) => this.#details(index));
  }

  /** Signatures of the whole model. */
  get signatures(): readonly Signature[] {
    return this.#model.signatures;
  }

  /**
   * Sets an input. Elements are copied, in row-major order; strings may be given as text (UTF-8) or bytes.
   *
   * @throws {UsageError} for a tensor that is no input.
   * @throws {ShapeError} for elements of another type or number than the input's.
   */
  setTensor(tensor: TensorKey, data: InputData): void {
    const index = this.#live().#inputIndex(tensor, "setTensor");
    toTensorData(this.#session.view(index) ?? this.#waitingInput(index), data);
  }

  /**
   * Gives an input another shape. Its elements must be set again; those of other inputs stay. Its own shape changes
   * nothing.
   *
   * @throws {UsageError} for a tensor that is no input.
   * @throws {ShapeError} for negative dimensions, or another rank than the model's.
   */
  async resizeInput(tensor: TensorKey, shape: Shape): Promise<void> {
    const index = this.#live().#inputIndex(tensor, "resizeInput");
    if (sameShape(this.#session.tensor(index).shape, shape)) return;
    const { inputs } = this.#subgraph;
    const planned = inputs.map((input) => this.#session.view(input));
    this.#session.resizeInput(inputs.indexOf(index), shape);
    this.#waiting.delete(index);
    for (const [position, input] of inputs.entries()) {
      const view = input === index ? undefined : planned[position];
      if (view !== undefined) toTensorData(this.#waitingInput(input), view.data);
    }
    this.#hasRun = false;
  }

  /**
   * Runs the subgraph. When it throws, outputs have no values until the next run, variables keep what they held when it
   * stopped, and everything else is as before.
   *
   * @throws {ExecutionError} for values that an operator cannot work with.
   * @throws {ShapeError} for input shapes that do not fit the operators.
   * @throws {LimitError} after `timeLimitMs`.
   */
  async invoke({ timeLimitMs = Infinity }: InvokeOptions = {}): Promise<void> {
    checkTimeLimit(timeLimitMs);
    this.#live().#prepare();
    const starting = this.#starting.settled();
    if (starting !== undefined) await starting.then(() => this.#live());
    this.#hasRun = false;
    this.#program.deadline.during(timeLimitMs, () => this.#session.execute());
    this.#hasRun = true;
  }

  /**
   * A copy of a tensor's elements: a typed array (bool as Uint8Array, half floats as their bits), or byte strings.
   *
   * @throws {UsageError} for an output before the first run, and for an activation that was not kept.
   */
  getTensor(tensor: TensorKey): TensorData {
    const index = this.#live().#tensorIndex(tensor, "getTensor");
    const isInput = this.#subgraph.inputs.includes(index);
    if (isInput) this.#prepare();
    const view = this.#session.view(index);
    if (view === undefined || !(isInput || view.isConstant || view.isVariable || this.#hasRun)) {
      throw this.#unreadable(index, "no value yet", "Call invoke() first");
    }
    if (!this.#session.isReadable(index)) {
      throw this.#unreadable(index, "not kept", "Create the interpreter with preserveAllTensors");
    }
    return copyOf(view);
  }

  /**
   * Another signature of the model, on the same weights, variables and hash tables: for models whose signatures work on
   * one state. Signatures of one subgraph are one. `dispose()` of any of them ends all.
   *
   * @throws {UsageError} for a key that the model does not have.
   * @throws {ShapeError | LimitError} for a subgraph that contradicts itself or asks for too much memory.
   */
  getSignatureRunner(key: string): Interpreter {
    const signature = findSignature(this.#live().#model, key)!;
    const { subgraphIndex } = signature;
    const runner = new Interpreter(
      this.#model,
      this.#program,
      subgraphIndex,
      this.#opened,
      signature,
    );
    if (!runner.#awaitsShapes({})) runner.#session.prepare();
    return runner;
  }

  /** Sets all variable tensors back to zero and forgets what resource variables and hash tables hold. */
  resetVariables(): void {
    this.#live().#program.reset();
  }

  /** What a run of the subgraph does, in order; nothing while shapes are open. */
  plan(): PlannedStep[] {
    this.#live();
    return this.#session.plannedSteps();
  }

  /** Memory of activations and of operators computed once, over all subgraphs that have run. */
  memory(): SessionMemory {
    return this.#live().#program.memory();
  }

  /** Lets go of all memory; the interpreter cannot be used afterwards. */
  dispose(): void {
    this.#program.release();
  }

  /** Storage for an input while there is no plan: between a change of shapes and the next run. */
  #waitingInput(index: number): TensorView {
    const info = this.#session.tensor(index);
    const known = this.#waiting.get(index);
    if (known !== undefined) return known;
    const waiting = { ...info, data: allocateData(info.name, info.dtype, info.shape) };
    this.#waiting.set(index, waiting);
    return waiting;
  }

  /** Plans for the current shapes and moves waiting inputs to where the plan has them. */
  #prepare(): void {
    this.#session.prepare();
    for (const [index, { data }] of this.#waiting) {
      const view = this.#session.view(index);
      if (view !== undefined) toTensorData(view, data);
    }
    this.#waiting.clear();
  }

  #live(): this {
    if (!this.#program.isReleased) return this;
    throw new UsageError({
      where: "Interpreter",
      found: "a call after dispose()",
      expected: "no further use",
    });
  }

  /**
   * Takes the shapes that are given. Whether the file leaves dimensions of other inputs open, so that the shapes it names
   * need not fit together.
   */
  #awaitsShapes(given: Readonly<Record<string, Shape>>): boolean {
    const known = Object.entries(given).map(([name, shape]) => {
      const index = this.#inputIndex(name, "inputShapes");
      this.#session.resizeInput(this.#subgraph.inputs.indexOf(index), shape);
      return index;
    });
    return this.#subgraph.inputs.some((index) => {
      if (known.includes(index)) return false;
      return this.#subgraph.tensors[index]?.shapeSignature?.includes(-1);
    });
  }

  #details(index: number): TensorDetails {
    const { name, dtype, shape, quantization } = this.#session.tensor(index);
    const shapeSignature = this.#subgraph.tensors[index]?.shapeSignature ?? shape;
    const details = { index, name, shape, shapeSignature, dtype };
    return quantization === undefined ? details : { ...details, quantization };
  }

  #inputIndex(key: TensorKey, where: string): number {
    const { inputs } = this.#subgraph;
    const index = typeof key === "number" ? key : this.#named(key, inputs, this.#signature?.inputs);
    if (index !== undefined && inputs.includes(index)) return index;
    throw this.#unknown(key, where, "an input");
  }

  #tensorIndex(key: TensorKey, where: string): number {
    const { inputs, outputs, tensors } = this.#subgraph;
    const index =
      typeof key === "number"
        ? key
        : (this.#named(key, outputs, this.#signature?.outputs) ??
          this.#named(key, inputs, this.#signature?.inputs) ??
          tensors.findIndex((tensor) => tensor.name === key));
    if (tensors[index] !== undefined) return index;
    throw this.#unknown(key, where, "a tensor of the model");
  }

  #named(
    key: string,
    indices: readonly number[],
    maps: Signature["inputs"] | undefined,
  ): number | undefined {
    return (
      maps?.find(({ name }) => name === key)?.tensorIndex ??
      indices.find((index) => this.#subgraph.tensors[index]?.name === key)
    );
  }

  #unknown(key: TensorKey, where: string, expected: string): UsageError {
    const names = this.#subgraph.inputs.map((index) => this.#subgraph.tensors[index]?.name);
    return new UsageError({
      where: `Interpreter.${where}`,
      found: `tensor ${JSON.stringify(key)}`,
      expected: `${expected}, by index or name (inputs: ${names.join(", ")})`,
    });
  }

  #unreadable(index: number, found: string, remedy: string): UsageError {
    const where = `tensor ${index} ${JSON.stringify(this.#subgraph.tensors[index]?.name)}`;
    return new UsageError({ where, found, expected: "elements to read", remedy });
  }
}
