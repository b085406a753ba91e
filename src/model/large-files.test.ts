import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { complementOf } from "../formats/tflite/metadata-ranges.ts";
import type { ByteSource } from "../io/byte-source.ts";
import { memorySink, memorySource } from "../io/memory.ts";
import { type Buffer, EMPTY_BUFFER, type Model, residentBuffer, type Tensor } from "./ir.ts";
import { parseModel, readModel } from "./read.ts";
import { verifyModel } from "./verify.ts";
import { encodeModel, planWrite, type WritePlan, writeModel } from "./write.ts";

const GIB = 2 ** 30;

function small(): Model {
  const path = new URL("../../test/fixtures/tflite/cnn_float.tflite", import.meta.url);
  return parseModel(readFileSync(fileURLToPath(path))).model;
}

/** The small model with constants of other sizes, each of a tensor of its own. */
function withBuffers(buffers: readonly Buffer[]): Model {
  const model = small();
  const subgraph = model.subgraphs[0]!;
  const tensors = buffers.map(
    ({ byteLength }, index): Tensor => ({
      name: `large ${index}`,
      dtype: "int8",
      shape: byteLength < GIB ? [byteLength] : [2, byteLength / 2],
      buffer: model.buffers.length + index,
      isVariable: false,
      hasRank: true,
    }),
  );
  return {
    ...model,
    buffers: [...model.buffers, ...buffers],
    subgraphs: [{ ...subgraph, tensors: [...subgraph.tensors, ...tensors] }],
  };
}

/** A buffer that nobody may load. */
function unloadable(byteLength: number): Buffer {
  return {
    byteLength,
    load: () => Promise.reject(new Error("loaded")),
  };
}

function filled(byteLength: number, value: number): Buffer {
  return residentBuffer(new Uint8Array(byteLength).fill(value));
}

/** The model with a digest in each buffer's place, loaded one by one. */
async function loaded(model: Model): Promise<unknown> {
  const digests = [];
  for (const buffer of model.buffers) {
    digests.push(
      createHash("sha256")
        .update(await buffer.load())
        .digest("hex"),
    );
  }
  return { ...model, buffers: digests };
}

function digestOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** A source that notes which ranges were read. */
function watched(source: ByteSource, reads: [number, number][]): ByteSource {
  return {
    ...source,
    read(start, end) {
      reads.push([start, end]);
      return source.read(start, end);
    },
  };
}

/** The planned file without its constant data: zeros wherever the plan leaves room for it. */
function sparseSource({ head, items, byteLength }: WritePlan): ByteSource {
  return {
    name: "sparse",
    byteLength,
    async read(start, end) {
      if (end - start > 2 ** 24) throw new Error(`read of ${end - start} bytes`);
      const bytes = new Uint8Array(end - start);
      bytes.set(head.subarray(start, end));
      const view = new DataView(bytes.buffer);
      for (const { buffer, tailOffset, isVector } of items) {
        const count = head.byteLength + tailOffset - 4 - start;
        if (isVector && count >= 0 && count + 4 <= bytes.length)
          view.setUint32(count, buffer.byteLength, true);
      }
      return bytes;
    },
  };
}

describe("writing a large model", () => {
  it("keeps its data in the flatbuffer up to 2 GiB, and outside beyond that, without loading it to plan", () => {
    const fits = planWrite(withBuffers([unloadable(GIB), unloadable(GIB - 2 ** 20)]));
    expect(fits.isOutside).toBe(false);
    const exceeds = planWrite(withBuffers([unloadable(GIB), unloadable(GIB)]));
    expect(exceeds.isOutside).toBe(true);
    expect(exceeds.byteLength).toBeGreaterThan(2 * GIB);
    expect(exceeds.items.every(({ tailOffset }) => tailOffset % 16 === 0)).toBe(true);
    expect(exceeds.head.byteLength % 16).toBe(0);
  });

  it("is refused in memory beyond 4 GiB, before anything is loaded", async () => {
    const model = withBuffers([unloadable(2 * GIB), unloadable(2 * GIB)]);
    await expect(encodeModel(model)).rejects.toThrow(
      /a file of \d+ bytes, expected at most 4294967295/,
    );
  });

  it("loads one buffer at a time, after the one before it is written", async () => {
    const events: string[] = [];
    const buffers = [1, 2, 3].map((value): Buffer => {
      const { byteLength, load } = filled(100_000, value);
      return {
        byteLength,
        load() {
          events.push(`load ${value}`);
          return load();
        },
      };
    });
    const sink = memorySink();
    const write = sink.write.bind(sink);
    sink.write = async (bytes) => {
      if (bytes.length === 100_000) events.push(`write ${bytes[0]}`);
      await write(bytes);
    };
    await writeModel(withBuffers(buffers), sink);
    expect(events).toEqual(["load 1", "write 1", "load 2", "write 2", "load 3", "write 3"]);
  });

  it("copies a buffer of another file in pieces", async () => {
    const source = filled(9_000_000, 5).bytes!;
    source.set([1, 2, 3], 8_999_990);
    const reads: number[] = [];
    const buffer: Buffer = {
      byteLength: source.length,
      load: () => Promise.reject(new Error("loaded as a whole")),
      async loadInto(start, target) {
        reads.push(target.length);
        target.set(source.subarray(start, start + target.length));
      },
    };
    const { buffers } = parseModel(await encodeModel(withBuffers([buffer]))).model;
    expect(reads).toEqual([2 ** 22, 2 ** 22, 9_000_000 - 2 ** 23]);
    expect(digestOf(buffers.at(-1)!.bytes!)).toBe(digestOf(source));
  });

  it("leaves nothing behind when a buffer cannot be loaded", async () => {
    const sink = memorySink();
    await expect(writeModel(withBuffers([unloadable(100)]), sink)).rejects.toThrow("loaded");
    expect(sink.bytes().byteLength).toBe(0);
  });

  it("writes data once that two buffers share", async () => {
    const shared = filled(50_000, 7);
    const bytes = await encodeModel(withBuffers([shared, shared]));
    expect(bytes.length).toBeLessThan(75_000);
    const { buffers } = parseModel(bytes).model;
    expect(buffers.at(-1)?.bytes).toEqual(shared.bytes);
    expect(buffers.at(-2)?.bytes).toEqual(shared.bytes);
    const [again, outside] = [
      await encodeModel(parseModel(bytes).model),
      { maxFlatbufferBytes: 0 },
    ];
    expect(again.length).toBe(bytes.length);
    const twice = parseModel(await encodeModel(parseModel(bytes).model, outside)).model;
    expect((await encodeModel(twice, outside)).length).toBeLessThan(75_000);
  });

  it("outside of the flatbuffer, loses nothing and says so in the metadata", async () => {
    const inside = parseModel(await encodeModel(small())).model;
    const outside = parseModel(await encodeModel(small(), { maxFlatbufferBytes: 0 }));
    expect(outside.diagnostics).toEqual([]);
    const { metadata, buffers } = outside.model;
    expect(metadata.at(-1)).toEqual({ name: "buffer_location", buffer: buffers.length - 1 });
    expect(new TextDecoder().decode(buffers.at(-1)?.bytes)).toBe("outside flatbuffers");
    const rest = {
      ...outside.model,
      metadata: metadata.slice(0, -1),
      buffers: buffers.slice(0, -1),
    };
    expect(await loaded(rest)).toEqual(await loaded(inside));
    const again = parseModel(await encodeModel(outside.model)).model;
    expect(again.metadata).toEqual(inside.metadata);
  });
});

