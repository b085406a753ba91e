import { describe, expect, it } from "vitest";
import { buildModel, type SubgraphSpec } from "../../test/model-builder.ts";
import { isOctavoError } from "../base/errors.ts";
import type { Shape } from "../base/shape.ts";
import { KernelCatalog } from "./kernel-catalog.ts";
import { loadModel } from "./load.ts";
import { type Plan, planSubgraph } from "./plan.ts";

/** Plans the main subgraph; operators computed once give zeros. */
async function planOf(
  spec: SubgraphSpec,
  inputShapes: Shape[],
  preserveAll = false,
): Promise<Plan> {
  const [graph] = await loadModel(buildModel([spec]), new KernelCatalog());
  return planSubgraph(graph!, {
    inputShapes,
    preserveAll,
    subgraph: () => {
      throw new Error("no other subgraph");
    },
    computeOnce: (_, node, __, shapes) =>
      node.outputs.map((output, at) => {
        const shape = shapes[at] ?? [];
        const count = shape.reduce((product, size) => product * size, 1);
        return { ...output, shape, isConstant: true, data: new Float32Array(count) };
      }),
  });
}

function chain(length: number): SubgraphSpec {
  const names = Array.from({ length: length + 1 }, (_, at) => `t${at}`);
  return {
    tensors: Object.fromEntries(names.map((name) => [name, { shape: [16] }])),
    operators: names.slice(1).map((name, at) => ({
      op: "NEG",
      inputs: [`t${at}`],
      outputs: [name],
    })),
    inputs: ["t0"],
    outputs: [`t${length}`],
  };
}

describe("planSubgraph", () => {
  it("lets activations that never meet share addresses", async () => {
    const plan = await planOf(chain(10), [[16]]);
    expect(plan.steps).toHaveLength(10);
    // The input stays through the run; two slots take turns for the rest, the output in one of them.
    expect(plan.arenaByteLength).toBe(3 * 64);
    expect((await planOf(chain(10), [[16]], true)).arenaByteLength).toBe(11 * 64);
  });

  it("takes shapes from the inputs, not from the file", async () => {
    const plan = await planOf(chain(2), [[3, 5]]);
    expect(plan.tensors.map(({ shape }) => shape)).toEqual([
      [3, 5],
      [3, 5],
      [3, 5],
    ]);
  });

  it("computes once what hangs on constants and on shapes only", async () => {
    const plan = await planOf(
      {
        tensors: {
          x: { shape: [2, 2] },
          c: { shape: [2, 2], data: new Float32Array(4) },
          negative: { shape: [2, 2] },
          sizes: { shape: [2], dtype: "int32" },
          y: { shape: [2, 2] },
        },
        operators: [
          { op: "NEG", inputs: ["c"], outputs: ["negative"] },
          { op: "SHAPE", inputs: ["x"], outputs: ["sizes"] },
          { op: "ADD", inputs: ["x", "negative"], outputs: ["y"] },
        ],
        inputs: ["x"],
        outputs: ["y"],
      },
      [[2, 2]],
    );
    expect(plan.steps).toEqual([{ operator: 2, dynamic: false }]);
    expect(plan.placements.map(({ kind }) => kind)).toEqual([
      "arena",
      "known",
      "known",
      "known",
      "arena",
    ]);
  });

  it("leaves open what hangs on shapes that only a run can tell", async () => {
    const plan = await planOf(
      {
        tensors: {
          x: { shape: [4] },
          shape: { shape: [2], dtype: "int32" },
          reshaped: { shape: [2, 2] },
          y: { shape: [2, 2] },
          z: { shape: [4] },
        },
        operators: [
          { op: "RESHAPE", inputs: ["x", "shape"], outputs: ["reshaped"] },
          { op: "NEG", inputs: ["reshaped"], outputs: ["y"] },
          { op: "NEG", inputs: ["x"], outputs: ["z"] },
        ],
        inputs: ["x", "shape"],
        outputs: ["y", "z"],
      },
      [[4], [2]],
    );
    expect(plan.steps.map(({ dynamic }) => dynamic)).toEqual([true, true, false]);
    expect(plan.placements[3]?.kind).toBe("dynamic");
  });

  it("refuses operands that nothing sets, and sizes beyond any memory", async () => {
    const [first] = chain(1).operators;
    const dangling = { ...chain(1), operators: [{ ...first!, inputs: ["t1"] }], outputs: ["t0"] };
    const error = await planOf(dangling, [[16]]).catch((caught: unknown) => caught);
    expect(isOctavoError(error, "GraphError")).toBe(true);
    const huge = await planOf(chain(1), [[2 ** 16, 2 ** 16]]).catch((caught: unknown) => caught);
    expect(isOctavoError(huge, "LimitError")).toBe(true);
  });
});
