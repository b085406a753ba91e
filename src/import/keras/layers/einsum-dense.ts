/** EinsumDense: a contraction that an equation describes, and a bias. */
import { applyActivation } from "../activations.ts";
import { inputOf, type LayerCall, type Translate, unsupported } from "../layer.ts";

export const einsumDense: Translate = (call) => {
  const { config, writer, path, weights } = call;
  const x = inputOf(call);
  const kernel = writer.constant(`${path}/kernel`, weights.get("kernel", 0));
  const equation = spelledOut(call, x.shape.length);
  const labels = equation.split(/,|->/);
  if ([x, kernel].some(({ shape }, i) => labels[i]?.length !== shape.length))
    throw config.wrong(`equation ${equation}`, "one that fits");
  let y = writer.einsum(`${path}/Einsum`, equation, [x, kernel]);
  if (config.has("bias_axes")) {
    const bias = writer.constant(`${path}/bias`, weights.get("bias", 1));
    y = writer.binary(`${path}/add`, "AddV2", y, bias);
  }
  return applyActivation(writer, path, y, config, "activation", call.kerasVersion);
};

/** "...x,xy->...y" with letters in place of the dots: as many as the input has dimensions. */
function spelledOut({ config }: LayerCall, rank: number): string {
  const equation = config.text("equation").replace(/\s/g, "");
  if (!/^[a-zA-Z.]+,[a-zA-Z]+->[a-zA-Z.]+$/.test(equation)) {
    throw unsupported(config, `EinsumDense with the equation ${equation}`);
  }
  const [left = ""] = equation.split(",");
  const missing = rank - left.replace("...", "").length;
  const free = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"].filter((label) => !equation.includes(label));
  if (missing < 0 || missing > free.length)
    throw config.wrong(`equation ${equation}`, "one that fits");
  const spelled = equation.replaceAll("...", free.slice(0, missing).join(""));
  if (spelled.includes(".")) throw config.wrong(`equation ${equation}`, "letters and ...");
  return spelled;
}
