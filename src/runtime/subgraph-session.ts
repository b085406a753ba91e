/**
 * Runs one subgraph: makes its plan for the current input shapes, gives every tensor its memory, binds every operator
 * to its operands, and executes the steps. Shapes that only a run can tell are found here, step by step.
 */
import { assert, GraphError } from "../base/errors.ts";
import { type Shape, sameShape } from "../base/shape.ts";
import type {
  CallableSubgraph,
  KernelContext,
  KernelNode,
  KernelRun,
  TensorInfo,
  TensorView,
} from "../kernels/kernel.ts";
import { RESIDUAL_OPERAND } from "../kernels/simd/fast-kernel.ts";
import { ComputedOnce, sameShapes } from "./computed-once.ts";
import { sumPlanner } from "./fuse-sums.ts";
import { checkedByteLength } from "./limits.ts";
import { type LinearMemory, openLinearMemory } from "./linear-memory.ts";
import type { LoadedOperator, LoadedSubgraph } from "./load.ts";
import type { PlannedStep, SessionMemory } from "./observations.ts";
import { type Plan, planSubgraph } from "./plan.ts";
import type { FusedSum } from "./plan-step.ts";
import { nodeWith, type Placement } from "./plan-step.ts";
import { memoryOf, plannedSteps } from "./planned-steps.ts";
import { settleSteps } from "./self-check.ts";
import type { SessionHost } from "./session-host.ts";
import { allocateData, copyData, dataOn } from "./tensor-data.ts";
import { copyOf } from "./tensor-exchange.ts";
import { TensorSlot } from "./tensor-slot.ts";

interface StaticStep {
  readonly operator: number;
  readonly run: KernelRun;
  readonly inputs: readonly (TensorSlot | undefined)[];
  readonly outputs: readonly TensorSlot[];
}

interface DynamicStep {
  readonly operator: number;
  readonly dynamic: true;
  bound?: { readonly shapes: readonly (Shape | undefined)[]; readonly run: KernelRun };
}

export class SubgraphSession implements CallableSubgraph {
  readonly #graph: LoadedSubgraph;
  readonly #host: SessionHost;
  readonly #variables = new Map<number, TensorSlot>();
  readonly #computedOnce = new ComputedOnce();
  readonly #inputShapes: Shape[];
  #plan: Plan | undefined;
  #slots: (TensorSlot | undefined)[] = [];
  #steps: (StaticStep | DynamicStep)[] = [];
  #memory: LinearMemory | undefined;
  #busy = false;
  readonly #checkTime = (): void => this.#host.deadline.checkAgain();

  constructor(graph: LoadedSubgraph, host: SessionHost) {
    this.#graph = graph;
    this.#host = host;
    this.#inputShapes = graph.inputs.map((index) => this.#fileTensor(index).shape);
  }

  get inputs(): readonly TensorInfo[] {
    return this.#graph.inputs.map((index) => this.tensor(index));
  }

  get outputs(): readonly TensorInfo[] {
    return this.#graph.outputs.map((index) => this.tensor(index));
  }

  /** The tensor as far as it is known: with its current shape once there is a plan. */
  tensor(index: number): TensorInfo {
    const known = this.#slots[index] ?? this.#plan?.tensors[index];
    if (known !== undefined) return known;
    const shape = this.#inputShapes[this.#graph.inputs.indexOf(index)];
    const tensor = this.#fileTensor(index);
    return shape === undefined ? tensor : { ...tensor, shape };
  }

  /** The tensor with its elements; undefined where it has none (yet). */
  view(index: number): TensorView | undefined {
    return this.#slots[index];
  }

  /** Whether a tensor can be read after a run: what shares its memory with others cannot. */
  isReadable(index: number): boolean {
    const kind = this.#plan?.placements[index]?.kind;
    return (
      this.#host.preserveAll ||
      (kind !== "arena" && kind !== "folded") ||
      this.#graph.kept.includes(index)
    );
  }

