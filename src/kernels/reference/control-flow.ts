/**
 * Operators that run other subgraphs: IF, WHILE, CALL_ONCE, STABLEHLO_CASE, STABLEHLO_COMPOSITE. Where the shapes of the results do not
 * depend on what happens while running, they are known ahead, so that what follows keeps its planned memory.
 * TensorFlow Lite 2.21 kernels/if.cc, while.cc, call_once.cc, stablehlo_composite.cc.
 */
import { bytesOf } from "../../base/dtype.ts";
import { assert } from "../../base/errors.ts";
import { elementCount, type Shape, sameShape } from "../../base/shape.ts";
import type {
  CallableSubgraph,
  KernelNode,
  KernelRun,
  KernelTable,
  OutputView,
  TensorView,
} from "../kernel.ts";
import { optionsOf } from "../options.ts";
import { badValue, inputAt, requireOperands, requireType } from "../require.ts";
import { int32, present, uint8 } from "../views.ts";

/** Copies a value to an output, which takes its shape where it is not fixed. */
function deliver(node: KernelNode, value: TensorView, output: OutputView): void {
  const { data, dtype, shape } = value;
  if (dtype !== output.dtype) {
    throw badValue(node, `a ${dtype} result for ${JSON.stringify(output.name)}`, output.dtype);
  }
  const target = sameShape(shape, output.shape) ? output.data : output.resize(shape);
  if (Array.isArray(data)) {
    assert(Array.isArray(target), "string output");
    for (let i = 0; i < data.length; i++) target[i] = data[i];
  } else {
    assert(!Array.isArray(target), "numeric output");
    bytesOf(target).set(bytesOf(data));
  }
}

function deliverAll(
  node: KernelNode,
  values: readonly TensorView[],
  outputs: readonly OutputView[],
): void {
  for (const [at, output] of outputs.entries()) {
    const value = values[at];
    if (value === undefined) throw badValue(node, `${values.length} results`, `${outputs.length}`);
    deliver(node, value, output);
  }
}

/** The one boolean that an operand or a condition holds. */
function truth(node: KernelNode, view: TensorView | undefined): boolean {
  const { dtype, shape } = present(view);
  if (dtype !== "bool" || elementCount(shape) !== 1) {
    throw badValue(node, `a condition of ${dtype} [${shape.join(", ")}]`, "one bool");
  }
  return uint8(view)[0] !== 0;
}

/** Operands of a call, none of which may be absent. */
function argumentsFrom(inputs: Parameters<KernelRun>[0], first: number): TensorView[] {
  return inputs.slice(first).map((view) => present(view));
}

function shapesFrom(node: KernelNode, first: number): Shape[] {
  return node.inputs.slice(first).map((_, at) => inputAt(node, first + at).shape);
}

/** The shapes on which both agree. */
function commonShapes(
  a: readonly (Shape | undefined)[],
  b: readonly (Shape | undefined)[],
): (Shape | undefined)[] {
  return a.map((shape, at) => {
    const other = b[at];
    return shape !== undefined && other !== undefined && sameShape(shape, other)
      ? shape
      : undefined;
  });
}

function branchesOf(node: KernelNode): readonly number[] {
  return optionsOf(node, "StablehloCaseOptions").branch_subgraph_indices ?? [];
}

function runWhile(
  node: KernelNode,
  condition: CallableSubgraph,
  body: CallableSubgraph,
  inputs: Parameters<KernelRun>[0],
  outputs: readonly OutputView[],
): void {
  let values: readonly TensorView[] = argumentsFrom(inputs, 0);
  while (truth(node, condition.run(values)[0])) {
    values = body.run(values);
  }
  deliverAll(node, values, outputs);
}

