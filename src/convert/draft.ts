/**
 * A TFLite subgraph in the making: like `Subgraph` of the model IR, but constants hold their values instead of buffer
 * indices, unknown dimensions are -1, and versions are not decided yet. Passes over drafts return new ones.
 */
import type { DType } from "../base/dtype.ts";
import { assert } from "../base/errors.ts";
import type {
  BuiltinOperatorName,
  BuiltinOptions,
  BuiltinOptions2,
} from "../formats/tflite/schema.gen.ts";
import type { PartialShape, TensorValue } from "../graph/ir.ts";

export interface DraftTensor {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: PartialShape;
  readonly value?: TensorValue;
  readonly isVariable?: boolean;
}

export interface DraftOperator {
  readonly op: BuiltinOperatorName;
  /** Tensor indices; -1 for an operand that is left out. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly options?: BuiltinOptions;
  readonly options2?: BuiltinOptions2;
  readonly customCode?: string;
  readonly customOptions?: Uint8Array;
}

export interface Draft {
  readonly name: string;
  readonly tensors: readonly DraftTensor[];
  readonly operators: readonly DraftOperator[];
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}

/** Operators that a rewrite puts in place of one; undefined keeps it. */
export type DraftRewrite = (
  operator: DraftOperator,
  editor: DraftEditor,
) => readonly DraftOperator[] | undefined;

/** A draft while a pass changes it. Operators come in order, each after the rewriting of those before it. */
export class DraftEditor {
  readonly #tensors: DraftTensor[];
  readonly #done: (DraftOperator | undefined)[] = [];
  readonly #producers = new Map<number, number>();
  readonly #uses: number[];

  constructor(draft: Draft) {
    this.#tensors = [...draft.tensors];
    this.#uses = new Array<number>(draft.tensors.length).fill(0);
    for (const { inputs } of draft.operators) for (const input of inputs) this.#count(input, 1);
    for (const output of draft.outputs) this.#count(output, 1);
  }

  tensor(index: number): DraftTensor {
    const tensor = this.#tensors[index];
    assert(tensor !== undefined, `no tensor ${index} in the draft`);
    return tensor;
  }

  /** The constant behind an operand. */
  value(index: number | undefined): TensorValue | undefined {
    return index === undefined || index < 0 ? undefined : this.tensor(index).value;
  }

  addTensor(tensor: DraftTensor): number {
    this.#uses.push(0);
    return this.#tensors.push(tensor) - 1;
  }

  addConstant(name: string, value: TensorValue): number {
    return this.addTensor({ name, dtype: value.dtype, shape: value.shape, value });
  }

  /** The operator that makes a tensor, if the operator at hand is the only one that reads it. */
  soleProducer(index: number): DraftOperator | undefined {
    return this.#uses[index] === 1 ? this.producer(index) : undefined;
  }

  producer(index: number): DraftOperator | undefined {
    return this.#done[this.#producers.get(index) ?? -1];
  }

  /** Takes out an operator whose work the rewrite takes over. */
  remove(operator: DraftOperator): void {
    const at = this.#producers.get(operator.outputs[0] ?? -1);
    assert(at !== undefined, "only operators that were placed can be removed");
    this.#done[at] = undefined;
    for (const input of operator.inputs) this.#count(input, -1);
  }

  /** Like `remove`, for a producer whose operands the operator at hand will read in its place. */
  absorb(producer: DraftOperator): void {
    this.remove(producer);
    for (const input of producer.inputs) this.#count(input, 1);
  }

  /** Puts `replacements` in place of `operator` and keeps the use counts right. */
  place(operator: DraftOperator, replacements: readonly DraftOperator[]): void {
    for (const input of operator.inputs) this.#count(input, -1);
    for (const placed of replacements) {
      for (const input of placed.inputs) this.#count(input, 1);
      for (const output of placed.outputs) this.#producers.set(output, this.#done.length);
      this.#done.push(placed);
    }
  }

  finish(draft: Draft): Draft {
    const operators = this.#done.filter((operator) => operator !== undefined);
    return { ...draft, tensors: this.#tensors, operators };
  }

  #count(index: number, by: number): void {
    if (index >= 0) this.#uses[index] = (this.#uses[index] ?? 0) + by;
  }
}

/** Runs a rewrite over all operators in order. */
export function rewriteDraft(draft: Draft, rewrite: DraftRewrite): Draft {
  const editor = new DraftEditor(draft);
  for (const operator of draft.operators) {
    editor.place(operator, rewrite(operator, editor) ?? [operator]);
  }
  return editor.finish(draft);
}
