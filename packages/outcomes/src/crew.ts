// SPDX-License-Identifier: GPL-2.0-only
import { Worker } from 'node:worker_threads';
import type { Answer, Job, Task, ThreadData } from './protocol.js';
import { Control } from './rendezvous.js';

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

/** As many instances as a batch may have. */
const INSTANCES = 4096;

/** Which build of cpu's primitives the threads load: see primitiveTable of cpu. */
export type Build = 'fast' | 'strict';

export interface CrewOptions {
  readonly build: Build;
  /** Guards of kernel code that are left out. */
  readonly without?: readonly string[];
  /** Bytes for what the threads work on, and for what they tell. */
  readonly memory: number;
  readonly out: number;
}

/** Threads that run jobs, one after the other. */
export class Crew {
  private readonly options: CrewOptions;
  private readonly control: Control = Control.create(INSTANCES);
  private readonly memory: SharedArrayBuffer;
  private readonly out: SharedArrayBuffer;
  private readonly workers: Worker[] = [];

  constructor(options: CrewOptions) {
    this.options = options;
    this.memory = new SharedArrayBuffer(options.memory);
    this.out = new SharedArrayBuffer(options.out);
  }

  /** Runs a job, whose first `threads` parts a thread each takes. Rejects when a thread fails. */
  async run(task: Task, threads: number, options: RunOptions): Promise<Seen> {
    const { control } = this;
    control.reset();
    let started = performance.now();
    let begun = false;
    const { seconds = Number.POSITIVE_INFINITY, batches = 2 ** 31, signal, onProgress } = options;
    const stop = (): void => control.stop();
    signal?.addEventListener('abort', stop);
    if (signal?.aborted) stop();
    const timer = setInterval(() => {
      // What it takes to load and boot is not counted.
      if (!begun && control.begun) {
        begun = true;
        started = performance.now();
      }
      if (begun && (performance.now() - started) / 1000 >= seconds) stop();
      onProgress?.(control.batches);
    }, 20);
    try {
      await this.enlist(threads);
      const answers = this.workers.slice(0, threads).map((worker) => answerOf(worker, control));
      for (const worker of this.workers.slice(0, threads)) worker.postMessage({ ...task, batches } satisfies Job);
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
    const { control, memory, out } = this;
    const { build, without = [] } = this.options;
    // What is built runs, also where this file is a source: a worker loads JavaScript.
    return new Worker(new URL('../dist/worker.js', import.meta.url), {
      // Those of the process may choose sources.
      execArgv: [],
      env: { ...process.env, LOCKLESS_PRIMITIVES: build },
      workerData: { thread, control: control.shared, words: memory, out, without } satisfies ThreadData,
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