export const CONTROL_FLOW: KernelTable = {
  IF: {
    stateful: true,
    check(node) {
      requireOperands(node, [1, Infinity], node.outputs.length);
      requireType(node, inputAt(node, 0), ["bool"], "condition");
      optionsOf(node, "IfOptions");
    },
    shapes(node, _, subgraph) {
      const { then_subgraph_index, else_subgraph_index } = optionsOf(node, "IfOptions");
      const shapes = shapesFrom(node, 1);
      return commonShapes(
        subgraph(then_subgraph_index).outputShapes(shapes),
        subgraph(else_subgraph_index).outputShapes(shapes),
      );
    },
    create(node, { subgraph }) {
      const { then_subgraph_index, else_subgraph_index } = optionsOf(node, "IfOptions");
      const whenTrue = subgraph(then_subgraph_index);
      const whenFalse = subgraph(else_subgraph_index);
      return (inputs, outputs) => {
        const branch = truth(node, inputs[0]) ? whenTrue : whenFalse;
        deliverAll(node, branch.run(argumentsFrom(inputs, 1)), outputs);
      };
    },
  },
  STABLEHLO_CASE: {
    stateful: true,
    check(node) {
      requireOperands(node, [1, Infinity], node.outputs.length);
      requireType(node, inputAt(node, 0), ["int32"], "branch");
      if (branchesOf(node).length === 0) throw badValue(node, "no branches", "one or more");
    },
    shapes(node, _, subgraph) {
      const shapes = shapesFrom(node, 1);
      return branchesOf(node)
        .map((branch) => subgraph(branch).outputShapes(shapes))
        .reduce(commonShapes);
    },
    create(node, { subgraph }) {
      const branches = branchesOf(node).map((branch) => subgraph(branch));
      const last = branches.length - 1;
      return (inputs, outputs) => {
        const index = present(inputs[0]);
        if (elementCount(index.shape) !== 1) {
          throw badValue(node, `a branch of shape [${index.shape.join(", ")}]`, "one int32");
        }
        // As StableHLO has it, the last branch stands for all other numbers.
        const [chosen] = int32(index);
        const branch = branches[chosen >= 0 && chosen < last ? chosen : last];
        deliverAll(node, branch.run(argumentsFrom(inputs, 1)), outputs);
      };
    },
  },
  WHILE: {
    stateful: true,
    check(node) {
      requireOperands(node, [1, Infinity], node.inputs.length);
      optionsOf(node, "WhileOptions");
    },
    shapes(node, _, subgraph) {
      const { cond_subgraph_index, body_subgraph_index } = optionsOf(node, "WhileOptions");
      const shapes = shapesFrom(node, 0);
      subgraph(cond_subgraph_index).outputShapes(shapes);
      const results = subgraph(body_subgraph_index).outputShapes(shapes);
      const stable = commonShapes(results, shapes);
      // One value whose shape changes from turn to turn may change the others later.
      return stable.includes(undefined) ? shapes.map(() => undefined) : stable;
    },
    create(node, { subgraph }) {
      const { cond_subgraph_index, body_subgraph_index } = optionsOf(node, "WhileOptions");
      const condition = subgraph(cond_subgraph_index);
      const body = subgraph(body_subgraph_index);
      return (inputs, outputs) => runWhile(node, condition, body, inputs, outputs);
    },
  },
  CALL_ONCE: {
    stateful: true,
    check(node) {
      requireOperands(node, [0, 0], 0);
      optionsOf(node, "CallOnceOptions");
    },
    shapes: () => [],
    create(node, { resources, subgraph }) {
      const { init_subgraph_index } = optionsOf(node, "CallOnceOptions");
      const handle = resources.handleOf("call", `${init_subgraph_index}`);
      return () => {
        if (resources.get(handle) !== undefined) return;
        subgraph(init_subgraph_index).run([]);
        resources.set(handle, true);
      };
    },
  },
  STABLEHLO_COMPOSITE: {
    stateful: true,
    check(node) {
      requireOperands(node, [0, Infinity], node.outputs.length);
      optionsOf(node, "StableHLOCompositeOptions");
    },
    shapes(node, _, subgraph) {
      const { decomposition_subgraph_index } = optionsOf(node, "StableHLOCompositeOptions");
      return subgraph(decomposition_subgraph_index).outputShapes(shapesFrom(node, 0));
    },
    create(node, { subgraph }) {
      const { decomposition_subgraph_index } = optionsOf(node, "StableHLOCompositeOptions");
      const decomposition = subgraph(decomposition_subgraph_index);
      return (inputs, outputs) => {
        deliverAll(node, decomposition.run(argumentsFrom(inputs, 0)), outputs);
      };
    },
  },
};
