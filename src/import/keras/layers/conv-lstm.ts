/** ConvLSTM (Shi et al., 2015, without peepholes): an LSTM whose products with input and state are convolutions. */
import { formatShape, type Shape, sameShape } from "../../../base/shape.ts";
import { addBias, type CellSource, type CellSpec, lstmStep } from "./cell.ts";
import { convolve, geometryOf, windowOf } from "./convolution.ts";
import { windowed } from "./shapes.ts";

/** A cell over steps of [batch, spatial…, channels]; ConvLSTM2D has two spatial dimensions. */
export function convLstmCell(source: CellSource, step: Shape): CellSpec {
  const { className, config, weights } = source;
  const rank = Number(/\d/.exec(className)?.[0]);
  const geometry = { ...geometryOf(config, rank), channelsFirst: false };
  const ones = geometry.kernel.map(() => 1);
  const inside = { ...geometry, strides: ones, dilations: ones, padding: "same" };
  const filters = config.count("filters");
  const spatial = geometry.kernel.map((_, i) => windowed(step[1 + i]!, windowOf(geometry, i)));
  const kernel = weights.get("kernel", 0);
  const recurrent = weights.get("recurrent_kernel", 1);
  const bias = config.flag("use_bias", true) ? weights.get("bias", 2) : undefined;
  const wanted = [...geometry.kernel, step.at(-1)!, 4 * filters];
  const wantedInside = [...geometry.kernel, filters, 4 * filters];
  if (step.length !== rank + 2)
    throw config.wrong(`steps of shape ${formatShape(step)}`, `${rank + 2} dimensions`);
  if (!sameShape(kernel.shape, wanted) || !sameShape(recurrent.shape, wantedInside)) {
    const found = [kernel, recurrent].map(({ shape }) => formatShape(shape)).join(" and ");
    throw config.wrong(`weights of shapes ${found}`, `${formatShape(wanted)} and the like`);
  }
  const next = lstmStep(source);
  return {
    outputShape: [...spatial, filters],
    stateCount: 2,
    cell: (pen, path, x, [h, c]) => {
      const weight = pen.constant(`${path}/kernel`, kernel);
      const weightInside = pen.constant(`${path}/recurrent_kernel`, recurrent);
      const fromInput = convolve(pen, `${path}/input`, x, weight, geometry);
      const biased = addBias(pen, `${path}/BiasAdd`, fromInput, bias);
      const fromState = convolve(pen, `${path}/state`, h!, weightInside, inside);
      return next(pen, path, pen.binary(`${path}/sum`, "AddV2", biased, fromState), c!);
    },
  };
}
