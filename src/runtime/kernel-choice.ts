/** Which kernel serves an operator. */
import { type Diagnostic, UnsupportedError } from "../base/errors.ts";
import type { FastFeatures } from "../kernels/simd/fast-kernel.ts";
import { probeFeatures } from "../kernels/simd/probe.ts";
import { findWideCompile } from "./compile.ts";
import type { KernelChoice, TileChoice } from "./interpreter-options.ts";
import type { KernelCatalog } from "./kernel-catalog.ts";
import type { FastChoice } from "./linear-memory.ts";
import { tileSpeeds } from "./tile-speeds.ts";
import { findWorkerHost, type WorkerHost } from "./worker-host.ts";

/** What a caller says about emitted kernels. */
export interface FastOptions {
  /** 1 by default. Where memory cannot be shared there is one thread, whatever this says. */
  readonly threads?: number;
  readonly workerHost?: WorkerHost;
  /** Whether to compile with 256-bit vectors; without effect where the engine cannot. */
  readonly wide?: boolean;
  /** "measured" by default. */
  readonly tiles?: TileChoice;
}

/**
 * Emitted kernels for a choice; undefined where none are wanted, or "auto" finds none that the engine can run.
 *
 * @throws {UnsupportedError} for "simd" in an engine without WebAssembly SIMD.
 */
export function fastChoice(
  choice: KernelChoice,
  catalog: KernelCatalog,
  { threads = 1, workerHost, wide = false, tiles = "measured" }: FastOptions = {},
): FastChoice | undefined {
  if (choice === "reference") return undefined;
  const probed = probeFeatures();
  if (probed !== undefined) {
    const host = threads > 1 ? (workerHost ?? findWorkerHost()) : undefined;
    const workers = host === undefined ? {} : { workers: { host, count: threads - 1 } };
    const compileWide = wide && probed.relaxed ? findWideCompile() : undefined;
    const features: FastFeatures = {
      relaxed: probed.relaxed,
      get dot() {
        return probed.dot;
      },
      get pairs() {
        return probed.pairs;
      },
      ...(compileWide === undefined ? {} : { wide: true }),
      ...(tiles === "usual"
        ? {}
        : { speeds: (format, rows) => tileSpeeds(format, rows, compileWide) }),
    };
    return {
      features,
      find: (op) => catalog.fast(op),
      ...workers,
      ...(compileWide === undefined ? {} : { compileWide }),
    };
  }
  if (choice === "auto") return undefined;
  throw new UnsupportedError({
    where: "Interpreter.create",
    found: 'kernels "simd" in an engine without WebAssembly SIMD',
    expected: 'an engine with it, or kernels "auto" or "reference"',
    features: ["SIMD kernels"],
  });
}

/** What there is to say where 256 bits were asked for. */
export function wideRemarks(choice: FastChoice | undefined, wanted = false): Diagnostic[] {
  if (!wanted || choice?.compileWide !== undefined) return [];
  return [{ id: "no-wide", text: "128-bit kernels: this engine cannot be asked for 256 bits" }];
}

/** How many threads a choice comes to, and what there is to say about it. */
export interface Threads {
  readonly threads: number;
  readonly diagnostics: readonly Diagnostic[];
}

/** Compares the choice with the number of threads that was asked for. */
export function threadsOf(choice: FastChoice | undefined, wanted = 1): Threads {
  const threads = 1 + (choice?.workers?.count ?? 0);
  if (threads >= wanted) return { threads, diagnostics: [] };
  const reason =
    choice === undefined
      ? "only emitted kernels share their work"
      : "memory cannot be shared with workers here; a page needs cross-origin isolation " +
        "(Cross-Origin-Opener-Policy same-origin, Cross-Origin-Embedder-Policy require-corp)";
  const text = `${threads} thread instead of ${wanted}: ${reason}`;
  return { threads, diagnostics: [{ id: "one-thread", text }] };
}
