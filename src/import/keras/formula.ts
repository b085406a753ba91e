/** Formulas of several operations, written short: numbers become constants of the other operand's type. */
import type { DType } from "../../base/dtype.ts";
import type { NodeWriter, Symbolic } from "./node-writer.ts";
import { type } from "./node-writer.ts";

const BOOLEAN: ReadonlySet<string> = new Set([
  "Equal",
  "Greater",
  "GreaterEqual",
  "IsFinite",
  "IsInf",
  "IsNan",
  "Less",
  "LessEqual",
  "LogicalAnd",
  "LogicalNot",
  "LogicalOr",
  "NotEqual",
]);

export type Operand = Symbolic | number;

export class Formula {
  readonly #writer: NodeWriter;
  readonly #path: string;

  constructor({ writer, path }: { readonly writer: NodeWriter; readonly path: string }) {
    this.#writer = writer;
    this.#path = path;
  }

  /** An elementwise operation of one or two operands, the second of which broadcasts. */
  of(op: string, a: Operand, b?: Operand): Symbolic {
    const like = typeof a === "number" ? b : a;
    const first = this.value(a, like);
    const dtype = BOOLEAN.has(op) ? "bool" : first.dtype;
    const name = `${this.#path}/${op}`;
    if (b === undefined) return this.#writer.emit(name, op, [first], { shape: first.shape, dtype });
    return this.#writer.binary(name, op, first, this.value(b, like), dtype);
  }

  /** `a` where the condition holds, else `b`; one of them has the shape of the result. */
  where(condition: Symbolic, a: Operand, b: Operand): Symbolic {
    const like = typeof a === "number" ? b : a;
    const [first, second] = [this.value(a, like), this.value(b, like)];
    const { shape } = typeof a === "number" ? second : first;
    const result = { shape, dtype: first.dtype };
    return this.#writer.emit(
      `${this.#path}/SelectV2`,
      "SelectV2",
      [condition, first, second],
      result,
    );
  }

  cast(x: Symbolic, dtype: DType): Symbolic {
    if (x.dtype === dtype) return x;
    const result = { shape: x.shape, dtype };
    return this.#writer.emit(`${this.#path}/Cast`, "Cast", [x], result, { DstT: type(dtype) });
  }

  reduce(op: string, x: Symbolic, axes: readonly number[], keepDims: boolean): Symbolic {
    return this.#writer.reduce(`${this.#path}/${op}`, op, x, axes, keepDims);
  }

  value(operand: Operand, like: Operand | undefined): Symbolic {
    if (typeof operand !== "number") return operand;
    const dtype = typeof like === "object" ? like.dtype : "float32";
    return dtype === "int32"
      ? this.#writer.ints(`${this.#path}/Const`, operand)
      : this.#writer.float(`${this.#path}/Const`, operand);
  }
}
