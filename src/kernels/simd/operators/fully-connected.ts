/**
 * FULLY_CONNECTED over linear memory; hybrid rows are quantized one by one, each with a scale of its own. A row of odd
 * length is followed by whatever was there: its weight is 0.
 */
import { optionsOf } from "../../options.ts";
import { clampRange } from "../../reference/activation.ts";
import { isAsymmetric, productGeometry } from "../../reference/fully-connected.ts";
import { inputAt } from "../../require.ts";
import { addressOf, type FastKernel, Region } from "../fast-kernel.ts";
import { gemmSteps } from "../gemm/pack.ts";
import { bindQuantizer, quantizerFunctions } from "./activation-quantizer.ts";
import {
  bindMultiply,
  chooseGemm,
  gemmFunction,
  layProduct,
  productWeights,
  storeProduct,
} from "./product.ts";

export const fastFullyConnected: FastKernel = ({ node, known, features }) => {
  const { rows, depth, units } = productGeometry(node);
  const options = optionsOf(node, "FullyConnectedOptions");
  if (inputAt(node, 0).dtype !== "float32" || rows === 0) return undefined;
  const weights = productWeights(node, known, units, depth);
  if (weights === undefined) return undefined;
  const variant = chooseGemm(weights.data, rows, features.relaxed);
  const isHybrid = variant.data === "qd8";
  const rowBytes = gemmSteps(variant.data, depth) * 4;
  const clamp = clampRange(node, options.fused_activation_function);
  const persistent = new Region();
  layProduct(persistent, variant, units, depth);
  const layScratch = (region: Region) => ({
    range: region.take(8),
    rowScales: region.take(isHybrid ? rows * 4 : 0),
    quantized: region.take(isHybrid ? rows * rowBytes : 0),
  });
  const scratch = new Region();
  layScratch(scratch);
  return {
    variant: variant.name,
    functions: [gemmFunction(variant), ...(isHybrid ? quantizerFunctions("int16") : [])],
    persistentBytes: persistent.byteLength,
    scratchBytes: scratch.byteLength,
    bind(place) {
      const layout = layProduct(new Region(place.persistent), variant, units, depth);
      storeProduct(place.memory, node, variant, weights, layout);
      const at = layScratch(new Region(place.scratch));
      const multiply = bindMultiply(place, variant, weights, layout, clamp);
      if (!isHybrid) {
        return ([input], [output]) => {
          multiply(addressOf(input), rowBytes, rows, addressOf(output), 0, 0);
        };
      }
      const quantize = bindQuantizer(place, "int16", isAsymmetric(node, options), at.range);
      const scales = new Float32Array(place.memory.buffer, at.rowScales, rows);
      return ([input], [output]) => {
        for (let row = 0; row < rows; row++) {
          const target = at.quantized + row * rowBytes;
          scales[row] = quantize(addressOf(input) + row * depth * 4, depth, target);
        }
        multiply(at.quantized, rowBytes, rows, addressOf(output), at.rowScales, 4);
      };
    },
  };
};
