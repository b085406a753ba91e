/** Buffer bookkeeping after a rewrite: data that nobody refers to any more leaves the file. */
import { assert } from "../base/errors.ts";
import { EMPTY_BUFFER, type Model } from "../model/ir.ts";

/**
 * Puts new buffers (those past the end of `before.buffers`) into the places of buffers that lost their last reader,
 * so that the numbers of all others stay as they were. New buffers without a reader go. Old ones that nobody read before
 * either are left alone.
 */
export function replaceBuffers(model: Model, before: Model): Model {
  const used = buffersInUse(model);
  const freed = [...buffersInUse(before)].filter((index) => index !== 0 && !used.has(index));
  freed.sort((a, b) => a - b);
  const buffers = model.buffers.slice(0, before.buffers.length);
  for (const index of freed) buffers[index] = EMPTY_BUFFER;
  const moved = new Map<number, number>();
  for (let index = before.buffers.length; index < model.buffers.length; index++) {
    const buffer = model.buffers[index];
    assert(buffer !== undefined, `buffer ${index} is missing`);
    if (!used.has(index)) continue;
    const place = freed.shift() ?? buffers.length;
    buffers[place] = buffer;
    moved.set(index, place);
  }
  const placeOf = (index: number) => moved.get(index) ?? index;
  const metadata = model.metadata.map((entry) => ({ ...entry, buffer: placeOf(entry.buffer) }));
  const subgraphs = model.subgraphs.map((graph) => ({
    ...graph,
    tensors: graph.tensors.map((tensor) =>
      moved.has(tensor.buffer) ? { ...tensor, buffer: placeOf(tensor.buffer) } : tensor,
    ),
  }));
  return { ...model, buffers, subgraphs, metadata };
}

function buffersInUse({ subgraphs, metadata, metadataBuffers }: Model): Set<number> {
  return new Set([
    ...subgraphs.flatMap(({ tensors }) => tensors.map(({ buffer }) => buffer)),
    ...metadata.map(({ buffer }) => buffer),
    ...(metadataBuffers ?? []),
  ]);
}
