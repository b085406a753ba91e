/** Layers of several inputs. */
import { type LayerCall, type Translate, unsupported } from "../layer.ts";
import { flag, type Symbolic } from "../node-writer.ts";
import { l2Normalize } from "./normalization.ts";

function several({ inputs, args: [list], config }: LayerCall): readonly Symbolic[] {
  if (list?.kind === "list" && list.items.length !== inputs.length)
    throw unsupported(config, "a constant among the inputs of a layer");
  if (inputs.length >= 2) return inputs;
  throw config.wrong(`${inputs.length} inputs`, "two or more");
}

/** Combines the inputs one after the other. */
export const chain =
  (op: string): Translate =>
  (call) =>
    several(call).reduce((sum, input) => call.writer.binary(`${call.path}/${op}`, op, sum, input));

export const subtract: Translate = (call) => {
  const [a, b, ...rest] = several(call);
  if (rest.length > 0) throw call.config.wrong(`${rest.length + 2} inputs`, "two");
  return call.writer.binary(`${call.path}/sub`, "Sub", a!, b!);
};

/** Of Inception-ResNet: a + scale · b. */
export const customScale: Translate = (call) => {
  const { writer, path, config } = call;
  const [a, b, ...rest] = several(call);
  if (rest.length > 0) throw config.wrong(`${rest.length + 2} inputs`, "two");
  const scale = writer.float(`${path}/scale`, config.number("scale"));
  return writer.binary(`${path}/add`, "AddV2", a!, writer.binary(`${path}/mul`, "Mul", b!, scale));
};

export const average: Translate = (call) => {
  const { writer, path } = call;
  const inputs = several(call);
  const sum = inputs.reduce((total, input) => writer.binary(`${path}/add`, "AddV2", total, input));
  return writer.binary(
    `${path}/truediv`,
    "RealDiv",
    sum,
    writer.float(`${path}/count`, inputs.length),
  );
};

export const concatenate: Translate = (call) =>
  concat(call, several(call), call.config.number("axis", -1));

export function concat(
  { writer, path }: LayerCall,
  inputs: readonly Symbolic[],
  axis: number,
): Symbolic {
  const first = inputs[0]!;
  const own = axis < 0 ? axis + first.shape.length : axis;
  const total = inputs.reduce(
    (sum, { shape }) => (sum < 0 || shape[own]! < 0 ? -1 : sum + shape[own]!),
    0,
  );
  const shape = first.shape.map((size, i) => (i === own ? total : size));
  const dim = writer.ints(`${path}/concat/axis`, own);
  return writer.emit(`${path}/concat`, "ConcatV2", [...inputs, dim], { shape });
}

/** Contraction of one axis of each input; vectors and matrices beside the batch. */
export const dot: Translate = (call) => {
  const { config, writer, path } = call;
  let [a, b] = several(call) as [Symbolic, Symbolic];
  const axes = config.get("axes");
  const [axisA, axisB] = (Array.isArray(axes) ? axes : [axes, axes]) as [number, number];
  const own = (axis: number, { shape }: Symbolic) => (axis < 0 ? axis + shape.length : axis);
  if (config.flag("normalize", false)) {
    const epsilon = call.kerasVersion >= 3 ? 1e-7 : 1e-12;
    a = l2Normalize(call, `${path}/first`, a, [own(axisA, a)], epsilon);
    b = l2Normalize(call, `${path}/second`, b, [own(axisB, b)], epsilon);
  }
  if (a.shape.length === 2 && b.shape.length === 2) {
    const product = writer.binary(`${path}/mul`, "Mul", a, b);
    return writer.reduce(`${path}/Sum`, "Sum", product, [1], true);
  }
  if (a.shape.length !== 3 || b.shape.length !== 3) throw unsupported(config, "Dot of these ranks");
  const attrs = { adj_x: flag(own(axisA, a) === 1), adj_y: flag(own(axisB, b) === 2) };
  const rows = own(axisA, a) === 1 ? a.shape[2]! : a.shape[1]!;
  const columns = own(axisB, b) === 2 ? b.shape[1]! : b.shape[2]!;
  const shape = [a.shape[0]!, rows, columns];
  return writer.emit(`${path}/MatMul`, "BatchMatMulV2", [a, b], { shape }, attrs);
};
