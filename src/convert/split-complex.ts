/**
 * Arithmetic on complex numbers, which TensorFlow Lite does not have: it has RFFT2D, COMPLEX_ABS, REAL and IMAG. A graph
 * that needs more computes with real and imaginary parts, and Fourier transforms are products with matrices. Nodes whose
 * complex value itself is needed stay, and are reported when they are lowered.
 */
import type { Graph, GraphNode, TensorValue, ValueRef } from "../graph/ir.ts";
import { integersOf } from "./fold/values.ts";
import {
  complexTransform,
  inverseRealTransform,
  type Parts,
  realTransform,
  times,
} from "./fourier-products.ts";
import { type GraphBuilder, rebuild } from "./graph-builder.ts";
import { NodeWriter } from "./node-writer.ts";

/** Ops that make a graph need this. */
const NEEDS_PARTS: ReadonlySet<string> = new Set("Complex Conj Angle FFT IFFT IRFFT".split(" "));
/** Ops that make complex numbers from real ones. */
const MAKERS: ReadonlySet<string> = new Set(["Complex", "Cast", "RFFT"]);
/** Ops that do where their numbers are complex. */
const ARITHMETIC: ReadonlySet<string> = new Set("Add Sub Mul Div Neg Exp Square".split(" "));

/** Ops that move elements without looking at them; the first operand is complex, or with `all` each one. */
const MOVES: ReadonlyMap<string, "first" | "all"> = new Map([
  ["Identity", "first"],
  ["Reshape", "first"],
  ["Transpose", "first"],
  ["ExpandDims", "first"],
  ["Squeeze", "first"],
  ["Slice", "first"],
  ["StridedSlice", "first"],
  ["GatherV2", "first"],
  ["ReverseV2", "first"],
  ["Pad", "first"],
  ["Tile", "first"],
  ["Sum", "first"],
  ["Mean", "first"],
  ["ConcatV2", "all"],
  ["Pack", "all"],
]);

export function splitComplex(graph: Graph): Graph {
  const needsParts = graph.nodes.some(({ op, attrs }) => {
    const type = attrs.get("T");
    const isComplex = type?.kind === "type" && type.value === "complex64";
    return NEEDS_PARTS.has(op) || op === "RFFT" || (ARITHMETIC.has(op) && isComplex);
  });
  return needsParts ? new Splitter().run(graph) : graph;
}

const keyOf = ({ node, output }: ValueRef): string => `${node}:${output}`;

class Splitter {
  readonly #parts = new Map<string, Parts>();

  run(graph: Graph): Graph {
    return rebuild(graph, (node, build) => this.#rewrite(node, build));
  }

  #rewrite(node: GraphNode, build: GraphBuilder): readonly ValueRef[] | undefined {
    const isComplex = node.inputs.some((ref) => build.type(ref).dtype === "complex64");
    if (!isComplex && !MAKERS.has(node.op)) return undefined;
    const w = new NodeWriter(build, node.name);
    const real = this.#realResult(node, w);
    if (real !== undefined) return [real];
    const parts = this.#complexResult(node, w);
    // The node stays for whoever wants it whole, under the name that it will get.
    if (parts !== undefined) this.#parts.set(`${build.freeName(node.name)}:0`, parts);
    return undefined;
  }

