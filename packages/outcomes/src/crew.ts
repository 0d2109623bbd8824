// SPDX-License-Identifier: GPL-2.0-only
import { Worker } from 'node:worker_threads';
import type { Answer, Job, ThreadData } from './protocol.js';
import { Control } from './rendezvous.js';
import { FREE_WORDS } from './thread-engine.js';

/** Words of variables and of registers that all instances of a test may have together. */
export const MAX_WORDS: number = 1 << 22;

/** What a run has seen. */
export interface Seen {
  /** How often each outcome was seen, in the words of the job. */
  readonly outcomes: ReadonlyMap<string, number>;
  /** Instances that were given up: a loop went on for too long. */
  readonly givenUp: number;
  readonly seconds: number;
}

export interface RunOptions {
  /** A run ends behind the batch in which its time is over, */
  readonly seconds?: number;
  /** or after so many batches. */
  readonly batches?: number;
  readonly signal?: AbortSignal;
  /** Called a few times a second with the batches done so far. */
  readonly onProgress?: (batches: number) => void;
}

/** Bytes: of the data of the packages, and of the instances. */
const WORDS = 4 * (FREE_WORDS + MAX_WORDS);
const OUT = 4 * MAX_WORDS;

const INSTANCES = 4096;

/** Which build of cpu's primitives the threads load: see primitiveTable of cpu. */
export type Build = 'fast' | 'strict';

/** Threads that run jobs, one after the other. */
export class Crew {
  private readonly build: Build;
  private readonly control: Control = Control.create(INSTANCES);
  private readonly words: SharedArrayBuffer = new SharedArrayBuffer(WORDS);
  private readonly out: SharedArrayBuffer = new SharedArrayBuffer(OUT);
  private readonly workers: Worker[] = [];

  constructor(build: Build) {
    this.build = build;
  }

  /** Runs a job, whose first `threads` parts a thread each takes. Rejects when a thread fails. */
  async run(job: Omit<Job, 'batches'>, threads: number, options: RunOptions): Promise<Seen> {
    const { control } = this;
    control.reset();
    const started = performance.now();
    const { seconds = Number.POSITIVE_INFINITY, batches = 2 ** 31, signal, onProgress } = options;
    const stop = (): void => control.stop();
    signal?.addEventListener('abort', stop);
    if (signal?.aborted) stop();
    const timer = setInterval(() => {
      if ((performance.now() - started) / 1000 >= seconds) stop();
      onProgress?.(control.batches);
    }, 20);
    try {
      await this.enlist(threads);
      const answers = this.workers.slice(0, threads).map((worker) => answerOf(worker, control));
      for (const worker of this.workers.slice(0, threads)) worker.postMessage({ ...job, batches } satisfies Job);
      return summed(await Promise.all(answers), (performance.now() - started) / 1000);
    } catch (error) {
      // Whoever is left waits for who is gone, or keeps a lock: the next run gets new threads.
      await this.end();
      throw error;
    } finally {
      clearInterval(timer);
      signal?.removeEventListener('abort', stop);
    }
  }

  /** Ends the threads. */
  async end(): Promise<void> {
    await Promise.all(this.workers.splice(0).map((worker) => worker.terminate()));
  }

  private async enlist(threads: number): Promise<void> {
    const fresh: Worker[] = [];
    while (this.workers.length < threads) {
      const worker = this.start(this.workers.length);
      this.workers.push(worker);
      fresh.push(worker);
    }
    await Promise.all(fresh.map((worker) => answerOf(worker, this.control)));
  }

  private start(thread: number): Worker {
    const { control, words, out } = this;
    // What is built runs, also where this file is a source: a worker loads JavaScript.
    return new Worker(new URL('../dist/worker.js', import.meta.url), {
      // Those of the process may choose sources.
      execArgv: [],
      env: { ...process.env, LOCKLESS_PRIMITIVES: this.build },
      workerData: { thread, control: control.shared, words, out } satisfies ThreadData,
    });
  }
}

/** The next answer of a thread. When it dies instead, the others must not wait for it. */
function answerOf(worker: Worker, control: Control): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      worker.off('message', take);
      worker.off('error', fail);
      worker.off('exit', gone);
    };
    const take = (answer: Answer): void => {
      settle();
      resolve(answer);
    };
    const fail = (error: Error): void => {
      settle();
      control.fail();
      reject(error);
    };
    const gone = (): void => fail(new Error('a thread ended in the middle of a run'));
    worker.on('message', take);
    worker.on('error', fail);
    worker.on('exit', gone);
  });
}

function summed(answers: readonly Answer[], seconds: number): Seen {
  const outcomes = new Map<string, number>();
  let givenUp = 0;
  for (const answer of answers) {
    if (answer.kind === 'failed' && answer.message !== '') throw new Error(answer.message);
    if (answer.kind !== 'done') continue;
    givenUp += answer.givenUp;
    for (const [outcome, count] of answer.seen) outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + count);
  }
  if (answers.some(({ kind }) => kind === 'failed')) throw new Error('the threads of a run were abandoned');
  return { outcomes, givenUp, seconds };
}
