// SPDX-License-Identifier: GPL-2.0-only
import type { CpuLocal, NativeEngine } from '@lockless/cpu/native';
import {
  HELD_LOCKS,
  installEngine,
  KernelBug,
  kmemCacheOf,
  loadedSegments,
  NR_CPUS,
  SEGMENT_WORDS,
  type StaticSymbol,
  TASK_RUNNING,
  TaskStruct,
  thisCpu,
} from '@lockless/cpu/native';

/*
 * A memory in which a program of kernel code boots, runs once, and is put back as it was before. Nothing is reused in it: what is freed stays free, so
 * whoever frees it again is caught. Locks spin, as nobody holds one for long; a thread that waits for too long is stuck, and says so.
 */

const LINE = 16;
/** Kernel packages have the first segments of static data; a memory ends behind them. */
const STATIC_SEGMENTS = 16;
const STATIC_END = STATIC_SEGMENTS * SEGMENT_WORDS;
const THREADS = 4;
const HELD = Math.ceil(HELD_LOCKS / LINE) * LINE;
const TASK = 2 * LINE;
/** Words of each thread: for barriers, the locks that it holds, its task. */
const OWN = LINE + HELD + TASK;
/** How far the heap is used. */
const BREAK = STATIC_END + THREADS * OWN;
const HEAP = BREAK + LINE;
const HEAP_WORDS = 1 << 15;
/** Words of a memory. */
export const IMAGE_WORDS: number = HEAP + HEAP_WORDS;

/** Turns between two looks at the clock. */
const TURNS = 4096;
/** Milliseconds after which a thread that waits is stuck: whom it waits for may have no processor for a while. */
const PATIENCE = 10_000;
/** The same once a thread was stuck: the program does that, and the other instances need not take as long. */
const IMPATIENCE = 20;
let patience = PATIENCE;

const FREED = 0x6b6b6b6b;

class ImageEngine implements NativeEngine {
  readonly words: Int32Array;
  readonly quietRcu = false;
  turns = 0;
  private since = 0;
  private readonly idle: Int32Array = new Int32Array(new SharedArrayBuffer(4));

  constructor(words: Int32Array) {
    this.words = words;
  }

  reserve(size: number): number {
    const lines = Math.ceil(size / LINE) * LINE;
    const at = Atomics.add(this.words, BREAK, lines);
    if (HEAP + at + lines > IMAGE_WORDS) throw new RangeError('the memory of the program is used up');
    return HEAP + at;
  }

  allocate(cache: number): number {
    const { align, type } = cacheOf(cache);
    const at = this.reserve(LINE + type.$size + align);
    return Math.ceil((at + LINE) / align) * align;
  }

  release(cache: number, object: number): void {
    const { type, typesafeByRcu } = cacheOf(cache);
    if (Atomics.exchange(this.words, object - 1, FREED) === FREED)
      throw new KernelBug('double-free', `${type.$name} is freed twice`);
    if (!typesafeByRcu) this.words.fill(FREED, object, object + type.$size);
  }

  relax(): void {
    if (++this.turns % TURNS !== 0) return;
    const now = performance.now();
    if (this.turns === TURNS) this.since = now;
    if (now - this.since > patience) {
      patience = IMPATIENCE;
      throw new KernelBug('stuck', 'a thread waits for ever');
    }
    // The processor is left to whoever is waited for.
    Atomics.wait(this.idle, 0, 0, 0.05);
  }

  schedule(): void {
    const state = TaskStruct.state(thisCpu.current as never);
    Atomics.add(this.words, thisCpu.fence, 0);
    while (Atomics.load(this.words, state) !== TASK_RUNNING) this.relax();
  }

  wake(task: number, mask: number): boolean {
    const state = TaskStruct.state(task as never);
    Atomics.add(this.words, thisCpu.fence, 0);
    const value = Atomics.load(this.words, state);
    return (value & mask) !== 0 && Atomics.compareExchange(this.words, state, value, TASK_RUNNING) === value;
  }

  takeSlowly(lock: number): void {
    while (Atomics.compareExchange(this.words, lock, 0, thisCpu.id + 1) !== 0) this.relax();
  }

  shareSlowly(lock: number): void {
    for (;;) {
      const readers = Atomics.load(this.words, lock);
      if (readers <= 0 && Atomics.compareExchange(this.words, lock, readers, readers - 1) === readers) return;
      this.relax();
    }
  }

  unshare(lock: number): number {
    return Atomics.add(this.words, lock, 1);
  }

