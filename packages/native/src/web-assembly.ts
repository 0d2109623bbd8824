// SPDX-License-Identifier: MIT
import { primitiveTable, thisCpu } from '@lockless/cpu/native';

/** A memory of WebAssembly that threads share; its buffer is what JavaScript sees of it. */
export interface WasmMemory {
  readonly buffer: SharedArrayBuffer;
}
interface WasmGlobal {
  value: number;
}
type Exported = Readonly<Record<string, WasmGlobal & ((...words: number[]) => number)>>;
interface WasmModule {
  readonly module: 'a WebAssembly.Module';
}

/** The part that is used here of what every engine has; its types are in TypeScript's library for browsers only. */
interface WebAssemblyApi {
  readonly Memory: new (size: { initial: number; maximum: number; shared: boolean }) => WasmMemory;
  readonly Module: {
    new (bytes: Uint8Array): WasmModule;
    imports(module: WasmModule): readonly { readonly module: string; readonly name: string }[];
  };
  readonly Instance: new (module: WasmModule, imports: object) => { readonly exports: Exported };
}

interface Surroundings {
  readonly WebAssembly?: WebAssemblyApi;
  readonly atob: (text: string) => string;
  readonly locklessWithout?: readonly string[];
  readonly locklessOnGuard?: unknown;
  readonly locklessOnPrimitive?: unknown;
}
const surroundings = globalThis as unknown as Surroundings;

const PAGE_BYTES = 65_536;
/** Memories by what JavaScript sees of them. */
const memories = new WeakMap<ArrayBufferLike, WasmMemory>();

/** Memory for at least so many bytes that WebAssembly can use, too; null where there is none to be had. */
export function wasmMemory(bytes: number): WasmMemory | null {
  const { WebAssembly } = surroundings;
  if (WebAssembly === undefined) return null;
  const size = Math.ceil(bytes / PAGE_BYTES);
  try {
    return rememberMemory(new WebAssembly.Memory({ initial: size, maximum: size, shared: true }));
  } catch {
    // Each takes some GB of addresses, of which there may be no more; or the engine has no shared memories.
    return null;
  }
}

/** So that {@link memoryOf} knows it. */
export function rememberMemory(memory: WasmMemory): WasmMemory {
  memories.set(memory.buffer, memory);
  return memory;
}

/** The memory of WebAssembly that words lie in, or null. */
export const memoryOf = (words: Int32Array): WasmMemory | null => memories.get(words.buffer) ?? null;

/** What `lockless-wasm` writes: a module for each table of primitives, in base64. */
export interface TranslatedModule {
  readonly fast: string;
  readonly strict: string;
}

/** What stays in JavaScript of what was translated, by the names that it is imported by. */
export type StaysInJavaScript = Readonly<Record<string, (...values: never[]) => unknown>>;

/**
 * Whether what was translated does the same here as the functions in JavaScript: not if this thread was told, when it was loaded, to leave out a guard or to report each
 * primitive.
 */
const sameHere = ({ locklessWithout = [], locklessOnGuard, locklessOnPrimitive }: Surroundings): boolean =>
  locklessWithout.length === 0 && locklessOnGuard === undefined && locklessOnPrimitive === undefined;

/**
 * An instance for this thread of a module that `lockless-wasm` wrote: its functions, over the words of the machine that this thread takes part in. Null where they are
 * not in a memory of WebAssembly. Not to be called after the thread has detached.
 */
export function instantiate<F>(
  words: Int32Array,
  translated: TranslatedModule,
  javascript: StaysInJavaScript,
): F | null {
  const memory = memoryOf(words);
  const { WebAssembly } = surroundings;
  if (memory === null || WebAssembly === undefined || !sameHere(surroundings)) return null;
  const module = compiled(WebAssembly, translated[primitiveTable]);
  if (module === null) return null;
  let state: Exported | null = null;
  const outside = Object.fromEntries(
    WebAssembly.Module.imports(module)
      .filter((each) => each.module === 'javascript')
      .map(({ name }) => [name, imported(name, javascript, () => state as Exported)]),
  );
  const { id, fence } = thisCpu;
  const { exports } = new WebAssembly.Instance(module, { machine: { memory, id, fence }, javascript: outside });
  state = exports;
  return exports as unknown as F;
}

const modules = new Map<string, WasmModule | null>();

/** Null: this place may compile nothing, as by its content security policy. */
function compiled({ Module }: WebAssemblyApi, base64: string): WasmModule | null {
  const known = modules.get(base64);
  if (known !== undefined) return known;
  const bytes = Uint8Array.from(surroundings.atob(base64), (byte) => byte.charCodeAt(0));
  let module: WasmModule | null = null;
  try {
    module = new Module(bytes);
  } catch {
    // As null says.
  }
  modules.set(base64, module);
  return module;
}

/** A function of JavaScript as a module imports it: `["broken","BUG",null]` is `broken('BUG', x)`. */
function imported(
  field: string,
  javascript: StaysInJavaScript,
  state: () => Exported,
): (...words: number[]) => unknown {
  const [name, ...values] = JSON.parse(field) as [string, ...unknown[]];
  const called = javascript[name] as (...all: unknown[]) => unknown;
  if (called === undefined) throw new TypeError(`${name} stays in JavaScript, and is not given to the module`);
  return (...words) => {
    let next = 0;
    const all = values.map((value) => (value === null ? words[next++] : value));
    return inJavaScript(state(), () => called(...all));
  };
}

/**
 * What a thread knows of itself, JavaScript keeps; WebAssembly keeps what is different as long as it goes on. JavaScript that is called from there sees the sum. If it
 * throws, no WebAssembly goes on.
 */
function inJavaScript<T>({ preemptCount, rcuReaders, irqsDisabled }: Exported, call: () => T): T {
  const cpu = thisCpu;
  const [preempt, readers, irqs] = [preemptCount.value, rcuReaders.value, irqsDisabled.value];
  const before = cpu.irqsDisabled;
  cpu.preemptCount += preempt;
  cpu.rcuReaders += readers;
  cpu.irqsDisabled = before || irqs !== 0;
  preemptCount.value = 0;
  rcuReaders.value = 0;
  irqsDisabled.value = 0;
  const result = call();
  cpu.preemptCount -= preempt;
  cpu.rcuReaders -= readers;
  cpu.irqsDisabled = before;
  preemptCount.value = preempt;
  rcuReaders.value = readers;
  irqsDisabled.value = irqs;
  return result;
}
