// SPDX-License-Identifier: GPL-2.0-only
import { Worker } from 'node:worker_threads';
import { BatchSum } from './batch-sum.js';
import type { Cases } from './cases.js';
import type { Answer, Counted, Job, Task, ThreadData } from './protocol.js';
import { Control } from './rendezvous.js';
import { Watch, type WatchOptions } from './watch.js';

/** What a run has seen. */
export interface Seen {
  /** How often each outcome was seen, in the words of the job. */
  readonly outcomes: ReadonlyMap<string, number>;
  /** Instances that were given up: a loop went on for too long. */
  readonly givenUp: number;
  /**
   * Null for a run that ended. Otherwise the threads that did not come back from an instance, by their numbers; none, if what loops stands before or
   * behind the instances. Of that batch nothing is counted.
   */
  readonly stuck: readonly number[] | null;
  readonly seconds: number;
  /** Instances until the first batch in which an outcome was seen was over. */
  readonly found: ReadonlyMap<string, number>;
  /** Of the times that a thread waited for another one, how often that one came: how much they really ran at the same time. */
  readonly met: number;
}

export interface RunOptions extends WatchOptions {
  /** A run ends after so many batches. */
  readonly batches?: number;
  /** A run ends when an outcome was seen of which this is true. */
  readonly until?: (outcome: string) => boolean;
}

/** Threads of a program, and instances of a batch. */
type Shape = Pick<Cases, 'threads' | 'instances'>;

/** Which build of cpu's primitives the threads load: see primitiveTable of cpu. */
export type Build = 'fast' | 'strict';

export interface CrewOptions {
  readonly build: Build;
  /** Guards of kernel code that are left out. */
  readonly without?: readonly string[];
  /** Threads stop at random before accesses: see noise.ts. */
  readonly noise?: boolean;
  /** Bytes for what the threads work on, and for what they tell. */
  readonly memory: number;
  readonly out: number;
}

/** Threads that run jobs, one after the other. */
export class Crew {
  private readonly options: CrewOptions;
  private readonly control: Control = Control.create();
  private readonly memory: SharedArrayBuffer;
  private readonly out: SharedArrayBuffer;
  private readonly workers: Worker[] = [];

  constructor(options: CrewOptions) {
    this.options = options;
    this.memory = new SharedArrayBuffer(options.memory);
    this.out = new SharedArrayBuffer(options.out);
  }

  /** Runs a job, of whose `threads` parts a thread each takes one, in batches of so many instances. Rejects when a thread fails. Threads that are stuck are ended: the next run gets new ones. */
  async run(task: Task, { threads, instances }: Shape, options: RunOptions): Promise<Seen> {
    const { control } = this;
    control.reset();
    const { batches = 2 ** 31, signal, until = () => false } = options;
    const sum = new BatchSum(threads, instances);
    const watch = new Watch(control, options);
    try {
      await this.enlist(threads);
      const workers = this.workers.slice(0, threads);
      const count = (counted: Counted): void => {
        sum.add(counted);
        if (counted.seen.some(({ outcome }) => until(outcome))) control.stop();
      };
      const answers = workers.map((worker) => answerOf(worker, control, count));
      for (const worker of workers) worker.postMessage({ ...task, batches } satisfies Job);
      const ended = await Promise.race([Promise.all(answers), watch.overdue]);
      let stuck: Seen['stuck'] = null;
      if (ended === 'overdue') {
        // Who was asked to end has not had its time.
        if (!signal?.aborted) stuck = control.away;
        await this.end();
      } else refuseFailed(ended);
      return { ...sum.seen, stuck, seconds: watch.seconds };
    } catch (error) {
      // Whoever is left waits for who is gone, or keeps a lock: the next run gets new threads.
      await this.end();
      throw error;
    } finally {
      watch.end();
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
    await Promise.all(fresh.map((worker) => answerOf(worker, this.control, () => {})));
  }

  private start(thread: number): Worker {
    const { control, memory, out } = this;
    const { build, without = [], noise = false } = this.options;
    // What is built runs, also where this file is a source: a worker loads JavaScript.
    return new Worker(new URL('../dist/worker.js', import.meta.url), {
      // Those of the process may choose sources.
      execArgv: [],
      env: { ...process.env, LOCKLESS_PRIMITIVES: build },
      workerData: { thread, control: control.shared, words: memory, out, without, noise } satisfies ThreadData,
    });
  }
}

/** The last answer of a thread to what it was given. When it dies instead, the others must not wait for it. */
function answerOf(worker: Worker, control: Control, count: (counted: Counted) => void): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      worker.off('message', take);
      worker.off('error', fail);
      worker.off('exit', gone);
    };
    const take = (answer: Answer): void => {
      if (answer.kind === 'counted') return count(answer);
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

function refuseFailed(answers: readonly Answer[]): void {
  for (const answer of answers) if (answer.kind === 'failed' && answer.message !== '') throw new Error(answer.message);
  if (answers.some(({ kind }) => kind === 'failed')) throw new Error('the threads of a run were abandoned');
}
