// SPDX-License-Identifier: GPL-2.0-only

/** A memory that JavaScript sees as a SharedArrayBuffer; it can be given to a worker. */
export interface WasmMemory {
  readonly buffer: SharedArrayBuffer;
}

/** The part that is used here of what every engine has; its types are in TypeScript's library for browsers only. */
interface WebAssemblyApi {
  readonly Memory: new (size: { initial: number; maximum: number; shared: boolean }) => WasmMemory;
  readonly Module: new (binary: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: object };
}
const { Memory, Module, Instance } = (globalThis as unknown as { WebAssembly: WebAssemblyApi }).WebAssembly;

const PAGE_BYTES = 65_536;

/** Shared memory for at least so many bytes. */
export function wasmMemory(bytes: number): WasmMemory {
  const size = Math.ceil(bytes / PAGE_BYTES);
  return new Memory({ initial: size, maximum: size, shared: true });
}

export const instantiate = (binary: Uint8Array, imports: object): object =>
  new Instance(new Module(binary), imports).exports;
