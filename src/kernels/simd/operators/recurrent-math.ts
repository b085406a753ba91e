/**
 * The arithmetic of recurrent steps on packed weights: one-row products that add to a gate, and activations four floats
 * at a time. States and gates stay where the reference has them; rows are copied into the linear memory and back, which
 * is little beside a product. Steps with quantized vectors round activations as the reference does, because the last bit
 * of a state decides how it is quantized.
 */
import { assert } from "../../../base/errors.ts";
import type { TensorView } from "../../kernel.ts";
import {
  type RecurrentMath,
  type VectorBatch,
  type WeightMatrix,
  weightMatrix,
} from "../../reference/recurrent-product.ts";
import { applyInPlace, type ScalarFunction, sigmoid } from "../../reference/vector-activation.ts";
import {
  emitUnary,
  type UnaryFunction,
  type UnaryOp,
  unaryName,
} from "../elementwise/emit-unary.ts";
import type { EmittedFunction, FastFeatures, FastPlace } from "../fast-kernel.ts";
import { Region } from "../fast-kernel.ts";
import { emitGemm } from "../gemm/emit-gemm.ts";
import { gemmSteps, packedByteLength, packFloat, packGroups, stepGroup } from "../gemm/pack.ts";
import { tileCalls } from "../gemm/tile-calls.ts";
import { type GemmVariant, gemmVariants } from "../gemm/variants.ts";
import { PASS_SCRATCH_BYTES, quantizingPass, type RunPass } from "./activation-pass.ts";

const NR = 16;

/** A matrix of weights and how it is packed. */
export interface PackedMatrix {
  readonly matrix: WeightMatrix;
  readonly variant: GemmVariant;
}

/** How a matrix is packed: in panels for one row at a time. */
export function packedMatrix(view: TensorView, { relaxed }: FastFeatures): PackedMatrix {
  const matrix = weightMatrix(view);
  const isFloat = matrix.scale === undefined;
  const variants = gemmVariants(isFloat ? "f32" : "qd8", isFloat && relaxed ? "relaxed" : "simd");
  const variant = variants.find(({ mr, nr }) => mr === 1 && nr === NR);
  assert(variant !== undefined, "a tile of one row");
  return { matrix, variant };
}

/** Functions that products with `matrices` and activations call. */
export function recurrentFunctions(
  matrices: readonly PackedMatrix[],
  asymmetric: boolean,
): EmittedFunction[] {
  return [
    ...matrices.map(({ variant }) => ({
      name: variant.name,
      emit: (module: Parameters<EmittedFunction["emit"]>[0]) => emitGemm(module, variant),
    })),
    ...quantizingPass("int16", asymmetric).functions,
    ...(["logistic", "tanh", "precise-logistic", "precise-tanh"] as const).map((op) => ({
      name: unaryName(op),
      emit: (module: Parameters<EmittedFunction["emit"]>[0]) => emitUnary(module, op),
    })),
  ];
}

/** Bytes of packed weights, and of their scales where they have some. */
export function layMatrices(region: Region, matrices: readonly PackedMatrix[]): PlacedMatrix[] {
  return matrices.map(({ matrix, variant }) => ({
    matrix,
    variant,
    weights: region.take(packedByteLength(variant, matrix.units, matrix.depth)),
    scales: matrix.scale === undefined ? 0 : region.take(paddedUnits(matrix) * 4),
  }));
}

export interface PlacedMatrix extends PackedMatrix {
  readonly weights: number;
  readonly scales: number;
}

function paddedUnits({ units }: WeightMatrix): number {
  return Math.ceil(units / NR) * NR;
}

/** Writes packed weights and scales to their places. */
export function storeMatrix(buffer: ArrayBufferLike, placed: PlacedMatrix): void {
  const { matrix, variant, weights, scales } = placed;
  const { values, units, depth, scale } = matrix;
  const byteLength = packedByteLength(variant, units, depth);
  if (values instanceof Float32Array) {
    packFloat(values, units, depth, NR, new Float32Array(buffer, weights, byteLength / 4));
  } else {
    const shape = { nr: NR, group: stepGroup(variant) };
    packGroups(values, units, depth, shape, new Int8Array(buffer, weights, byteLength));
  }
  if (scale !== undefined) new Float32Array(buffer, scales, units).fill(scale);
}

/** Where one batch of vectors lies: floats and, row by row, int16 of q − zero point, each row as long as `stride`. */
interface VectorPlace {
  readonly rows: number;
  readonly quantized: number;
  readonly stride: number;
  readonly scales: number;
}

/** What all products and activations of one operator share. */
interface SharedPlace {
  readonly pass: number;
  /** A row of a gate. */
  readonly gate: number;
  /** Floats that a row of a gate has room for. */
  readonly gateLength: number;
}

/** Hands out the scratch of one operator. */
export class RecurrentScratch {
  readonly shared: SharedPlace;
  readonly #region: Region;

  constructor(matrices: readonly PackedMatrix[], start = 0) {
    this.#region = new Region(start);
    const gateLength = Math.max(...matrices.map(({ matrix }) => paddedUnits(matrix)));
    this.shared = {
      pass: this.#region.take(PASS_SCRATCH_BYTES),
      gate: this.#region.take(gateLength * 4),
      gateLength,
    };
  }

