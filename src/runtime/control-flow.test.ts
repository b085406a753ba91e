import { describe, expect, it } from "vitest";
import { buildModel, optionsFor, type SubgraphSpec } from "../../test/model-builder.ts";
import { isOctavoError } from "../base/errors.ts";
import { Interpreter } from "./interpreter.ts";

const ONE = { shape: [1], data: Float32Array.of(1) };

/** r = a op b on float32[1]. */
function binary(op: "ADD" | "MUL" | "LESS", b: number): SubgraphSpec {
  return {
    tensors: {
      a: { shape: [1] },
      b: { shape: [1], data: Float32Array.of(b) },
      r: { shape: [1], ...(op === "LESS" ? { dtype: "bool" } : {}) },
    },
    operators: [{ op, inputs: ["a", "b"], outputs: ["r"] }],
    inputs: ["a"],
    outputs: ["r"],
  };
}

async function run(
  subgraphs: readonly SubgraphSpec[],
  inputs: Readonly<Record<string, Float32Array | Uint8Array | Int32Array>>,
): Promise<Interpreter> {
  const interpreter = await Interpreter.create(buildModel(subgraphs), { kernels: "reference" });
  for (const [name, data] of Object.entries(inputs)) interpreter.setTensor(name, data);
  await interpreter.invoke();
  return interpreter;
}

describe("control flow", () => {
  const branching: SubgraphSpec = {
    tensors: { c: { shape: [], dtype: "bool" }, x: { shape: [1] }, y: { shape: [1] } },
    operators: [
      {
        op: "IF",
        inputs: ["c", "x"],
        outputs: ["y"],
        options: optionsFor("IfOptions", { then_subgraph_index: 1, else_subgraph_index: 2 }),
      },
    ],
    inputs: ["c", "x"],
    outputs: ["y"],
  };

  it("takes the branch that the condition says", async () => {
    const graphs = [branching, binary("ADD", 10), binary("MUL", 10)];
    const x = Float32Array.of(3);
    expect((await run(graphs, { c: Uint8Array.of(1), x })).getTensor("y")).toEqual(
      Float32Array.of(13),
    );
    expect((await run(graphs, { c: Uint8Array.of(0), x })).getTensor("y")).toEqual(
      Float32Array.of(30),
    );
  });

  it("takes the branch of a number, and the last one for numbers without a branch", async () => {
    const choice: SubgraphSpec = {
      tensors: { i: { shape: [], dtype: "int32" }, x: { shape: [1] }, y: { shape: [1] } },
      operators: [
        {
          op: "STABLEHLO_CASE",
          inputs: ["i", "x"],
          outputs: ["y"],
          options2: {
            type: "StablehloCaseOptions",
            value: { branch_subgraph_indices: [2, 1, 3] },
          },
        },
      ],
      inputs: ["i", "x"],
      outputs: ["y"],
    };
    const graphs = [choice, binary("ADD", 10), binary("MUL", 10), binary("ADD", 1)];
    for (const [index, result] of [
      [0, 30],
      [1, 13],
      [2, 4],
      [3, 4],
      [-1, 4],
    ]) {
      const inputs = { i: Int32Array.of(index!), x: Float32Array.of(3) };
      expect((await run(graphs, inputs)).getTensor("y")).toEqual(Float32Array.of(result!));
    }
  });

  const loop: SubgraphSpec = {
    tensors: { x: { shape: [1] }, y: { shape: [1] } },
    operators: [
      {
        op: "WHILE",
        inputs: ["x"],
        outputs: ["y"],
        options: optionsFor("WhileOptions", { cond_subgraph_index: 1, body_subgraph_index: 2 }),
      },
    ],
    inputs: ["x"],
    outputs: ["y"],
  };

  it("starts no workers for loops whose bodies have nothing to share", async () => {
    let started = 0;
    const interpreter = await Interpreter.create(
      buildModel([loop, binary("LESS", 100), binary("MUL", 3)]),
      {
        kernels: "simd",
        threads: 4,
        workerHost: () => {
          started++;
          return { terminate: () => undefined };
        },
      },
    );
    interpreter.setTensor("x", Float32Array.of(1));
    await interpreter.invoke();
    expect(interpreter.getTensor("y")).toEqual(Float32Array.of(243));
    expect(started).toBe(0);
  });

  it("loops until the condition fails, and not at all where it fails at once", async () => {
    const graphs = [loop, binary("LESS", 100), binary("MUL", 3)];
    expect((await run(graphs, { x: Float32Array.of(1) })).getTensor("y")).toEqual(
      Float32Array.of(243),
    );
    expect((await run(graphs, { x: Float32Array.of(500) })).getTensor("y")).toEqual(
      Float32Array.of(500),
    );
  });

  it("hands values on that a body swaps", async () => {
    const fibonacci: SubgraphSpec = {
      tensors: { a: { shape: [1] }, b: { shape: [1] }, p: { shape: [1] }, q: { shape: [1] } },
      operators: [
        {
          op: "WHILE",
          inputs: ["a", "b"],
          outputs: ["p", "q"],
          options: optionsFor("WhileOptions", { cond_subgraph_index: 1, body_subgraph_index: 2 }),
        },
      ],
      inputs: ["a", "b"],
      outputs: ["p", "q"],
    };
    const condition: SubgraphSpec = {
      tensors: {
        a: { shape: [1] },
        b: { shape: [1] },
        limit: { shape: [1], data: Float32Array.of(50) },
        r: { shape: [1], dtype: "bool" },
      },
      operators: [{ op: "LESS", inputs: ["b", "limit"], outputs: ["r"] }],
      inputs: ["a", "b"],
      outputs: ["r"],
    };
    const body: SubgraphSpec = {
      tensors: { a: { shape: [1] }, b: { shape: [1] }, sum: { shape: [1] } },
      operators: [{ op: "ADD", inputs: ["a", "b"], outputs: ["sum"] }],
      inputs: ["a", "b"],
      outputs: ["b", "sum"],
    };
    const interpreter = await run([fibonacci, condition, body], {
      a: Float32Array.of(0),
      b: Float32Array.of(1),
    });
    expect([interpreter.getTensor("p"), interpreter.getTensor("q")]).toEqual([
      Float32Array.of(34),
      Float32Array.of(55),
    ]);
  });

  it("follows a value that grows from turn to turn", async () => {
    const pass = { a: { shape: [1, 1], signature: [-1, 1] } };
    const loop: SubgraphSpec = {
      tensors: { ...pass, y: { shape: [1, 1], signature: [-1, 1] } },
      operators: [
        {
          op: "WHILE",
          inputs: ["a"],
          outputs: ["y"],
          options: optionsFor("WhileOptions", { cond_subgraph_index: 1, body_subgraph_index: 2 }),
        },
      ],
      inputs: ["a"],
      outputs: ["y"],
    };
    const condition: SubgraphSpec = {
      tensors: {
        ...pass,
        axes: { shape: [2], dtype: "int32", data: Int32Array.of(0, 1) },
        sum: { shape: [] },
        limit: { shape: [], data: Float32Array.of(8) },
        r: { shape: [], dtype: "bool" },
      },
      operators: [
        { op: "SUM", inputs: ["a", "axes"], outputs: ["sum"] },
        { op: "LESS", inputs: ["sum", "limit"], outputs: ["r"] },
      ],
      inputs: ["a"],
      outputs: ["r"],
    };
    const body: SubgraphSpec = {
      tensors: { ...pass, doubled: { shape: [2, 1] } },
      operators: [
        {
          op: "CONCATENATION",
          inputs: ["a", "a"],
          outputs: ["doubled"],
          options: optionsFor("ConcatenationOptions", { axis: 0 }),
        },
      ],
      inputs: ["a"],
      outputs: ["doubled"],
    };
    const interpreter = await run([loop, condition, body], { a: Float32Array.of(1) });
    expect(interpreter.getOutputDetails()[0]?.shape).toEqual([8, 1]);
    expect(interpreter.getTensor("y")).toEqual(new Float32Array(8).fill(1));
  });

  it("refuses subgraphs that call themselves, and indices that the model does not have", async () => {
    for (const target of [0, 7]) {
      const options = optionsFor("IfOptions", {
        then_subgraph_index: target,
        else_subgraph_index: target,
      });
      const [operator] = branching.operators;
      const circular = { ...branching, operators: [{ ...operator!, options }] };
      const error = await Interpreter.create(buildModel([circular])).catch(
        (caught: unknown) => caught,
      );
      expect(isOctavoError(error, "GraphError")).toBe(true);
    }
  });
});

