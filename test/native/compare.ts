// SPDX-License-Identifier: MIT
import type { Access, Op, Ptr } from '@lockless/cpu';
import { configureKernel, functionName, kmemCacheOf, PRIMITIVES, SequentialEngine, staticSymbols } from '@lockless/cpu';
import type { Loaded, Run } from './native-side.js';
import { TASK, WORDS } from './native-side.js';
import type { Program, Step } from './program.js';

/** The sequential engine, with the heap at the same address as on the native side, and a trace of the same form. */
class TracedEngine extends SequentialEngine {
  readonly trace: (string | number)[] = [];
  private readonly program: Program;

  constructor(program: Program, heap: number) {
    super({ words: WORDS });
    this.program = program;
    if (this.cpu.current !== (TASK as Ptr<unknown>))
      throw new Error(`the task is at ${this.cpu.current}, not at ${TASK}`);
    this.heap.reserve(heap - this.heap.end);
  }

  override step(access: Access<unknown>): IteratorResult<Access<unknown>, unknown> {
    const { code, address, operand, expected } = access;
    this.trace.push(PRIMITIVES[code].name, address, operand, expected);
    if (PRIMITIVES[code].event !== 'IO') return super.step(access);
    const served = this.program.serve?.(address);
    while (served?.next().done === false);
    return { done: true, value: undefined };
  }
}

/** Runs a program by the sequential engine. */
export function runSimulated(program: Program, steps: readonly Step[], { staticWords }: Loaded, quietRcu = false): Run {
  const engine = new TracedEngine(program, staticWords);
  const results: number[][] = [];
  engine.run(
    (function* (): Op<void> {
      configureKernel({ quietRcu });
      yield* program.boot();
      for (const step of steps) results.push(yield* program.step(step));
    })(),
  );
  return { trace: engine.trace, results, error: null, top: engine.heap.end, words: engine.words };
}

/** From numbers of the simulated build to those of the native one: addresses of static data, function pointers, caches. */
export class Numbers {
  private readonly words = new Map<number, number>();
  private readonly caches = new Map<number, number>();
  private readonly functions = new Map<number, number>();
  /** Words of static data that both builds have, as the simulated one numbers them. */
  readonly shared: number[] = [];

  constructor({ symbols, functions, caches }: Loaded) {
    const there = new Map(symbols.map((symbol) => [symbol.name, symbol]));
    for (const { name, address, size } of staticSymbols()) {
      const native = there.get(name);
      if (native === undefined) continue;
      for (let at = 0; at < size; at++) this.words.set(address + at, native.address + at);
      for (let at = 0; at < size; at++) this.shared.push(address + at);
    }
    const pointers = new Map(functions);
    for (let id = 0; functionName(id) !== `function#${id}`; id++)
      this.functions.set(id, pointers.get(functionName(id)) ?? -1);
    const ids = new Map(caches);
    for (let id = 0; kmemCacheOf(id) !== undefined; id++)
      this.caches.set(id, ids.get(kmemCacheOf(id).type.$name) ?? -1);
  }

  address(simulated: number): number {
    return this.words.get(simulated) ?? simulated;
  }

  cache(simulated: number): number {
    return this.caches.get(simulated) ?? -1;
  }

  /** Whether a word with one value in the one build and another in the other holds the same: the same number, or the name of the same thing. */
  same(simulated: number, native: number): boolean {
    return simulated === native || this.words.get(simulated) === native || this.functions.get(simulated) === native;
  }
}

/** Where the two builds first differ, or null. */
export function difference(simulated: Run, native: Run, numbers: Numbers): string | null {
  return differentStep(simulated, native, numbers) ?? differentEnd(simulated, native, numbers);
}

function differentStep(simulated: Run, native: Run, numbers: Numbers): string | null {
  for (let at = 0; at < Math.max(simulated.trace.length, native.trace.length); at += 4) {
    const [name, address, operand, expected] = simulated.trace.slice(at, at + 4);
    const [nativeName, nativeAddress, nativeOperand, nativeExpected] = native.trace.slice(at, at + 4);
    const ofCache = name === 'kmem_cache_alloc' || name === 'kmem_cache_free';
    const same = (a: string | number, b: string | number): boolean => numbers.same(a as number, b as number);
    const agree =
      name === nativeName &&
      (name === 'kmem_cache_alloc'
        ? numbers.cache(address as number) === nativeAddress
        : numbers.address(address as number) === nativeAddress) &&
      (ofCache || same(operand, nativeOperand)) &&
      (ofCache || same(expected, nativeExpected));
    if (!agree)
      return `primitive ${at / 4}: ${name}(${address}, ${operand}, ${expected}) simulated, ${nativeName}(${nativeAddress}, ${nativeOperand}, ${nativeExpected}) natively${native.error ? `, which ended with ${native.error}` : ''}`;
  }
  return native.error;
}

function differentEnd(simulated: Run, native: Run, numbers: Numbers): string | null {
  for (const [step, result] of simulated.results.entries()) {
    const other = native.results[step];
    if (result.length !== other.length || !result.every((value, at) => numbers.same(value, other[at])))
      return `step ${step}: [${result}] simulated, [${other}] natively`;
  }
  if (simulated.top !== native.top) return `the heap ends at ${simulated.top} simulated, at ${native.top} natively`;
  const heap = Array.from({ length: simulated.top - (1 << 20) }, (_, at) => (1 << 20) + at);
  for (const address of [...numbers.shared, ...heap]) {
    const [value, other] = [simulated.words[address], native.words[numbers.address(address)]];
    if (!numbers.same(value, other)) return `word ${address}: ${value} simulated, ${other} natively`;
  }
  return null;
}
