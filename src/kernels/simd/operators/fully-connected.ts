/**
 * FULLY_CONNECTED over linear memory; rows of hybrid products are quantized one by one, each with a scale of its own. A
 * row that does not fill its last step is followed by whatever was there: its weight is 0.
 */
import { optionsOf } from "../../options.ts";
import { clampRange } from "../../reference/activation.ts";
import { isAsymmetric, productGeometry } from "../../reference/fully-connected.ts";
import { finiteRange } from "../../reference/output-stage.ts";
import { inputAt } from "../../require.ts";
import { addressOf, type FastKernel, Region } from "../fast-kernel.ts";
import { PASS_SCRATCH_BYTES } from "./activation-pass.ts";
import { fastFreeFullyConnected, hasFreeWeights } from "./free-fully-connected.ts";
import { planProduct } from "./product.ts";
import { fastWideFullyConnected } from "./wide-fully-connected.ts";

export const fastFullyConnected: FastKernel = (request) => {
  if (inputAt(request.node, 0).dtype === "int16") return fastWideFullyConnected(request);
  return hasFreeWeights(request) ? fastFreeFullyConnected(request) : planPacked(request);
};

/** Layers whose weights are packed. */
const planPacked: FastKernel = (request) => {
  const { node } = request;
  const { rows, depth, units } = productGeometry(node);
  const options = optionsOf(node, "FullyConnectedOptions");
  if (options.weights_format !== "DEFAULT") return undefined;
  const isPerChannel = (inputAt(node, 1).quantization?.scale.length ?? 0) > 1;
  const product = planProduct(request, {
    rows,
    n: units,
    k: depth,
    activation: options.fused_activation_function,
    // With float weights sums that overflow stop at the largest float, with int8 weights they do not.
    floatRange: inputAt(node, 1).dtype === "float32" ? finiteRange : clampRange,
    asymmetric: isAsymmetric(node, options),
    oneScale: false,
    precision: isPerChannel ? "per-channel" : "per-tensor",
  });
  if (product === undefined || rows === 0) return undefined;
  const { rowBytes, elementBytes } = product;
  const lay = (region: Region) => ({
    pass: region.take(PASS_SCRATCH_BYTES),
    scales: region.take(rows * 4),
    zeroPoints: region.take(rows * 4),
    prepared: region.take(product.pass === undefined ? 0 : rows * rowBytes),
  });
  const scratch = new Region();
  lay(scratch);
  return {
    variant: product.variant.name,
    functions: product.functions,
    persistentBytes: product.persistentBytes,
    scratchBytes: scratch.byteLength,
    bind(place) {
      const at = lay(new Region(place.scratch));
      const multiply = product.bind(place, { ...at, stride: 4 });
      const pass = product.pass?.bind(place, at.pass);
      if (pass === undefined) {
        return ([input], [output]) => multiply(addressOf(input), rowBytes, rows, addressOf(output));
      }
      const passRows = product.pass?.bindRows?.(place);
      if (passRows !== undefined) {
        return ([input], [output]) => {
          const { prepared, scales, zeroPoints } = at;
          passRows(addressOf(input), depth, prepared, rowBytes, rows, scales, zeroPoints, at.pass);
          multiply(prepared, rowBytes, rows, addressOf(output));
        };
      }
      const scales = new Float32Array(place.memory.buffer, at.scales, rows);
      const zeroPoints = new Int32Array(place.memory.buffer, at.zeroPoints, rows);
      return ([input], [output]) => {
        for (let row = 0; row < rows; row++) {
          const source = addressOf(input) + row * depth * elementBytes;
          const prepared = pass(source, depth, at.prepared + row * rowBytes);
          scales[row] = prepared.scale;
          zeroPoints[row] = prepared.zeroPoint;
        }
        multiply(at.prepared, rowBytes, rows, addressOf(output));
      };
    },
  };
};
