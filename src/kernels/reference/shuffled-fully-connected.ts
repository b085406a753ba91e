/**
 * FULLY_CONNECTED with weights in the SHUFFLED4x16INT8 format: bytes with their sign bits flipped, in tiles of 4 units by
 * 16 inputs, tile after tile along the inputs. uint8 activations (zero point 128) of 1 or 4 rows to int16; the second
 * result is the activations in the order of the tiles, sign bits flipped too. TensorFlow Lite 2.21
 * kernels/fully_connected.cc, internal/reference/fully_connected.h (ShuffledFullyConnected).
 */
import type { Kernel, KernelNode, TensorInfo } from "../kernel.ts";
import { optionsOf } from "../options.ts";
import {
  inputAt,
  misshapen,
  outputAt,
  perTensorQuantization,
  requireOperands,
  requireRank,
  requireType,
  unsupported,
} from "../require.ts";
import { int16, int32, uint8 } from "../views.ts";
import { integerStage } from "./output-stage.ts";

const UNITS = 4;
const INPUTS = 16;
const ZERO_POINT = 128;

interface Sizes {
  readonly rows: number;
  readonly depth: number;
  readonly units: number;
}

function sizesOf(node: KernelNode): Sizes {
  const { shape } = inputAt(node, 1);
  requireRank(node, shape, [2, 2], "filter");
  const [units, depth] = shape;
  if (units % UNITS !== 0 || depth % INPUTS !== 0 || depth === 0) {
    throw misshapen(node, `a shuffled filter [${units}, ${depth}]`, "multiples of 4 and 16");
  }
  const elements = inputAt(node, 0).shape.reduce((product, size) => product * size, 1);
  const rows = elements / depth;
  if (rows !== 1 && rows !== 4) throw misshapen(node, `${rows} rows`, "1 or 4");
  const bias = inputAt(node, 2).shape;
  if (bias.length !== 1 || bias[0] !== units) throw misshapen(node, "bias", `[${units}]`);
  return { rows, depth, units };
}

function requireMiddle(node: KernelNode, operand: TensorInfo, role: string): void {
  const { zeroPoint } = perTensorQuantization(node, operand, role);
  if (zeroPoint !== ZERO_POINT) throw unsupported(node, `with ${role} zero point ${zeroPoint}`);
}

/** Flips the sign bits of `rows` rows and lays them out tile by tile: 16 elements of each row, then the next 16. */
function shuffleRows(input: Uint8Array, rows: number, depth: number, shuffled: Uint8Array): void {
  let at = 0;
  for (let k = 0; k < depth; k += INPUTS) {
    for (let row = 0; row < rows; row++) {
      for (let j = 0; j < INPUTS; j++) shuffled[at++] = input[row * depth + k + j] ^ 0x80;
    }
  }
}

export const SHUFFLED_FULLY_CONNECTED: Kernel = {
  check(node) {
    requireOperands(node, [3, 3], 2);
    const [input, filter] = [inputAt(node, 0), inputAt(node, 1)];
    requireType(node, input, ["uint8"], "input");
    requireType(node, filter, ["uint8"], "filter");
    requireType(node, inputAt(node, 2), ["int32"], "bias");
    requireType(node, outputAt(node, 0), ["int16"], "output");
    requireType(node, outputAt(node, 1), ["uint8"], "workspace");
    requireMiddle(node, input, "input");
    requireMiddle(node, filter, "filter");
    const { fused_activation_function } = optionsOf(node, "FullyConnectedOptions");
    if (fused_activation_function !== "NONE") {
      throw unsupported(node, `with shuffled weights and ${fused_activation_function}`);
    }
  },
  shapes(node) {
    const { rows, depth, units } = sizesOf(node);
    return [
      [rows, units],
      [rows, depth],
    ];
  },
  create(node) {
    const { rows, depth, units } = sizesOf(node);
    const stageOf = integerStage(node, "NONE", {
      input: inputAt(node, 0),
      filter: inputAt(node, 1),
      output: outputAt(node, 0),
      channels: units,
      precision: "per-tensor",
      law: "ties-away",
    });
    const sums = new Float64Array(UNITS);
    return ([input, filter, bias], [out, workspace]) => {
      const shuffled = uint8(workspace);
      shuffleRows(uint8(input), rows, depth, shuffled);
      const [x, weights] = [new Int8Array(shuffled), new Int8Array(uint8(filter))];
      const stage = stageOf(Float64Array.from(int32(bias)));
      for (let unit = 0; unit < units; unit += UNITS) {
        for (let row = 0; row < rows; row++) {
          for (let u = 0; u < UNITS; u++) sums[u] = tileDot(x, rows, row, weights, unit, u, depth);
          stage(sums, UNITS, unit, int16(out), row * units + unit);
        }
      }
    };
  },
};

/** Σ_k x[row, k]·w[unit + u, k], both in the order of tiles. */
function tileDot(
  x: Int8Array,
  rows: number,
  row: number,
  weights: Int8Array,
  unit: number,
  u: number,
  depth: number,
): number {
  let sum = 0;
  for (let k = 0; k < depth; k += INPUTS) {
    const xAt = k * rows + row * INPUTS;
    const wAt = unit * depth + k * UNITS + u * INPUTS;
    for (let j = 0; j < INPUTS; j++) sum += x[xAt + j] * weights[wAt + j];
  }
  return sum;
}
