// SPDX-License-Identifier: GPL-2.0-only
import { Worker } from 'node:worker_threads';
import type { Burst } from './overlap.js';
import { type SubjectSource, Unavailable } from './subject.js';
import type { BurstOrder, ThreadData, ThreadMessage, ThreadOrder } from './thread.js';

/** What is built, also when the sources are tested: a worker does not read TypeScript. */
const THREAD = new URL('../../dist/harness/thread.js', import.meta.url);

const [baseSeconds] = process.hrtime();
const TURNS = 1 << 16;
const meeting = new Int32Array(new SharedArrayBuffer(TURNS * Int32Array.BYTES_PER_ELEMENT));
let turn = 0;

/** A worker with one subject. */
export class BenchThread {
  private readonly worker: Worker;
  /** Who waits for the next message, or for the thread's death. */
  private waiting: { resolve: (message: ThreadMessage) => void; reject: (error: Error) => void } | null = null;
  private failure: Error | null = null;

  private constructor(source: SubjectSource, warmUpNs: number) {
    const workerData: ThreadData = { source, baseSeconds, warmUpNs };
    this.worker = new Worker(THREAD, { workerData, execArgv: [] });
    this.worker.on('message', (message: ThreadMessage) => this.waiting?.resolve(message));
    this.worker.on('error', (error) => this.fail(error as Error));
    this.worker.on('exit', (code) => this.fail(new Error(`the thread of ${source.module} ended (${code})`)));
  }

  /** Starts it and waits until its subject is ready. Throws {@link Unavailable}, or what the subject threw. */
  static async start(source: SubjectSource, { warmUpNs }: { warmUpNs: number }): Promise<BenchThread> {
    const thread = new BenchThread(source, warmUpNs);
    const message = await thread.message();
    if (message.kind !== 'unavailable') return thread;
    await thread.stop();
    throw new Unavailable(message.reason);
  }

  private fail(error: Error): void {
    this.failure ??= error;
    this.waiting?.reject(this.failure);
  }

  private message(order?: ThreadOrder): Promise<ThreadMessage> {
    return new Promise((resolve, reject) => {
      if (this.failure !== null) return reject(this.failure);
      this.waiting = { resolve, reject };
      if (order !== undefined) this.worker.postMessage(order);
    });
  }

  async burst(order: BurstOrder): Promise<Burst> {
    const message = await this.message({ kind: 'burst', order });
    if (message.kind !== 'burst') throw new Error(`expected a burst, got ${message.kind}`);
    return message.burst;
  }

  /** Ends the subject. *Returns* what it counted. */
  async close(): Promise<Readonly<Record<string, number>>> {
    const message = await this.message({ kind: 'close' });
    if (message.kind !== 'closed') throw new Error(`expected the end, got ${message.kind}`);
    return message.counts;
  }

  /** Ends the thread, whatever it does. */
  async stop(): Promise<void> {
    this.failure ??= new Error('the thread was stopped');
    await this.worker.terminate();
  }
}

/** One burst of each thread, all at the same time. */
export async function burstTogether(threads: readonly BenchThread[], ns: number): Promise<Burst[]> {
  turn = (turn + 1) % TURNS;
  Atomics.store(meeting, turn, 0);
  const order = { ns, team: threads.length, meeting, turn };
  return await Promise.all(threads.map((thread) => thread.burst(order)));
}

/** One burst of that thread, while the others have nothing to do. */
export async function burstAlone(thread: BenchThread, ns: number): Promise<Burst> {
  return (await burstTogether([thread], ns))[0];
}
