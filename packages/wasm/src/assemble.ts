// SPDX-License-Identifier: MIT
import wabt from 'wabt';

interface Surroundings {
  readonly WebAssembly: { readonly Module: new (bytes: Uint8Array) => object };
}
const { WebAssembly } = globalThis as unknown as Surroundings;

/** WebAssembly text as bytes. Throws Error with what the assembler says, or the engine. */
export async function assemble(text: string): Promise<Uint8Array<ArrayBuffer>> {
  const parsed = (await wabt()).parseWat('module.wat', text, { threads: true });
  try {
    const { buffer } = parsed.toBinary({});
    // The package's own check knows nothing of shared memories.
    new WebAssembly.Module(buffer);
    return new Uint8Array(buffer);
  } finally {
    parsed.destroy();
  }
}