describe("state", () => {
  const handle = { shape: [], dtype: "resource" } as const;
  const VARIABLE = optionsFor("VarHandleOptions", { container: "", shared_name: "total" });

  /** total = 0 once; then total += x, and y = total. */
  const accumulator: SubgraphSpec = {
    tensors: { x: { shape: [1] }, v: handle, before: { shape: [1] }, y: { shape: [1] } },
    operators: [
      {
        op: "CALL_ONCE",
        inputs: [],
        outputs: [],
        options: optionsFor("CallOnceOptions", { init_subgraph_index: 1 }),
      },
      { op: "VAR_HANDLE", inputs: [], outputs: ["v"], options: VARIABLE },
      { op: "READ_VARIABLE", inputs: ["v"], outputs: ["before"] },
      { op: "ADD", inputs: ["before", "x"], outputs: ["y"] },
      { op: "ASSIGN_VARIABLE", inputs: ["v", "y"], outputs: [] },
    ],
    inputs: ["x"],
    outputs: ["y"],
  };
  const initializer: SubgraphSpec = {
    tensors: { v: handle, one: ONE },
    operators: [
      { op: "VAR_HANDLE", inputs: [], outputs: ["v"], options: VARIABLE },
      { op: "ASSIGN_VARIABLE", inputs: ["v", "one"], outputs: [] },
    ],
    inputs: [],
    outputs: [],
  };

  it("keeps resource variables from run to run, initialized once, until they are reset", async () => {
    const interpreter = await run([accumulator, initializer], { x: Float32Array.of(5) });
    expect(interpreter.getTensor("y")).toEqual(Float32Array.of(6));
    await interpreter.invoke();
    expect(interpreter.getTensor("y")).toEqual(Float32Array.of(11));
    interpreter.resetVariables();
    await interpreter.invoke();
    expect(interpreter.getTensor("y")).toEqual(Float32Array.of(6));
  });

  it("keeps variables in common for all signatures of a model", async () => {
    const reader: SubgraphSpec = {
      tensors: { v: handle, one: ONE, now: { shape: [1] }, y: { shape: [1] } },
      operators: [
        accumulator.operators[0]!,
        accumulator.operators[1]!,
        { op: "READ_VARIABLE", inputs: ["v"], outputs: ["now"] },
        { op: "MUL", inputs: ["now", "one"], outputs: ["y"] },
      ],
      inputs: [],
      outputs: ["y"],
    };
    const names = Object.keys(accumulator.tensors);
    const tensor = (name: string, list: string[]) => [{ name, tensorIndex: list.indexOf(name) }];
    const model = buildModel(
      [accumulator, initializer, reader],
      [
        { key: "add", subgraphIndex: 0, inputs: tensor("x", names), outputs: tensor("y", names) },
        { key: "read", subgraphIndex: 2, inputs: [], outputs: [{ name: "sum", tensorIndex: 3 }] },
      ],
    );
    const adding = await Interpreter.create(model, { signature: "add" });
    const reading = adding.getSignatureRunner("read");
    await reading.invoke();
    expect(reading.getTensor("sum")).toEqual(Float32Array.of(1));
    adding.setTensor("x", Float32Array.of(5));
    await adding.invoke();
    await reading.invoke();
    expect(reading.getTensor("sum")).toEqual(Float32Array.of(6));
    const unknown = () => adding.getSignatureRunner("none");
    expect(unknown).toThrow(/signature "none", expected one of add, read/);
    reading.dispose();
    expect(() => adding.getInputDetails()).toThrow(/a call after dispose\(\)/);
  });

  it("says that a variable is read before it has a value", async () => {
    const operators = accumulator.operators.slice(1);
    const interpreter = await Interpreter.create(buildModel([{ ...accumulator, operators }]));
    const error = await interpreter.invoke().catch((caught: unknown) => caught);
    expect(isOctavoError(error, "ExecutionError")).toBe(true);
  });

  it("zeroes variable tensors on reset", async () => {
    const rnn: SubgraphSpec = {
      tensors: {
        x: { shape: [1, 1] },
        w: { shape: [1, 1], data: Float32Array.of(1) },
        r: { shape: [1, 1], data: Float32Array.of(1) },
        b: { shape: [1], data: Float32Array.of(0) },
        h: { shape: [1, 1], variable: true },
        y: { shape: [1, 1] },
      },
      operators: [{ op: "RNN", inputs: ["x", "w", "r", "b", "h"], outputs: ["y"] }],
      inputs: ["x"],
      outputs: ["y"],
    };
    const interpreter = await run([rnn], { x: Float32Array.of(2) });
    await interpreter.invoke();
    expect(interpreter.getTensor("y")).toEqual(Float32Array.of(4));
    interpreter.resetVariables();
    await interpreter.invoke();
    expect(interpreter.getTensor("y")).toEqual(Float32Array.of(2));
  });

  it("looks keys up in hash tables, with a default for the missing", async () => {
    const TABLE = optionsFor("HashtableOptions", {
      table_id: 3,
      key_dtype: "INT64",
      value_dtype: "INT64",
    });
    const int64 = (...values: bigint[]) => ({
      shape: [values.length],
      dtype: "int64" as const,
      data: BigInt64Array.from(values),
    });
    const table: SubgraphSpec = {
      tensors: {
        t: { ...handle, shape: [1] },
        keys: int64(1n, 2n),
        values: int64(10n, 20n),
        wanted: int64(2n, 9n),
        missing: int64(-1n),
        found: { shape: [2], dtype: "int64" },
        size: { shape: [1], dtype: "int64" },
      },
      operators: [
        { op: "HASHTABLE", inputs: [], outputs: ["t"], options: TABLE },
        { op: "HASHTABLE_IMPORT", inputs: ["t", "keys", "values"], outputs: [] },
        { op: "HASHTABLE_FIND", inputs: ["t", "wanted", "missing"], outputs: ["found"] },
        { op: "HASHTABLE_SIZE", inputs: ["t"], outputs: ["size"] },
      ],
      inputs: [],
      outputs: ["found", "size"],
    };
    const interpreter = await run([table], {});
    expect(interpreter.getTensor("found")).toEqual(BigInt64Array.of(20n, -1n));
    expect(interpreter.getTensor("size")).toEqual(BigInt64Array.of(2n));
  });
});
