// SPDX-License-Identifier: MIT
import { Worker } from 'node:worker_threads';
import type { NativeMachine } from '../src/index.js';
import type { jobs } from './threads/jobs.mjs';

/** `LOCKLESS_LONG=1` or `LOCKLESS_SECONDS`: how many times as much work as in a quick run. */
export const effort: number = Number(process.env.LOCKLESS_SECONDS ?? (process.env.LOCKLESS_LONG === undefined ? 1 : 4));

/** Milliseconds that a job may take before its test fails: what hangs is a lost wake-up. */
const LIMIT: number = 50_000 * effort;

interface JobOptions {
  readonly n?: number;
  readonly self?: number;
  readonly of?: number;
  /** The thread goes on when its job is done, without detaching. */
  readonly stay?: boolean;
  readonly options?: { readonly name?: string; readonly silentAfter?: number };
}

/** A worker at its job. */
export interface Thread {
  readonly worker: Worker;
  /** When it has attached: its CPU. */
  readonly attached: Promise<number>;
  /** When it has ended; rejects when it failed. */
  readonly ended: Promise<void>;
}

export function start(machine: NativeMachine, job: keyof typeof jobs, options: JobOptions = {}): Thread {
  const { n = 0, self = 0, of = 1, stay = false } = options;
  const workerData = { handle: machine.share(), job, n, self, of, stay, options: options.options ?? {} };
  const worker = new Worker(new URL('threads/worker.mjs', import.meta.url), {
    workerData,
    // The worker runs what is built; the tests' own condition `source` would lead it to TypeScript.
    execArgv: [],
  });
  const attached = new Promise<number>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  attached.catch(() => undefined);
  const ended = new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Error(`${job} of thread ${self} has not ended`));
      void worker.terminate();
    }, LIMIT);
    worker.once('error', reject);
    worker.once('exit', () => {
      clearTimeout(timer);
      resolve();
    });
  });
  ended.catch(() => undefined);
  return { worker, attached, ended };
}

/** Runs one job in so many threads at once, to the end. */
export async function runJob(
  machine: NativeMachine,
  job: keyof typeof jobs,
  threads: number,
  n: number,
): Promise<void> {
  const all = Array.from({ length: threads }, (_, self) => start(machine, job, { n, self, of: threads }));
  await Promise.all(all.map(({ ended }) => ended));
}
