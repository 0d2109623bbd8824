// SPDX-License-Identifier: MIT

/*
 * What differs between Node.js and browsers, found without importing anything: the core path of this package loads in both.
 */

interface WorkerThreads {
  readonly isMainThread: boolean;
  readonly threadId: number;
}

interface NodeProcess {
  getBuiltinModule?(name: string): unknown;
  emitWarning?(message: string, options: { readonly code: string }): unknown;
  on?(event: 'worker', listener: (worker: WatchedWorker) => void): unknown;
  off?(event: 'worker', listener: (worker: WatchedWorker) => void): unknown;
}

/** A Worker of node:worker_threads, as far as the machine looks at it. */
export interface WatchedWorker {
  readonly threadId: number;
  once(event: 'exit', listener: () => void): unknown;
}

const process = (globalThis as { process?: NodeProcess }).process;
const workerThreads = process?.getBuiltinModule?.('node:worker_threads') as WorkerThreads | undefined;

/** Whether Node's threads are there, and tell of each other's end. */
export const inNode: boolean = workerThreads !== undefined;

/** Node's number of this thread; 0 in a browser (and of Node's main thread). */
export const threadId = (): number => workerThreads?.threadId ?? 0;

/** Whether this thread serves others while it waits: Node's main thread, or a window. Waits that block it are an error unless asked for. */
export function servesEvents(): boolean {
  if (workerThreads !== undefined) return workerThreads.isMainThread;
  return (globalThis as { window?: unknown }).window !== undefined;
}

/** Whether there is memory that threads share: in a browser, only where a page is cross-origin isolated. */
export const hasSharedMemory = (): boolean => typeof SharedArrayBuffer !== 'undefined';

/** Whether the platform lets this thread sleep at all: a window may not call Atomics.wait. */
export function canSleep(): boolean {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1, 0);
    return true;
  } catch {
    return false;
  }
}

/** Calls the listener for every Worker that this thread starts from now on; returns what ends that. Where threads are not told, nothing. */
export function onWorkerStart(listener: (worker: WatchedWorker) => void): () => void {
  if (process?.on === undefined) return () => undefined;
  process.on('worker', listener);
  return () => process.off?.('worker', listener);
}

/** Warns whoever runs the program. In Node that is seen when the event loop turns. */
export function warn(message: string, code: string): void {
  if (process?.emitWarning !== undefined) process.emitWarning(message, { code });
  else (globalThis as { console?: { warn(message: string): void } }).console?.warn(`${code}: ${message}`);
}

interface Timer {
  ref?(): unknown;
  unref?(): unknown;
}

/** Calls a function now and then, without keeping the program alive. */
export function everyNowAndThen(
  milliseconds: number,
  call: () => void,
): { stop(): void; keepAlive(yes: boolean): void } {
  const timer = setInterval(call, milliseconds);
  const unref = timer as unknown as Timer;
  unref.unref?.();
  return {
    stop: () => clearInterval(timer),
    keepAlive: (yes) => (yes ? unref.ref?.() : unref.unref?.()),
  };
}