  /**
   * Sets the shape of an input, by position; the plan is made anew when it differs.
   *
   * @throws {ShapeError | LimitError} for a shape that cannot be.
   */
  resizeInput(position: number, shape: Shape): void {
    const current = this.#inputShapes[position];
    assert(current !== undefined, `input ${position} of subgraph ${this.#graph.index}`);
    if (sameShape(current, shape)) return;
    if (this.#busy) throw this.#misfit("a call of itself while it runs", "no circle of calls");
    const { name, dtype } = this.#fileTensor(this.#graph.inputs[position]!);
    checkedByteLength(`input ${JSON.stringify(name)}`, dtype, shape);
    this.#inputShapes[position] = [...shape];
    this.release();
  }

  /** Plans and binds, unless that is done. */
  prepare(): void {
    if (this.#plan === undefined) this.#exclusively(() => this.#bindAll());
  }

  /** Runs all steps on what the inputs hold. */
  execute(): void {
    this.prepare();
    const { deadline } = this.#host;
    this.#exclusively(() => {
      // Here too, as a subgraph without operators can be called for ever.
      deadline.check(`subgraph ${this.#graph.index}`);
      for (const step of this.#steps) {
        deadline.check(this.#operator(step.operator).node.where);
        if ("dynamic" in step) this.#runDynamic(step);
        else this.#run(step.operator, step.run, step.inputs, step.outputs);
      }
    });
  }

  outputShapes(inputShapes: readonly Shape[]): readonly (Shape | undefined)[] {
    this.#requireArguments(inputShapes.length);
    for (const [position, shape] of inputShapes.entries()) this.resizeInput(position, shape);
    this.prepare();
    return this.#graph.outputs.map((index) => {
      const isDynamic = this.#plan?.placements[index]?.kind === "dynamic";
      return isDynamic ? undefined : this.#slots[index]?.shape;
    });
  }

  run(args: readonly TensorView[]): readonly TensorView[] {
    this.#requireArguments(args.length);
    const ownInputs = this.#graph.inputs.map((index) => this.#slots[index]);
    // An argument may be one of this subgraph's own inputs, which copying another argument would overwrite.
    const data = args.map((arg) => (ownInputs.some((own) => own === arg) ? copyOf(arg) : arg.data));
    for (const [position, arg] of args.entries()) this.resizeInput(position, arg.shape);
    this.prepare();
    for (const [position, index] of this.#graph.inputs.entries()) {
      const [slot, arg] = [this.#slots[index], args[position]];
      assert(slot !== undefined && arg !== undefined, `argument ${position}`);
      if (slot.dtype !== arg.dtype) throw this.#misfit(`a ${arg.dtype} argument`, slot.dtype);
      copyData(data[position]!, slot.data);
    }
    this.execute();
    return this.#graph.outputs.map((index) => {
      const slot = this.#slots[index];
      if (slot === undefined)
        throw this.#misfit(`output tensor ${index} that nothing sets`, "a value");
      return slot;
    });
  }

  /** Sets all variable tensors to zero. */
  resetVariables(): void {
    for (const slot of this.#variables.values()) slot.clear();
  }

  memory(): SessionMemory {
    return memoryOf(this.#plan, this.#memory, this.#computedOnce);
  }

  /** What a run does; nothing while there is no plan. */
  plannedSteps(): PlannedStep[] {
    return plannedSteps(this.#graph, this.#plan, this.#memory);
  }

  #fileTensor(index: number): TensorInfo {
    const tensor = this.#graph.tensors[index];
    assert(tensor !== undefined, `tensor ${index} of subgraph ${this.#graph.index}`);
    return tensor;
  }

  #bindAll(): void {
    const { fast } = this.#host;
    const plan = planSubgraph(this.#graph, {
      inputShapes: this.#inputShapes,
      preserveAll: this.#host.preserveAll,
      subgraph: (index) => this.#host.callable(index),
      ...(fast === undefined ? {} : { planSum: sumPlanner(fast) }),
      computeOnce: (operator, node, inputs, shapes) => {
        return this.#computeOnce(operator, node, inputs, shapes);
      },
    });
    const memory = openLinearMemory(this.#graph, plan, fast, this.#checkTime);
    this.#memory = memory;
    this.#slots = plan.tensors.map((tensor, index) => {
      return this.#slotFor(index, tensor, plan.placements[index]!, memory);
    });
    try {
      this.#steps = plan.steps.map(({ operator, dynamic, sum }) => {
        if (dynamic) return { operator, dynamic };
        return sum === undefined
          ? this.#bind(operator, memory)
          : this.#bindSum(operator, sum, memory);
      });
      this.#steps = settleSteps(memory, this.#steps, (why) => {
        this.#host.remark?.(why);
      });
    } catch (error) {
      this.release();
      throw error;
    }
    this.#plan = plan;
  }

  /** Does `work` unless it is being done further up the stack: subgraphs must not call each other in circles. */
  #exclusively(work: () => void): void {
    if (this.#busy) throw this.#misfit("a call of itself while it runs", "no circle of calls");
    this.#busy = true;
    try {
      work();
    } finally {
      this.#busy = false;
    }
  }

  #requireArguments(count: number): void {
    const wanted = this.#graph.inputs.length;
    if (count !== wanted) throw this.#misfit(`${count} arguments`, `${wanted}`);
  }

  #misfit(found: string, expected: string): GraphError {
    return new GraphError({ where: `subgraph ${this.#graph.index}`, found, expected });
  }

  /** Lets go of memory and threads; the next run plans anew. */
  release(): void {
    this.#memory?.code?.dispose();
    this.#plan = undefined;
    this.#slots = [];
    this.#steps = [];
    this.#memory = undefined;
  }

  #slotFor(
    index: number,
    tensor: TensorInfo,
    placement: Placement,
    { buffer, arenaStart }: LinearMemory,
  ): TensorSlot | undefined {
    switch (placement.kind) {
      case "known":
        return placement.value instanceof TensorSlot
          ? placement.value
          : new TensorSlot(placement.value, placement.value.data);
      case "variable":
        return this.#variable(index, tensor);
      case "arena": {
        const { byteOffset, byteLength } = placement;
        const start = arenaStart + byteOffset;
        return new TensorSlot(tensor, dataOn(buffer, start, byteLength, tensor.dtype));
      }
      case "heap":
        return new TensorSlot(tensor, allocateData(tensor.name, tensor.dtype, tensor.shape));
      case "dynamic": {
        const empty = { ...tensor, shape: [0] };
        return new TensorSlot(empty, allocateData(tensor.name, tensor.dtype, [0]), true);
      }
      case "folded":
      case "unset":
        return undefined;
    }
  }

  #variable(index: number, tensor: TensorInfo): TensorSlot {
    let slot = this.#variables.get(index);
    if (slot === undefined) {
      slot = new TensorSlot(tensor, allocateData(tensor.name, tensor.dtype, tensor.shape));
      slot.clear();
      this.#variables.set(index, slot);
    }
    return slot;
  }

  #context(values: readonly (TensorView | undefined)[]): KernelContext {
    return {
      known: (position) => {
        const value = values[position];
        return value?.isConstant ? value : undefined;
      },
      constant: (index) => {
        const data = this.#graph.constants[index];
        return data === undefined ? undefined : { ...this.#fileTensor(index), data };
      },
      resources: this.#host.resources,
      subgraph: (index) => this.#host.callable(index),
      checkTime: this.#checkTime,
    };
  }

  #computeOnce(
    index: number,
    node: KernelNode,
    inputs: readonly (TensorView | undefined)[],
    shapes: readonly (Shape | undefined)[],
  ): readonly TensorView[] {
    return this.#computedOnce.results(index, node, inputs, shapes, (views, outputs) => {
      const run = this.#operator(index).kernel.create({ ...node, outputs }, this.#context(inputs));
      this.#run(index, run, views, outputs);
    });
  }

  #operator(index: number): LoadedOperator {
    const operator = this.#graph.operators[index];
    assert(operator !== undefined, `operator ${index} of subgraph ${this.#graph.index}`);
    return operator;
  }

  #operands(operator: LoadedOperator): Pick<StaticStep, "inputs" | "outputs"> {
    return {
      inputs: operator.inputs.map((index) => this.#slots[index]),
      outputs: operator.outputs.map((index) => {
        const slot = this.#slots[index];
        assert(slot !== undefined, `output tensor ${index} has no memory`);
        return slot;
      }),
    };
  }

  #bind(index: number, memory: LinearMemory): StaticStep {
    const operator = this.#operator(index);
    const { inputs, outputs } = this.#operands(operator);
    const node = {
      ...operator.node,
      inputs,
      outputs,
    };
    return {
      operator: index,
      run: memory.bind(index) ?? operator.kernel.create(node, this.#context(inputs)),
      inputs,
      outputs,
    };
  }

  /** An operator whose kernel adds a tensor to its result. */
  #bindSum(operator: number, { residual, output }: FusedSum, memory: LinearMemory): StaticStep {
    const inputs = this.#operator(operator).inputs.map((index) => this.#slots[index]);
    const [run, added, sum] = [memory.bind(operator), this.#slots[residual], this.#slots[output]];
    assert(run !== undefined && sum !== undefined, `a fused sum behind operator ${operator}`);
    inputs[RESIDUAL_OPERAND] = added;
    return { operator, run, inputs, outputs: [sum] };
  }

  #runDynamic(step: DynamicStep): void {
    const operator = this.#operator(step.operator);
    const { kernel } = operator;
    const { inputs, outputs } = this.#operands(operator);
    const node = { ...nodeWith(operator, this.#graph.tensors), inputs };
    const shapes = kernel.shapes(
      node,
      (position) => inputs[position],
      (index) => this.#host.callable(index),
    );
    for (const [at, output] of outputs.entries()) {
      const shape = shapes[at];
      if (shape !== undefined && !sameShape(shape, output.shape)) output.resize(shape);
    }
    // Large memory takes long to come.
    this.#checkTime();
    const now = [...inputs.map((input) => input?.shape), ...shapes];
    if (step.bound === undefined || !sameShapes(step.bound.shapes, now)) {
      const run = kernel.create({ ...node, outputs }, this.#context(inputs));
      step.bound = { shapes: now, run };
    }
    this.#run(step.operator, step.bound.run, inputs, outputs);
  }

  #run(
    operator: number,
    run: KernelRun,
    inputs: readonly (TensorView | undefined)[],
    outputs: readonly TensorSlot[],
  ): void {
    const { observe } = this.#host;
    if (observe === undefined) {
      run(inputs, outputs);
      return;
    }
    const start = performance.now();
    run(inputs, outputs);
    const milliseconds = performance.now() - start;
    const { op } = this.#operator(operator).node;
    const variant = this.#memory?.variantOf(operator);
    observe({ subgraph: this.#graph.index, operator, op, variant, milliseconds, inputs, outputs });
  }
}