describe("reading a large model", () => {
  const large = [filled(300_000, 1), filled(10, 2), filled(200_000, 3)];

  it.each([
    ["in the flatbuffer", {}],
    ["outside of it", { maxFlatbufferBytes: 0 }],
  ])(
    "whose data is %s reads the metadata only, and data when it is asked for",
    async (_, options) => {
      const bytes = await encodeModel(withBuffers(large), options);
      const reads: [number, number][] = [];
      const source = watched(memorySource(bytes), reads);
      const { model, diagnostics } = await readModel(source, { maxResidentBytes: 0 });
      expect(diagnostics).toEqual([]);
      verifyModel(model);
      expect(reads.reduce((sum, [start, end]) => sum + end - start, 0)).toBeLessThan(150_000);
      expect(model.buffers.filter((buffer) => buffer.bytes === undefined).length).toBe(2);
      reads.length = 0;
      expect(await loaded(model)).toEqual(await loaded(parseModel(bytes).model));
      expect(reads.length).toBe(2);
    },
  );

  it("finds its way through more than 4 GiB without reading them", async () => {
    const plan = planWrite(
      withBuffers([unloadable(2 * GIB), unloadable(2 * GIB + 6), unloadable(GIB)]),
    );
    const { model } = await readModel(sparseSource(plan));
    verifyModel(model);
    expect(model.buffers.slice(-4).map(({ byteLength }) => byteLength)).toEqual([
      2 * GIB,
      2 * GIB + 6,
      GIB,
      "outside flatbuffers".length,
    ]);
    expect(planWrite(model).byteLength).toBe(plan.byteLength);
  });

  it("finds its way through one flatbuffer of nearly 2 GiB", async () => {
    const plan = planWrite(withBuffers([unloadable(GIB), unloadable(GIB / 2), filled(99, 4)]));
    expect(plan.isOutside).toBe(false);
    const { model } = await readModel(sparseSource(plan));
    verifyModel(model);
    expect(model.buffers.slice(-3, -1).map(({ byteLength }) => byteLength)).toEqual([GIB, GIB / 2]);
  });

  it("refuses offsets that lead outside the file", async () => {
    const bytes = await encodeModel(withBuffers(large), { maxFlatbufferBytes: 0 });
    const cut = bytes.subarray(0, bytes.length - 200_000);
    await expect(readModel(memorySource(cut), { maxResidentBytes: 0 })).rejects.toThrow(
      /bytes wanted, expected a range within/,
    );
    expect(() => parseModel(cut)).toThrow(/buffer \d+: bytes \d+ to \d+, expected a range within/);
  });

  it("refuses a large file that is none", async () => {
    const zeros: ByteSource = {
      name: "zeros",
      byteLength: 8 * GIB,
      read: async (start, end) => new Uint8Array(Math.min(end - start, 2 ** 16)),
    };
    await expect(readModel(zeros)).rejects.toThrow(/metadata bytes, expected at most/);
  });
});

describe("complementOf", () => {
  it("joins what overlaps and keeps what lies between", () => {
    const ranges = [
      { start: 40, end: 60 },
      { start: 10, end: 20 },
      { start: 15, end: 30 },
    ];
    expect(complementOf(ranges, 100)).toEqual([
      { start: 0, end: 10 },
      { start: 30, end: 40 },
      { start: 60, end: 100 },
    ]);
    expect(complementOf([{ start: 0, end: 5 }], 5)).toEqual([]);
  });

  it("of no buffer is everything", () => {
    expect(complementOf([{ start: 0, end: 0 }], EMPTY_BUFFER.byteLength + 7)).toEqual([
      { start: 0, end: 7 },
    ]);
  });
});