  /** What is computed from complex operands and is real. */
  #realResult(node: GraphNode, w: NodeWriter): ValueRef | undefined {
    const x = node.inputs[0];
    const parts = x && this.#partsOf(x, w.build);
    if (x === undefined || parts === undefined) return undefined;
    switch (node.op) {
      case "Real":
        return parts.isNative ? undefined : parts.re;
      case "Imag":
        return parts.isNative ? undefined : parts.im;
      case "ComplexAbs":
        return parts.isNative
          ? undefined
          : w.unary("Sqrt", w.add(w.unary("Square", parts.re), w.unary("Square", parts.im)));
      case "Angle":
        return w.binary("Atan2", parts.im, parts.re);
      case "Cast":
        return w.build.infer(node)[0]?.dtype === "float32" ? parts.re : undefined;
      case "IRFFT":
        return inverseRealTransform(parts, integersOf(w.build.value(node.inputs[1]))?.[0], w);
      default:
        return undefined;
    }
  }

  #complexResult(node: GraphNode, w: NodeWriter): Parts | undefined {
    const { build } = w;
    const [a, b] = node.inputs;
    const made = this.#made(node, w);
    if (made !== undefined) return made;
    const move = MOVES.get(node.op);
    if (move !== undefined) return this.#moved(node, move, build);
    const x = a && this.#partsOf(a, build);
    if (x === undefined) return undefined;
    switch (node.op) {
      case "Conj":
        return { re: x.re, im: w.unary("Neg", x.im) };
      case "Neg":
        return { re: w.unary("Neg", x.re), im: w.unary("Neg", x.im) };
      case "Square":
        return times(x, x, w);
      case "Exp": {
        const size = w.unary("Exp", x.re);
        return {
          re: w.mul(size, w.unary("Cos", x.im)),
          im: w.mul(size, w.unary("Sin", x.im)),
        };
      }
      case "FFT":
        return complexTransform(x, -1, w);
      case "IFFT":
        return complexTransform(x, 1, w);
    }
    const y = b && this.#partsOf(b, build);
    return y && binary(node.op, x, y, w);
  }

  /** Complex numbers made of real ones. */
  #made(node: GraphNode, w: NodeWriter): Parts | undefined {
    const { build } = w;
    const [a, b] = node.inputs;
    if (node.op === "Complex") return a && b && { re: a, im: b };
    if (node.op === "RFFT") return this.#transformed(node, w);
    const isCast = node.op === "Cast" && build.infer(node)[0]?.dtype === "complex64";
    if (!isCast || a === undefined || build.type(a).dtype !== "float32") return undefined;
    return { re: a, im: build.scalar(0, a) };
  }

  /** RFFT2D serves lengths that are powers of two: other transforms are products. */
  #transformed(node: GraphNode, w: NodeWriter): Parts | undefined {
    const [x, lengthRef] = node.inputs;
    const length = integersOf(w.build.value(lengthRef))?.[0];
    const isServed = length === undefined || Number.isInteger(Math.log2(length));
    return x === undefined || isServed ? undefined : realTransform(x, length, w);
  }

  #moved(node: GraphNode, which: "first" | "all", build: GraphBuilder): Parts | undefined {
    const operands = node.inputs.map((ref, i) =>
      which === "all" || i === 0 ? this.#partsOf(ref, build) : undefined,
    );
    const attrs = Object.fromEntries(
      [...node.attrs].map(([name, attr]) => [
        name,
        attr.kind === "type" && attr.value === "complex64"
          ? { kind: "type" as const, value: "float32" as const }
          : attr,
      ]),
    );
    if (operands[0] === undefined) return undefined;
    const part = (side: "re" | "im") =>
      build.add(
        `${node.name}/${side}`,
        node.op,
        node.inputs.map((ref, i) => operands[i]?.[side] ?? ref),
        attrs,
      );
    const isNative = operands.every((each) => each === undefined || each.isNative === true);
    return { re: part("re"), im: part("im"), isNative };
  }

  /** The parts of a value; of one that TensorFlow Lite itself makes, by its own operators. */
  #partsOf(ref: ValueRef, build: GraphBuilder): Parts | undefined {
    const known = this.#parts.get(keyOf(ref));
    if (known !== undefined || build.type(ref).dtype !== "complex64") return known;
    const value = build.value(ref);
    const parts: Parts =
      value === undefined
        ? {
            re: build.add(`${ref.node}/real`, "Real", [ref]),
            im: build.add(`${ref.node}/imag`, "Imag", [ref]),
            isNative: true,
          }
        : constantParts(ref.node, value, build);
    this.#parts.set(keyOf(ref), parts);
    return parts;
  }
}

function constantParts(name: string, { shape, data }: TensorValue, build: GraphBuilder): Parts {
  const pairs = data as Float32Array;
  const part = (offset: number) =>
    build.constant(`${name}/part_${offset}`, {
      dtype: "float32",
      shape,
      data: Float32Array.from({ length: pairs.length / 2 }, (_, i) => pairs[2 * i + offset] ?? 0),
    });
  return { re: part(0), im: part(1) };
}

function binary(op: string, x: Parts, y: Parts, w: NodeWriter): Parts | undefined {
  switch (op) {
    case "Add":
      return { re: w.add(x.re, y.re), im: w.add(x.im, y.im) };
    case "Sub":
      return { re: w.sub(x.re, y.re), im: w.sub(x.im, y.im) };
    case "Mul":
      return times(x, y, w);
    case "Div": {
      const size = w.add(w.unary("Square", y.re), w.unary("Square", y.im));
      const { re, im } = times(x, { re: y.re, im: w.unary("Neg", y.im) }, w);
      return { re: w.div(re, size), im: w.div(im, size) };
    }
    default:
      return undefined;
  }
}