  vectors(batch: number, depth: number): VectorPlace {
    const stride = gemmSteps({ data: "qd8", isa: "simd" }, depth) * 4;
    return {
      rows: this.#region.take(batch * depth * 4),
      quantized: this.#region.take(batch * stride),
      stride,
      scales: this.#region.take(batch * 4),
    };
  }

  get byteLength(): number {
    return this.#region.byteLength;
  }
}

/** Only measures: what is made with it cannot compute. */
export function measuringMath(scratch: RecurrentScratch): RecurrentMath {
  const absent = () => assert(false, "a measurement does not compute");
  return {
    vectors(batch, depth) {
      scratch.vectors(batch, depth);
      return { load: absent, addProduct: absent };
    },
    apply: absent,
  };
}

const EMITTED = new Map<ScalarFunction, { readonly float: UnaryOp; readonly hybrid: UnaryOp }>([
  [sigmoid, { float: "logistic", hybrid: "precise-logistic" }],
  [Math.tanh, { float: "tanh", hybrid: "precise-tanh" }],
]);

/** Recurrent arithmetic on `matrices`, which are stored. */
export function emittedMath(
  place: FastPlace,
  scratch: RecurrentScratch,
  matrices: readonly PlacedMatrix[],
): RecurrentMath {
  const { buffer } = place.memory;
  const { gate, gateLength } = scratch.shared;
  const row = new Float32Array(buffer, gate, gateLength);
  const isFloat = matrices.every(({ matrix }) => matrix.scale === undefined);
  return {
    vectors(batch, depth, asymmetric) {
      const at = scratch.vectors(batch, depth);
      const pass = quantizingPass("int16", asymmetric).bind(place, scratch.shared.pass);
      return new EmittedVectors({ place, matrices, row, at, batch, depth, pass });
    },
    apply(values, f) {
      const op = EMITTED.get(f)?.[isFloat ? "float" : "hybrid"];
      if (op === undefined) {
        applyInPlace(values, f);
        return;
      }
      const run = place.call<UnaryFunction>(unaryName(op));
      for (let start = 0; start < values.length; start += gateLength) {
        const part = values.subarray(start, start + gateLength);
        row.set(part);
        run(gate, part.length, gate, 0, 0);
        part.set(row.subarray(0, part.length));
      }
    },
  };
}

interface VectorParts {
  readonly place: FastPlace;
  readonly matrices: readonly PlacedMatrix[];
  /** A row of a gate in the linear memory. */
  readonly row: Float32Array;
  readonly at: VectorPlace;
  readonly batch: number;
  readonly depth: number;
  readonly pass: RunPass;
}

class EmittedVectors implements VectorBatch {
  readonly #parts: VectorParts;
  readonly #rows: Float32Array;
  readonly #scales: Float32Array;
  #isQuantized = false;

  constructor(parts: VectorParts) {
    const { place, at, batch, depth } = parts;
    this.#parts = parts;
    this.#rows = new Float32Array(place.memory.buffer, at.rows, batch * depth);
    this.#scales = new Float32Array(place.memory.buffer, at.scales, batch);
  }

  load(source: Float32Array): void {
    this.#rows.set(source);
    this.#isQuantized = false;
  }

  addProduct({ source, units }: WeightMatrix, gate: Float32Array): void {
    const { matrices, row, batch } = this.#parts;
    const placed = matrices.find(({ matrix }) => matrix.source === source);
    assert(placed !== undefined, "a matrix that was packed");
    if (placed.scales !== 0) this.#quantize();
    for (let b = 0; b < batch; b++) {
      const part = gate.subarray(b * units, (b + 1) * units);
      row.set(part);
      this.#multiply(placed, b);
      part.set(row.subarray(0, units));
    }
  }

  /** Adds the product of vector `b` to the row of a gate. Each call reads its columns of the row before it writes them. */
  #multiply({ matrix, variant, weights, scales }: PlacedMatrix, b: number): void {
    const { place, row, at, depth } = this.#parts;
    const { units } = matrix;
    const isHybrid = scales !== 0;
    const a = isHybrid ? at.quantized + b * at.stride : at.rows + b * depth * 4;
    const gate = row.byteOffset;
    const { threads } = place;
    const product = { variant, a, aStride: 0, rows: 1, k: depth, n: units, weights };
    const calls = tileCalls({ ...product, out: gate, elementBytes: 4, threads }, (_, column) => {
      const out = gate + column * 4;
      const stage = isHybrid ? [scales + column * 4, at.scales + b * 4, 0, out] : [out];
      return [...stage, -Infinity, Infinity];
    });
    place.callAll(variant.name, calls, units * depth);
  }

  #quantize(): void {
    if (this.#isQuantized) return;
    const { at, batch, depth, pass } = this.#parts;
    for (let b = 0; b < batch; b++) {
      this.#scales[b] = pass(at.rows + b * depth * 4, depth, at.quantized + b * at.stride).scale;
    }
    this.#isQuantized = true;
  }
}
