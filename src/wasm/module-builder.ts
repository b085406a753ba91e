/**
 * Puts functions, an imported or own memory, globals and data together into the bytes of a WebAssembly module (binary
 * format, core specification section 5.5). Tables, tags and exceptions are not needed here.
 */
import { assert } from "../base/errors.ts";
import { ByteWriter } from "./byte-writer.ts";
import { type Callable, FunctionBuilder, type Global } from "./function-builder.ts";
import { VALUE_TYPE_CODE, type ValueType } from "./instruction-row.ts";

/** Sizes in pages of 65,536 bytes. A shared memory needs a maximum. */
export interface MemoryLimits {
  readonly initial: number;
  readonly maximum?: number;
  readonly shared?: boolean;
}

interface FunctionType {
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
}

interface FunctionImport {
  readonly module: string;
  readonly name: string;
  readonly typeIndex: number;
}

const SECTION = {
  type: 1,
  import: 2,
  function: 3,
  memory: 5,
  global: 6,
  export: 7,
  code: 10,
  data: 11,
  dataCount: 12,
};
const EXTERNAL = { function: 0, memory: 2, global: 3 };
const CONST_OPCODE: Readonly<Record<"i32" | "f32", number>> = { i32: 0x41, f32: 0x43 };

export class ModuleBuilder {
  readonly #types: FunctionType[] = [];
  readonly #typeIndices = new Map<string, number>();
  readonly #functionImports: FunctionImport[] = [];
  readonly #functions: FunctionBuilder[] = [];
  readonly #globals: { readonly global: Global; readonly initial: number }[] = [];
  readonly #exports: { readonly name: string; readonly kind: number; readonly index: number }[] =
    [];
  readonly #data: { readonly bytes: Uint8Array; readonly offset: number | undefined }[] = [];
  #memoryImport: { module: string; name: string; limits: MemoryLimits } | undefined;
  #memory: MemoryLimits | undefined;

  importMemory(module: string, name: string, limits: MemoryLimits): void {
    this.#requireNoMemory();
    this.#memoryImport = { module, name, limits };
  }

  memory(limits: MemoryLimits): void {
    this.#requireNoMemory();
    this.#memory = limits;
  }

  exportMemory(name: string): void {
    this.#exports.push({ name, kind: EXTERNAL.memory, index: 0 });
  }

