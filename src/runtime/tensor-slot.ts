/** The live form of a tensor: what kernels read and write. */
import type { DType, TensorData } from "../base/dtype.ts";
import { assert } from "../base/errors.ts";
import type { Shape } from "../base/shape.ts";
import type { OutputView, TensorInfo } from "../kernels/kernel.ts";
import type { Quantization } from "../model/ir.ts";
import { allocateData } from "./tensor-data.ts";

/** A tensor with its elements. Only a dynamic one may be resized. */
export class TensorSlot implements OutputView {
  readonly name: string;
  readonly dtype: DType;
  readonly shapeSignature?: Shape;
  readonly quantization?: Quantization;
  readonly isConstant: boolean;
  readonly isVariable: boolean;
  readonly #dynamic: boolean;
  #shape: Shape;
  #data: TensorData;

  constructor(info: TensorInfo, data: TensorData, dynamic = false) {
    this.name = info.name;
    this.dtype = info.dtype;
    if (info.shapeSignature !== undefined) this.shapeSignature = info.shapeSignature;
    if (info.quantization !== undefined) this.quantization = info.quantization;
    this.isConstant = info.isConstant;
    this.isVariable = info.isVariable;
    this.#shape = info.shape;
    this.#data = data;
    this.#dynamic = dynamic;
  }

  get shape(): Shape {
    return this.#shape;
  }

  get data(): TensorData {
    return this.#data;
  }

  /** @throws {ShapeError | LimitError} for a shape that cannot be. */
  resize(shape: Shape): TensorData {
    assert(this.#dynamic, `a kernel resized ${this.name}, whose shape it had declared`);
    this.#data = allocateData(JSON.stringify(this.name), this.dtype, shape);
    this.#shape = [...shape];
    return this.#data;
  }

  /** Sets a variable to what stands for zero. TensorFlow Lite looks at the zero point of int8 only. */
  clear(): void {
    const data = this.#data;
    if (data instanceof Int8Array) data.fill(this.quantization?.zeroPoint[0] ?? 0);
    else if (data instanceof BigInt64Array || data instanceof BigUint64Array) data.fill(0n);
    else if (!Array.isArray(data)) data.fill(0);
  }
}
