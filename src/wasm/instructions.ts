/** The instruction tables under one roof: names by kind of immediate, and a name's row. */
import { ATOMIC_MEMORY } from "./atomic-instructions.ts";
import type { MemoryRow, PlainRow } from "./instruction-row.ts";
import { SCALAR_MEMORY, SCALAR_PLAIN } from "./scalar-instructions.ts";
import {
  type SIMD_LANE,
  SIMD_MEMORY,
  type SIMD_MEMORY_LANE,
  SIMD_PLAIN,
} from "./simd-instructions.ts";

/** Instructions without immediates. */
export type PlainInstruction = keyof typeof SCALAR_PLAIN | keyof typeof SIMD_PLAIN;
/** Loads, stores and atomics: an offset and an alignment. */
export type MemoryInstruction =
  | keyof typeof SCALAR_MEMORY
  | keyof typeof SIMD_MEMORY
  | keyof typeof ATOMIC_MEMORY;
export type LaneInstruction = keyof typeof SIMD_LANE;
export type MemoryLaneInstruction = keyof typeof SIMD_MEMORY_LANE;

export function plainRow(name: PlainInstruction): PlainRow {
  return name in SIMD_PLAIN
    ? SIMD_PLAIN[name as keyof typeof SIMD_PLAIN]
    : SCALAR_PLAIN[name as keyof typeof SCALAR_PLAIN];
}

export function memoryRow(name: MemoryInstruction): MemoryRow {
  if (name in SIMD_MEMORY) return SIMD_MEMORY[name as keyof typeof SIMD_MEMORY];
  if (name in SCALAR_MEMORY) return SCALAR_MEMORY[name as keyof typeof SCALAR_MEMORY];
  return ATOMIC_MEMORY[name as keyof typeof ATOMIC_MEMORY];
}
