/** Every TensorFlow source of the official cases, and real models, through the importers. */
import { readdirSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import type { Graph } from "../../src/graph/ir.ts";
import { verifyGraph } from "../../src/graph/verify.ts";
import { importGraphDef } from "../../src/import/graph-def.ts";
import { importSavedModel } from "../../src/import/saved-model.ts";
import { fileTree } from "../../src/node/file-tree.ts";
import { describeWithShared, hasShared, sharedPath } from "../shared.ts";

interface Case {
  readonly source: { readonly kind: string; readonly path: string };
  readonly alt_sources?: readonly {
    readonly kind: string;
    readonly path: string;
    readonly inputs?: Readonly<Record<string, string>>;
    readonly outputs?: Readonly<Record<string, string>>;
  }[];
  readonly inputs: readonly { readonly name: string; readonly shape: readonly number[] }[];
  readonly variants: readonly {
    readonly mode: string;
    readonly io?: { readonly inputs: readonly Io[]; readonly outputs: readonly Io[] };
  }[];
}

interface Io {
  readonly name: string;
  readonly tensor: string;
  readonly dtype: string;
}

const OLD_CONTROL_FLOW =
  /^(Ref)?(Enter|Exit|Merge|Switch|NextIteration)$|^LoopCond$|^TensorArray.*V3$/;

function casesOf(family: string): [string, Case][] {
  if (!hasShared) return [];
  return readdirSync(sharedPath("goldens", family)).map((name) => {
    const text = readFileSync(sharedPath("goldens", family, name, "case.json"), "utf8");
    return [name, JSON.parse(text) as Case];
  });
}

/** Operations of a graph and its functions. Calls of functions that say what they compute are meant to stay. */
function* allOps(graph: Graph): Generator<string> {
  for (const { op, attrs } of graph.nodes) if (!attrs.has("api_implements")) yield op;
  for (const body of graph.functions.values()) yield* allOps(body);
}

/** What holds of every imported graph. */
function check(graph: Graph): void {
  verifyGraph(graph);
  const left = [...allOps(graph)].filter(
    (op) => OLD_CONTROL_FLOW.test(op) || op.endsWith("PartitionedCall"),
  );
  expect(left).toEqual([]);
}

/** Keys and tensor names, as the official converter wrote them. An output that is an input has the input's name there. */
function compareNames(graph: Graph, golden: Case): void {
  const io = golden.variants.find(({ mode }) => mode === "float")?.io;
  if (io === undefined) return;
  const ours = [...graph.inputs, ...graph.outputs].map(
    ({ key, tensorName }) => `${key} ${tensorName}`,
  );
  const given = new Set(io.inputs.map(({ tensor }) => tensor));
  if (io.outputs.some(({ tensor }) => given.has(tensor))) return;
  const theirs = [...io.inputs, ...io.outputs].map(({ name, tensor }) => `${name} ${tensor}`);
  expect(ours.sort()).toEqual(theirs.sort());
}

describeWithShared("official SavedModels", () => {
  it.each(["keras", "keras2", "ops", "tf1"])(
    "of family %s import, under the official names",
    async (family) => {
      let count = 0;
      for (const [name, golden] of casesOf(family)) {
        if (!golden.source.kind.includes("saved_model")) continue;
        const tree = fileTree(sharedPath("goldens", family, name, golden.source.path));
        const { graph } = await importSavedModel(tree);
        check(graph);
        try {
          compareNames(graph, golden);
        } catch (error) {
          throw new Error(`${family}/${name}`, { cause: error });
        }
        count++;
      }
      expect(count).toBeGreaterThan(5);
    },
  );
});

describeWithShared("official frozen graphs", () => {
  it("import with their inputs and outputs", () => {
    let count = 0;
    for (const [name, golden] of casesOf("tf1")) {
      for (const { kind, path, inputs = {}, outputs = {} } of golden.alt_sources ?? []) {
        if (kind !== "frozen_pb") continue;
        const bytes = new Uint8Array(readFileSync(sharedPath("goldens", "tf1", name, path)));
        const names = { inputs: Object.values(inputs), outputs: Object.values(outputs) };
        check(importGraphDef(bytes, names).graph);
        count++;
      }
    }
    expect(count).toBeGreaterThan(20);
  });
});

describeWithShared("real models", () => {
  it("a keyword spotter of TensorFlow 2 that the official converter cannot load", async () => {
    const { graph } = await importSavedModel(
      fileTree(sharedPath("models", "mlperf_tiny", "kws_dscnn_saved_model")),
    );
    check(graph);
    expect(graph.inputs).toMatchObject([{ key: "input_1", signatureShape: [-1, 49, 10, 1] }]);
    const count = (op: string) => graph.nodes.filter((node) => node.op === op).length;
    expect([count("Conv2D"), count("DepthwiseConv2dNative"), count("FusedBatchNormV3")]).toEqual([
      5, 4, 9,
    ]);
  });

  it("a TensorFlow 1 model whose training graph is still there", async () => {
    const tree = fileTree(sharedPath("models", "tf1_saved_model", "template_application_cancer"));
    const { graph } = await importSavedModel(tree);
    check(graph);
    expect(graph.outputs.map(({ key }) => key).sort()).toEqual(["keys", "prediction", "softmax"]);
    expect(graph.nodes.length).toBeLessThan(40);
  });

  it("frozen graphs whose inputs and outputs are guessed, audio front ends cut off", () => {
    const folder = sharedPath("models", "frozen_pb");
    const files = readdirSync(folder).filter((name) => name.endsWith(".pb"));
    expect(files.length).toBeGreaterThan(5);
    for (const file of files) {
      const bytes = new Uint8Array(readFileSync(`${folder}/${file}`));
      check(importGraphDef(bytes).graph);
      if (!file.startsWith("kws_")) continue;
      const { graph } = importGraphDef(bytes, {
        inputs: ["Mfcc"],
        inputShapes: [{ shape: [1, 49, 10] }],
      });
      check(graph);
      expect([...allOps(graph)]).not.toContain("DecodeWav");
    }
  });
});