  exitIdle(): never {
    throw new Error('there is no event loop');
  }
  sleepOnLock(): never {
    throw new Error('locks spin here');
  }
  notifyLock(): void {}
  refuseSpoiltLock(): void {}
  submitIo(): never {
    throw new Error('there is no device');
  }
}

function cacheOf(id: number): NonNullable<ReturnType<typeof kmemCacheOf>> {
  const cache = kmemCacheOf(id);
  if (cache === undefined) throw new RangeError(`there is no slab cache ${id}`);
  return cache;
}

/** One memory, as one thread sees it. */
export class Image {
  readonly words: Int32Array;
  private readonly engine: ImageEngine;
  private readonly cpu: CpuLocal;

  constructor(buffer: SharedArrayBuffer, number: number, thread: number) {
    this.words = new Int32Array(buffer, 4 * number * IMAGE_WORDS, IMAGE_WORDS);
    this.engine = new ImageEngine(this.words);
    const own = STATIC_END + thread * OWN;
    this.cpu = {
      id: thread,
      preemptCount: 0,
      irqsDisabled: false,
      rcuReaders: 0,
      current: (own + LINE + HELD) as CpuLocal['current'],
      fence: own,
      held: own + LINE,
      heldDepth: 0,
    };
  }

  /** Kernel code of this thread runs in this memory from here on, as on a CPU that did nothing before. */
  enter(): void {
    const { cpu, engine } = this;
    cpu.preemptCount = 0;
    cpu.irqsDisabled = false;
    cpu.rcuReaders = 0;
    cpu.heldDepth = 0;
    engine.turns = 0;
    installEngine(engine, cpu);
  }
}

type Range = readonly [from: number, to: number];

/** Static data of CPUs on which no thread is: most of all static data, and nobody's. */
function isOfNoThread({ name }: StaticSymbol, names: ReadonlySet<string>, threads: number): boolean {
  const [, base, cpu] = /^(.*)\[(\d+)\]$/.exec(name) ?? [];
  return Number(cpu) >= threads && names.has(`${base}[${NR_CPUS - 1}]`);
}

/** What booting has left, and of that what a program of so many threads may change. */
export interface Booted {
  readonly words: Int32Array;
  readonly all: readonly Range[];
  readonly changing: readonly Range[];
}

/** Finds them in a memory that was booted just now. */
export function bootedImage(words: Int32Array, threads: number): Booted {
  const heap: Range = [BREAK, HEAP + words[BREAK]];
  const all: Range[] = [[STATIC_END, BREAK], heap];
  const changing: Range[] = [[STATIC_END, STATIC_END + threads * OWN], heap];
  for (const { symbols, number, packageName } of loadedSegments()) {
    if (symbols.length === 0) continue;
    if (number >= STATIC_SEGMENTS) throw new RangeError(`segment ${number} of ${packageName} is not in such a memory`);
    const names = new Set(symbols.map(({ name }) => name));
    all.push(...joined(symbols));
    changing.push(...joined(symbols.filter((symbol) => !isOfNoThread(symbol, names, threads))));
  }
  return { words, all, changing };
}

/** Symbols that are neighbours are one range. */
function joined(symbols: readonly StaticSymbol[]): Range[] {
  const ranges: Range[] = [];
  for (const { address, size } of symbols) {
    const last = ranges.at(-1);
    if (last !== undefined && address - last[1] < LINE) ranges[ranges.length - 1] = [last[0], address + size];
    else ranges.push([address, address + size]);
  }
  return ranges;
}

/** Makes a memory that holds nothing yet one that was booted. */
export function bootImage(words: Int32Array, { words: from, all }: Booted): void {
  for (const range of all) copyWords(words, from, range);
}

/** Puts a memory back to how it was booted. */
export function resetImage(words: Int32Array, { words: from, changing }: Booted): void {
  // Whatever it has allocated since.
  words.fill(0, HEAP + from[BREAK], HEAP + words[BREAK]);
  for (const range of changing) copyWords(words, from, range);
}

/** Below so many words a loop is quicker than a call. */
const FEW = 64;

function copyWords(words: Int32Array, source: Int32Array, [from, to]: Range): void {
  if (to - from > FEW) words.set(source.subarray(from, to), from);
  else for (let at = from; at < to; at++) words[at] = source[at];
}

/** The first word in which a memory that was put back differs from how it was booted; -1 for none. */
export function firstDifference(words: Int32Array, { words: booted }: Booted): number {
  for (let at = 0; at < words.length; at++) if (words[at] !== booted[at]) return at;
  return -1;
}
