/**
 * Emits reductions of one axis of [outer, reduced, inner]: "rows" where inner is 1, so that a row's elements are folded
 * lane by lane and the lanes at the end; "columns" where there are elements beside each other that stay apart.
 */
import type { Local } from "../../../wasm/function-builder.ts";
import type { ModuleBuilder } from "../../../wasm/module-builder.ts";
import { emitAddTo, emitAdvance, emitCopy, emitCountdown } from "../emit-basics.ts";
import { type ReduceGroup, type ReduceVariant, reduceStage } from "./reduce-stage.ts";

/** Along which the reduction runs. */
export type ReduceWay = "rows" | "columns";

export function reduceName({ data, fold }: ReduceVariant, way: ReduceWay): string {
  return `${data}-reduce-${fold}-${way}`;
}

/** Addresses in bytes, sizes in elements; `inner` is not looked at for rows. */
export type ReduceFunction = (
  source: number,
  outer: number,
  reduced: number,
  inner: number,
  out: number,
) => void;

/** Adds the function to `module`. */
export function emitReduce(module: ModuleBuilder, variant: ReduceVariant, way: ReduceWay): void {
  const f = module.function(Array<"i32">(5).fill("i32"), [], reduceName(variant, way));
  const [source, outer, reduced, inner, out] = [0, 1, 2, 3, 4].map((index) =>
    f.param(index),
  ) as Local[];
  const [first, cursor, left, columns] = Array.from({ length: 4 }, () => f.local("i32"));
  const stage = reduceStage(f, variant);
  const single = stage.groups.at(-1) as ReduceGroup;
  const emitRow = () => {
    const [widest, ...others] = stage.groups;
    for (const group of [widest, single]) stage.start(group);
    emitCopy(f, reduced, left);
    for (const group of [widest, ...others]) {
      emitCountdown(f, left, group.count, () => {
        stage.add(source, group);
        emitAddTo(f, source, group.count * stage.inputBytes);
      });
    }
    stage.storeFolded(out, widest, single);
    emitAddTo(f, out, stage.outputBytes);
  };
  const emitColumns = () => {
    emitCopy(f, inner, columns);
    emitCopy(f, source, first);
    for (const group of stage.groups) {
      emitCountdown(f, columns, group.count, () => {
        stage.start(group);
        emitCopy(f, first, cursor);
        emitCopy(f, reduced, left);
        emitCountdown(f, left, 1, () => {
          stage.add(cursor, group);
          emitAdvance(f, cursor, inner, stage.inputBytes);
        });
        stage.store(out, group);
        emitAddTo(f, first, group.count * stage.inputBytes);
        emitAddTo(f, out, group.count * stage.outputBytes);
      });
    }
    f.get(inner);
    f.get(reduced);
    f.op("i32.mul");
    f.set(columns);
    emitAdvance(f, source, columns, stage.inputBytes);
  };
  emitCountdown(f, outer, 1, way === "rows" ? emitRow : emitColumns);
}
