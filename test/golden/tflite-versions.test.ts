/**
 * Operator versions and least runtimes of TensorFlow 2.21's conversions, forgotten and set again by rule. Left out are
 * modes whose official writer does not follow the rules: `dynamic_range_legacy` sets fixed versions whatever the types
 * are, `int16x8` leaves the versions of the int8 model that it made first, and family `hybrid` was put together by hand.
 */
import { readdirSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import type { Model } from "../../src/model/ir.ts";
import { parseModel } from "../../src/model/read.ts";
import { withVersions } from "../../src/model/versions.ts";
import { describeWithShared, sharedPath } from "../shared.ts";

const FAMILIES = ["keras", "keras2", "ops", "tf1", "numerics"];
const MODES = /tflite\/(float|dynamic_range|float16|int8|int8_legacy_io)\.tflite$/;

function forgotten(model: Model): Model {
  const subgraphs = model.subgraphs.map((subgraph) => ({
    ...subgraph,
    operators: subgraph.operators.map((operator) => ({
      ...operator,
      version: operator.op === "CUSTOM" ? operator.version : 1,
    })),
  }));
  return { ...model, subgraphs };
}

function versionsOf(model: Model): string[] {
  return model.operatorCodes
    .map(({ op, customCode, version }) => `${customCode ?? op} ${version}`)
    .sort();
}

function runtimeOf({ metadata, buffers }: Model): string {
  const entry = metadata.find(({ name }) => name === "min_runtime_version");
  return new TextDecoder().decode(entry && buffers[entry.buffer]?.bytes).replace(/\0+$/, "");
}

describeWithShared("operator versions by rule", () => {
  it.each(FAMILIES)(
    "are the official converter's in family %s, and so is the runtime",
    (family) => {
      const paths = readdirSync(sharedPath("goldens", family), {
        recursive: true,
        encoding: "utf8",
      })
        .filter((path) => MODES.test(path))
        .sort();
      expect(paths.length).toBeGreaterThan(10);
      for (const path of paths) {
        const official = parseModel(readFileSync(sharedPath("goldens", family, path)), path).model;
        const ours = withVersions(forgotten(official));
        expect(versionsOf(ours), path).toEqual(versionsOf(official));
        expect(runtimeOf(ours), path).toBe(runtimeOf(official));
      }
    },
  );
});
