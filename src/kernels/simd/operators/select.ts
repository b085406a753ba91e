/** SELECT and SELECT_V2 on words of 32 bits over linear memory, where the condition has the shape of the output. */
import { bitsOf, bytesOf, type TypedArray } from "../../../base/dtype.ts";
import { elementCount } from "../../../base/shape.ts";
import { inputAt, outputAt } from "../../require.ts";
import { emitSelect, type SelectFunction, selectName } from "../elementwise/emit-select.ts";
import { elementSpans } from "../elementwise/spans.ts";
import { addressOf, type FastKernel, type FastKernelTable, Region } from "../fast-kernel.ts";

const fastSelect: FastKernel = ({ node, known }) => {
  const [condition, x, y] = [0, 1, 2].map((index) => elementCount(inputAt(node, index).shape));
  const count = elementCount(outputAt(node, 0).shape);
  const fits = [x, y].every((own) => own === count || own === 1);
  if (bitsOf(outputAt(node, 0).dtype) !== 32 || condition !== count || !fits) return undefined;
  const variant = { repeatsX: x === 1 && count > 1, repeatsY: y === 1 && count > 1 };
  const name = selectName(variant);
  const constants = [0, 1, 2].map((index) => known(index));
  const lay = (region: Region) =>
    constants.map((view) => view && region.take(bytesOf(view.data as TypedArray).length));
  const persistent = new Region();
  lay(persistent);
  return {
    variant: name,
    functions: [{ name, emit: (module) => emitSelect(module, variant) }],
    persistentBytes: persistent.byteLength,
    scratchBytes: 0,
    bind(place) {
      const addresses = lay(new Region(place.persistent));
      const heap = new Uint8Array(place.memory.buffer);
      for (const [index, address] of addresses.entries()) {
        if (address !== undefined) heap.set(bytesOf(constants[index]?.data as TypedArray), address);
      }
      const spans = elementSpans(count, place.threads);
      return (inputs, [output]) => {
        const [mask, a, b] = inputs.map((view, index) => addresses[index] ?? addressOf(view));
        const out = addressOf(output);
        const calls = spans.map(({ at, count: own }): Parameters<SelectFunction> => {
          const [fromA, fromB] = [variant.repeatsX ? 0 : 4 * at, variant.repeatsY ? 0 : 4 * at];
          return [mask + at, a + fromA, b + fromB, out + 4 * at, own];
        });
        place.callAll(name, calls);
      };
    },
  };
};

export const SELECT_KERNELS: FastKernelTable = { SELECT: fastSelect, SELECT_V2: fastSelect };