  /** Imports a function; imports come before all functions of the module. */
  importFunction(
    module: string,
    name: string,
    params: readonly ValueType[],
    results: readonly ValueType[],
  ): Callable {
    assert(this.#functions.length === 0, "import after the first function");
    const index = this.#functionImports.length;
    this.#functionImports.push({ module, name, typeIndex: this.#typeIndex(params, results) });
    return { index, params, results };
  }

  /** Starts a function, exported when it has a name. Its body is written through the returned builder. */
  function(
    params: readonly ValueType[],
    results: readonly ValueType[],
    exportName?: string,
  ): FunctionBuilder {
    const index = this.#functionImports.length + this.#functions.length;
    const builder = new FunctionBuilder(index, params, results, (p, r) => this.#typeIndex(p, r));
    this.#typeIndex(params, results);
    this.#functions.push(builder);
    if (exportName !== undefined) {
      this.#exports.push({ name: exportName, kind: EXTERNAL.function, index });
    }
    return builder;
  }

  /** The function exported under a name, for calls inside the module. */
  exported(name: string): Callable {
    const entry = this.#exports.find((own) => own.kind === EXTERNAL.function && own.name === name);
    const target = this.#functions[(entry?.index ?? -1) - this.#functionImports.length];
    assert(target !== undefined, `a function exported as ${name}`);
    return target;
  }

  global(type: "i32" | "f32", initial: number, mutable: boolean, exportName?: string): Global {
    const global = { index: this.#globals.length, type, mutable };
    this.#globals.push({ global, initial });
    if (exportName !== undefined) {
      this.#exports.push({ name: exportName, kind: EXTERNAL.global, index: global.index });
    }
    return global;
  }

  /** The mutable global exported under a name, which starts as 0; made when it is asked for first. */
  exportedGlobal(type: "i32" | "f32", name: string): Global {
    const known = this.#exports.find((own) => own.kind === EXTERNAL.global && own.name === name);
    return known === undefined
      ? this.global(type, 0, true, name)
      : this.#globals[known.index]!.global;
  }

  /** Adds a data segment, placed at `offset` at instantiation, or passive (for `memory.init`); returns its index. */
  data(bytes: Uint8Array, offset?: number): number {
    this.#data.push({ bytes, offset });
    return this.#data.length - 1;
  }

  /** The module's bytes. Ends every function. */
  finish(): Uint8Array<ArrayBuffer> {
    const codes = this.#functions.map((builder) => builder.finish());
    const module = new ByteWriter();
    module.bytes(Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00));
    section(module, SECTION.type, this.#types, writeType);
    this.#importSection(module);
    section(module, SECTION.function, this.#functions, (out, builder) =>
      out.u32(this.#typeIndex(builder.params, builder.results)),
    );
    section(module, SECTION.memory, this.#memory ? [this.#memory] : [], writeLimits);
    section(module, SECTION.global, this.#globals, writeGlobal);
    section(module, SECTION.export, this.#exports, (out, { name, kind, index }) => {
      out.name(name);
      out.byte(kind);
      out.u32(index);
    });
    if (this.#data.length > 0) writeDataCount(module, this.#data.length);
    section(module, SECTION.code, codes, (out, code) => out.sized(code));
    section(module, SECTION.data, this.#data, writeData);
    return module.finish();
  }

  #importSection(module: ByteWriter): void {
    const memory = this.#memoryImport ? [this.#memoryImport] : [];
    section(module, SECTION.import, [...this.#functionImports, ...memory], (out, entry) => {
      out.name(entry.module);
      out.name(entry.name);
      if ("limits" in entry) {
        out.byte(EXTERNAL.memory);
        writeLimits(out, entry.limits);
      } else {
        out.byte(EXTERNAL.function);
        out.u32(entry.typeIndex);
      }
    });
  }

  #typeIndex(params: readonly ValueType[], results: readonly ValueType[]): number {
    const key = `${params.join(" ")}>${results.join(" ")}`;
    const known = this.#typeIndices.get(key);
    if (known !== undefined) return known;
    this.#types.push({ params, results });
    this.#typeIndices.set(key, this.#types.length - 1);
    return this.#types.length - 1;
  }

  #requireNoMemory(): void {
    assert(
      this.#memory === undefined && this.#memoryImport === undefined,
      "a module has one memory",
    );
  }
}

function section<T>(
  module: ByteWriter,
  id: number,
  entries: readonly T[],
  write: (out: ByteWriter, entry: T) => void,
): void {
  if (entries.length === 0) return;
  const content = new ByteWriter();
  content.u32(entries.length);
  for (const entry of entries) write(content, entry);
  module.byte(id);
  module.sized(content.finish());
}

function writeDataCount(module: ByteWriter, count: number): void {
  const content = new ByteWriter();
  content.u32(count);
  module.byte(SECTION.dataCount);
  module.sized(content.finish());
}

function writeType(out: ByteWriter, { params, results }: FunctionType): void {
  out.byte(0x60);
  for (const types of [params, results]) {
    out.u32(types.length);
    for (const type of types) out.byte(VALUE_TYPE_CODE[type]);
  }
}

function writeLimits(out: ByteWriter, { initial, maximum, shared = false }: MemoryLimits): void {
  assert(!shared || maximum !== undefined, "a shared memory needs a maximum");
  out.byte((maximum === undefined ? 0 : 1) | (shared ? 2 : 0));
  out.u32(initial);
  if (maximum !== undefined) out.u32(maximum);
}

function writeGlobal(
  out: ByteWriter,
  { global, initial }: { readonly global: Global; readonly initial: number },
): void {
  out.byte(VALUE_TYPE_CODE[global.type]);
  out.byte(global.mutable ? 1 : 0);
  out.byte(CONST_OPCODE[global.type as "i32" | "f32"]);
  if (global.type === "f32") out.f32(initial);
  else out.s32(initial);
  out.byte(0x0b);
}

function writeData(
  out: ByteWriter,
  { bytes, offset }: { readonly bytes: Uint8Array; readonly offset: number | undefined },
): void {
  if (offset === undefined) {
    out.u32(1);
  } else {
    out.u32(0);
    out.byte(CONST_OPCODE.i32);
    out.s32(offset);
    out.byte(0x0b);
  }
  out.sized(bytes);
}
