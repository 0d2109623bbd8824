// SPDX-License-Identifier: MIT
import { CACHE_LINE_WORDS, NR_CPUS } from '@lockless/cpu/native';
import { NativeError } from './errors.js';
import { ENGINE_END, MAGIC, Machine, machineWords, VERSION } from './layout.js';
import { hasSharedMemory } from './surroundings.js';
import { memoryOf, rememberMemory, type WasmMemory, wasmMemory } from './web-assembly.js';

/** What another thread needs to attach to a machine: give it to a worker by workerData or postMessage(). */
export interface MachineHandle {
  readonly type: 'lockless-machine';
  readonly version: number;
  readonly buffer: SharedArrayBuffer;
  /** The same memory, if WebAssembly can use it. */
  readonly memory?: WasmMemory;
}

/** What one thread is told when it attaches. */
export interface ThreadOptions {
  /** For reports, up to 35 bytes. Default: `thread <its CPU>`. */
  readonly name?: string;
  /**
   * Whether kernel-side code may put this thread to sleep. Default: true in workers; false on Node's main thread and in a window, which serve
   * events: there a wait that would block throws ERR_MUST_NOT_BLOCK, and async forms do the waiting.
   */
  readonly mayBlock?: boolean;
  /** Milliseconds after which the holder of a lock that gives no sign of life is an error for who waits for it (ERR_OWNER_SILENT). Default: 10 000. */
  readonly silentAfter?: number;
}

export interface MachineOptions extends ThreadOptions {
  /** 32-bit words of the whole memory. Default: 4 Mi (16 MB), of which a little over 1 Mi are for static data and the engine. */
  readonly words?: number;
  /** Threads that may be attached at a time, at most 64, the default. */
  readonly threads?: number;
  /**
   * User-space RCU of this machine, for all its threads. `mb`, the default: each reader makes two full barriers, and holds nothing up when it is over. `qsbr`: readers
   * make none, and threads are in one until they have nothing more to do: for many lookups at a time, see docs/native/rcu.md.
   */
  readonly rcu?: 'mb' | 'qsbr';
  /** Whether the words are to lie in a memory that WebAssembly can use, too. Default: true; where there is none to be had it is a plain SharedArrayBuffer. */
  readonly webAssembly?: boolean;
}

/** Memory for threads to share. Throws NativeError in a browser's page that may have none. */
export function sharedMemory(bytes: number): SharedArrayBuffer {
  if (!hasSharedMemory())
    throw new NativeError(
      'ERR_NOT_SHARED',
      'this page is not cross-origin isolated, so a browser gives it no memory that threads could share: serve it, and the scripts of its workers, over https or from localhost with the headers Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp',
    );
  return new SharedArrayBuffer(bytes);
}

/** Whether something is memory that threads share. */
export const isShared = (memory: unknown): memory is SharedArrayBuffer =>
  hasSharedMemory() && memory instanceof SharedArrayBuffer;

/** The least that is of any use. */
export const MIN_WORDS: number = ENGINE_END + (1 << 14);
const MAX_WORDS = 1 << 26;

/** Makes and formats the memory of a machine. Throws NativeError when it is too small. */
export function formatMemory(options: MachineOptions): Int32Array {
  const { words = 1 << 22, threads = NR_CPUS, rcu = 'mb', webAssembly = true } = options;
  if (rcu !== 'mb' && rcu !== 'qsbr') throw new RangeError(`RCU is mb or qsbr, not '${rcu}'`);
  if (!Number.isInteger(threads) || threads < 1 || threads > NR_CPUS)
    throw new NativeError('ERR_TOO_MANY_THREADS', `a machine has 1 to ${NR_CPUS} threads, not ${threads}`);
  if (!Number.isInteger(words) || words < MIN_WORDS || words > MAX_WORDS)
    throw new NativeError('ERR_OUT_OF_MEMORY', `a machine has ${MIN_WORDS} to ${MAX_WORDS} words, not ${words}`);
  const found = webAssembly && hasSharedMemory() ? wasmMemory(words * 4) : null;
  const memory = new Int32Array(found?.buffer ?? sharedMemory(words * 4), 0, words);
  const lines = Math.floor((words - ENGINE_END) / (CACHE_LINE_WORDS + 1));
  const heap = Math.ceil((ENGINE_END + lines) / CACHE_LINE_WORDS) * CACHE_LINE_WORDS;
  memory[Machine.version(machineWords)] = VERSION;
  memory[Machine.size(machineWords)] = words;
  memory[Machine.threads(machineWords)] = threads;
  memory[Machine.quietRcu(machineWords)] = rcu === 'qsbr' ? 1 : 0;
  memory[Machine.links(machineWords)] = ENGINE_END;
  memory[Machine.heap(machineWords)] = heap;
  // Line 0 of the heap is none.
  memory[Machine.top(machineWords)] = heap + CACHE_LINE_WORDS;
  Atomics.store(memory, Machine.magic(machineWords), MAGIC);
  return memory;
}

/** What other threads attach to. */
export function handleOf(words: Int32Array): MachineHandle {
  const memory = memoryOf(words);
  const buffer = words.buffer as SharedArrayBuffer;
  return { type: 'lockless-machine', version: VERSION, buffer, ...(memory !== null && { memory }) };
}

/** The memory of a handle. Throws NativeError when it is none, or one of another version. */
export function openMemory(handle: MachineHandle): Int32Array {
  if (handle?.type !== 'lockless-machine')
    throw new NativeError(
      'ERR_NOT_A_MACHINE',
      'attach() expects what share() of a machine gave, sent by postMessage() or workerData',
    );
  const { version } = handle;
  const buffer = handle.memory === undefined ? handle.buffer : rememberMemory(handle.memory).buffer;
  if (!isShared(buffer))
    throw new NativeError(
      'ERR_NOT_SHARED',
      'the memory of the handle is not a SharedArrayBuffer: it was copied on its way, or this page is not cross-origin isolated',
    );
  const all = new Int32Array(buffer);
  // A memory of WebAssembly is a little larger than the machine.
  const size = all.length < MIN_WORDS ? 0 : all[Machine.size(machineWords)];
  const memory = size >= MIN_WORDS && size <= all.length ? all.subarray(0, size) : all;
  if (memory.length < MIN_WORDS || Atomics.load(memory, Machine.magic(machineWords)) !== MAGIC)
    throw new NativeError('ERR_NOT_A_MACHINE', `there is no machine in this memory of ${memory.length} words`);
  const made = memory[Machine.version(machineWords)];
  if (made !== VERSION || version !== VERSION)
    throw new NativeError(
      'ERR_VERSION',
      `the machine was made by version ${made} of its layout, this thread has ${VERSION}`,
    );
  return memory;
}
