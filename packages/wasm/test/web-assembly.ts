// SPDX-License-Identifier: MIT

interface Memory {
  readonly buffer: SharedArrayBuffer;
}
interface Surroundings {
  readonly WebAssembly: {
    readonly Memory: new (size: { initial: number; maximum: number; shared: boolean }) => Memory;
    readonly Module: new (bytes: Uint8Array) => object;
    readonly Instance: new (module: object, imports: object) => { readonly exports: object };
  };
}
const { WebAssembly } = globalThis as unknown as Surroundings;

export interface SharedWords {
  readonly memory: Memory;
  readonly words: Int32Array;
}

export function sharedWords(): SharedWords {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  return { memory, words: new Int32Array(memory.buffer) };
}

export function instantiateIn<F>(
  bytes: Uint8Array,
  { memory }: SharedWords,
  javascript: object = {},
): Record<string, F> {
  const imports = { machine: { memory, id: 1, fence: 8 }, javascript };
  return new WebAssembly.Instance(new WebAssembly.Module(bytes), imports).exports as Record<string, F>;
}
