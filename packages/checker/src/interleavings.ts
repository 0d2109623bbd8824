// SPDX-License-Identifier: MIT
import type { Access, CpuLocal, Engine, Op } from '@lockless/cpu';
import { enterCpu, installEngine, KernelBug, PRIMITIVES, SequentialEngine, STATIC_WORDS } from '@lockless/cpu';
import type { Program } from './program.js';

/*
 * The naive engine: every interleaving under sequential consistency, one after the other, by running the program again for each. It knows
 * nothing of graphs, so it is what the graph explorer is compared with. Exponential in the number of accesses, unless preemptions are bounded.
 */

export interface InterleavingOptions {
  /** Switches away from a thread that could go on; unbounded when left out. */
  readonly preemptions?: number;
  readonly heapWords?: number;
  /** Steps of one interleaving after which it is given up. Default 5,000. */
  readonly maxSteps?: number;
}

/** One interleaving: which thread took each step, and how it ended. */
export interface Interleaving {
  readonly schedule: readonly number[];
  readonly end: 'complete' | 'deadlock' | 'steps' | 'bug';
  readonly bug: unknown;
  readonly results: Readonly<Record<string, unknown>>;
  readonly labels: readonly string[];
}

interface Thread {
  readonly cpu: CpuLocal;
  readonly op: Op<unknown>;
  done: boolean;
  result: unknown;
  /** The next access is made; it stops at the one after. */
  go: boolean;
  /** Why it cannot go on until memory changes. */
  waiting: boolean;
}

/** Runs sequentially, but stops before each access. */
class SteppingEngine implements Engine {
  readonly inner: SequentialEngine;
  readonly words: Int32Array;
  readonly heap: SequentialEngine['heap'];
  thread: Thread | null = null;
  relaxed = false;
  private readonly suspended: { done: false; value: Access<unknown> };
  private pending = new Map<Thread, { code: number; address: number; operand: number; expected: number }>();

  constructor(heapWords: number) {
    this.inner = new SequentialEngine({ words: STATIC_WORDS + heapWords });
    this.words = this.inner.words;
    this.heap = this.inner.heap;
    this.suspended = { done: false, value: undefined as unknown as Access<unknown> };
  }

  step(access: Access<unknown>): IteratorResult<Access<unknown>, unknown> {
    const thread = this.thread as Thread;
    const before = this.pending.get(thread);
    if (before !== undefined) Object.assign(access, before);
    if (!thread.go) {
      const { code, address, operand, expected } = access;
      this.pending.set(thread, { code, address, operand, expected });
      return this.suspended;
    }
    this.pending.delete(thread);
    const { event } = PRIMITIVES[access.code];
    if ((event === 'LK' && this.words[access.address] !== 0) || (event === 'RLK' && this.words[access.address] > 0)) {
      const { code, address, operand, expected } = access;
      this.pending.set(thread, { code, address, operand, expected });
      thread.waiting = true;
      return this.suspended;
    }
    thread.go = false;
    if (event === 'RELAX') {
      this.relaxed = true;
      return { done: true, value: undefined };
    }
    if (event === 'RCU_LOCK') thread.cpu.preemptCount++;
    else if (event === 'RCU_UNLOCK') thread.cpu.preemptCount--;
    else return this.inner.step(access);
    return { done: true, value: undefined };
  }
}

/** Runs one interleaving: follows `prefix`, then goes on with the same thread as long as it can. Returns also who could have run at each step. */
function runOnce(program: Program, prefix: readonly number[], options: InterleavingOptions) {
  const engine = new SteppingEngine(options.heapWords ?? 1 << 16);
  const shared = engine.inner.run(program.setup());
  const names = Object.keys(program.threads);
  const before = installEngine(engine);
  const schedule: number[] = [];
  const runnable: number[][] = [];
  const labels: string[] = [];
  let end: Interleaving['end'] = 'complete';
  let bug: unknown = null;
  const threads = names.map(
    (name, id): Thread => ({
      cpu: { id, preemptCount: 0, irqsDisabled: false, current: engine.inner.cpu.current },
      op: program.threads[name](shared),
      done: false,
      result: undefined,
      go: false,
      waiting: false,
    }),
  );
  const resume = (thread: Thread, go: boolean): void => {
    engine.thread = thread;
    thread.go = go;
    enterCpu(thread.cpu);
    const step = thread.op.next();
    if (step.done) {
      thread.done = true;
      thread.result = step.value;
    }
  };
  try {
    for (const thread of threads) resume(thread, false);
    for (;;) {
      const able = threads.flatMap((t, i) => (t.done || t.waiting ? [] : [i]));
      if (able.length === 0) {
        if (threads.some((t) => !t.done)) end = 'deadlock';
        break;
      }
      if (schedule.length >= (options.maxSteps ?? 5000)) {
        end = 'steps';
        break;
      }
      const last = schedule.at(-1) ?? 0;
      let next = prefix[schedule.length] ?? (able.includes(last) ? last : able[0]);
      if (schedule.length >= prefix.length && engine.relaxed) next = able[(able.indexOf(next) + 1) % able.length];
      engine.relaxed = false;
      runnable.push(able);
      schedule.push(next);
      resume(threads[next], true);
      if (!threads[next].waiting) for (const t of threads) t.waiting = false;
    }
  } catch (error) {
    if (!(error instanceof KernelBug)) throw error;
    end = 'bug';
    bug = error;
  }
  const results = Object.fromEntries(names.map((name, i) => [name, threads[i].result]));
  installEngine(before.words.length === 0 ? null : before);
  if (end === 'complete' && program.finally !== undefined) {
    try {
      engine.inner.run(program.finally(shared, { results, reach: (label) => labels.push(label) }));
    } catch (error) {
      if (!(error instanceof KernelBug)) throw error;
      end = 'bug';
      bug = error;
    }
  }
  return { interleaving: { schedule, end, bug, results, labels }, runnable };
}

/** All interleavings, depth first. */
export function* interleavings(program: Program, options: InterleavingOptions = {}): Generator<Interleaving> {
  const stack: { prefix: number[]; preemptions: number }[] = [{ prefix: [], preemptions: 0 }];
  for (let item = stack.pop(); item !== undefined; item = stack.pop()) {
    const { prefix, preemptions } = item;
    const { interleaving, runnable } = runOnce(program, prefix, options);
    yield interleaving;
    const { schedule } = interleaving;
    let used = preemptions;
    for (let i = prefix.length; i < schedule.length; i++) {
      const last = schedule[i - 1];
      for (const other of runnable[i]) {
        if (other === schedule[i]) continue;
        const cost = used + (last !== undefined && other !== last && runnable[i].includes(last) ? 1 : 0);
        if (cost <= (options.preemptions ?? Number.POSITIVE_INFINITY))
          stack.push({ prefix: [...schedule.slice(0, i), other], preemptions: cost });
      }
      if (last !== undefined && schedule[i] !== last && runnable[i].includes(last)) used++;
    }
  }
}
