// SPDX-License-Identifier: MIT
import { attached, type CpuLocal, type NativeEngine, primitiveTable, thisCpu } from '@lockless/cpu/native';

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

/** What `lockless-wasm` writes, in base64: a module for each table of primitives, and for machines whose RCU readers say nothing. */
export interface TranslatedModule {
  readonly fast: string;
  readonly strict: string;
  readonly fastQuiet: string;
  readonly strictQuiet: string;
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
 * not in a memory of WebAssembly. `functions`: what it was translated from. Not to be called after the thread has detached.
 */
export function instantiate<F extends object>(words: Int32Array, translated: TranslatedModule, functions: F): F | null {
  const memory = memoryOf(words);
  const { WebAssembly } = surroundings;
  if (memory === null || WebAssembly === undefined || !sameHere(surroundings)) return null;
  const kind = attached.quietRcu ? (`${primitiveTable}Quiet` as const) : primitiveTable;
  const module = compiled(WebAssembly, translated[kind]);
  if (module === null) return null;
  const cpu = thisCpu;
  const { javascript = {} } = functions as { readonly javascript?: StaysInJavaScript };
  const outside = Object.fromEntries(
    WebAssembly.Module.imports(module)
      .filter((each) => each.module === 'javascript')
      .map(({ name }) => [name, imported(name, javascript, (call) => inJavaScript(cpu, exports, call))]),
  );
  const machine = { memory, id: cpu.id, fence: cpu.fence };
  const { exports } = new WebAssembly.Instance(module, { machine, javascript: outside });
  const all = Object.entries(functions as Record<string, unknown>);
  const called = all.map(([name, f]) => [name, typeof f === 'function' ? calledAs(exports[name], f.length, cpu) : f]);
  return Object.fromEntries(called) as F;
}

type Called = (...words: number[]) => number;

/** A function as it is called that has so many parameters. One that is told how many readers it is inside of has one more. */
function calledAs(f: Called, parameters: number, cpu: CpuLocal): Called {
  if (f.length === parameters) return f;
  if (parameters === 1) return (a) => f(a, cpu.rcuReaders);
  if (parameters === 2) return (a, b) => f(a, b, cpu.rcuReaders);
  if (parameters === 3) return (a, b, c) => f(a, b, c, cpu.rcuReaders);
  return (...words) => f(...words, cpu.rcuReaders);
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

/** Begins names of methods of whatever executes native code then. */
const ENGINE = 'engine.';
const callEngine =
  (method: keyof NativeEngine) =>
  (...all: unknown[]): unknown =>
    (attached.engine[method] as (...all: unknown[]) => unknown).apply(attached.engine, all);

/** A function of JavaScript as a module imports it: `["broken","BUG",null]` is `broken('BUG', x)`. */
function imported(field: string, javascript: StaysInJavaScript, within: (call: () => unknown) => unknown): Called {
  const [name, ...values] = JSON.parse(field) as [string, ...unknown[]];
  const method = name.startsWith(ENGINE) ? (name.slice(ENGINE.length) as keyof NativeEngine) : null;
  const called = method === null ? (javascript[name] as (...all: unknown[]) => unknown) : callEngine(method);
  if (called === undefined) throw new TypeError(`${name} stays in JavaScript, and is not given to the module`);
  return (...words) => {
    let next = 0;
    const all = values.map((value) => {
      if (value === null) return words[next++];
      // `{ unsigned: true }`: WebAssembly gives its bits as a signed number.
      return typeof value === 'object' ? words[next++] >>> 0 : value;
    });
    return within(() => called(...all)) as number;
  };
}

/**
 * What a thread knows of itself, JavaScript keeps. While WebAssembly goes on, that has its own: the depth of readers, which it is given with each call, and how much
 * deeper preemption is off than outside. JavaScript that is called from there finds the thread as if all had been JavaScript. If it throws, no WebAssembly goes on.
 */
function inJavaScript<T>(cpu: CpuLocal, { preemptCount, rcuReaders, irqsDisabled }: Exported, call: () => T): T {
  const [deeper, readers, irqs] = [preemptCount.value, rcuReaders.value, irqsDisabled.value];
  const before = { rcuReaders: cpu.rcuReaders, irqsDisabled: cpu.irqsDisabled };
  cpu.preemptCount += deeper;
  cpu.rcuReaders = readers;
  cpu.irqsDisabled ||= irqs !== 0;
  preemptCount.value = 0;
  rcuReaders.value = 0;
  irqsDisabled.value = 0;
  const result = call();
  Object.assign(cpu, before);
  cpu.preemptCount -= deeper;
  preemptCount.value = deeper;
  rcuReaders.value = readers;
  irqsDisabled.value = irqs;
  return result;
}
