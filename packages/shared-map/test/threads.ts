// SPDX-License-Identifier: GPL-2.0-only
import { Worker } from 'node:worker_threads';
import type { SharedMap } from '../src/index.js';

/** `LOCKLESS_LONG=1` or `LOCKLESS_SECONDS`: how many times as much work as in a quick run. */
export const effort: number = Number(process.env.LOCKLESS_SECONDS ?? (process.env.LOCKLESS_LONG === undefined ? 1 : 4));

/** Milliseconds after which a thread that has not ended hangs. */
const LIMIT = 50_000 * effort;

export interface Thread {
  readonly worker: Worker;
  /** Resolves with each message in turn. */
  message(): Promise<unknown>;
  /** Rejects when the thread failed, or hangs. */
  readonly ended: Promise<void>;
}

/** Starts a thread that is part of the map. It runs what is built. */
export function start(map: SharedMap, job: string, control: Int32Array, self = 0): Thread {
  const worker = new Worker(new URL('threads/worker.mjs', import.meta.url), {
    workerData: { handle: map.share(), job, control, self },
    execArgv: [],
  });
  const ended = new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Error(`${job} has not ended`));
      void worker.terminate();
    }, LIMIT);
    worker.once('error', reject);
    worker.once('exit', () => {
      clearTimeout(timer);
      resolve();
    });
  });
  ended.catch(() => undefined);
  const message = (): Promise<unknown> =>
    new Promise((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
  return { worker, ended, message };
}

export const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Stop word, and a word for each thread. */
export const controlWords = (): Int32Array => new Int32Array(new SharedArrayBuffer(256));
