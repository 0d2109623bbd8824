// SPDX-License-Identifier: MIT
import type { Access, CpuLocal, Engine, FunctionPointer, Op } from '@lockless/cpu';
import {
  access,
  code,
  enterCpu,
  installEngine,
  KernelBug,
  PRIMITIVES,
  pointedFunction,
  SequentialEngine,
  SOFTIRQ_OFFSET,
  STATIC_WORDS,
} from '@lockless/cpu';
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
  /** RCU readers that it is inside of, and how often it was outside of all. */
  readers: number;
  quiescent: number;
  /** The grace period that it waits for: readers that were inside when it began, as their `quiescent` of then. */
  grace: readonly { readonly reader: Thread; readonly quiescent: number }[] | null;
}

const newThread = (cpu: CpuLocal, op: Op<unknown>): Thread => ({
  ...{ cpu, op, done: false, result: undefined, go: false, waiting: false },
  ...{ readers: 0, quiescent: 0, grace: null },
});

const SYNCHRONIZE_RCU = code('synchronize_rcu');

/** What call_rcu() starts: waits for a grace period, then invokes the callback. */
function* invokeAfterGracePeriod(head: number, func: number): Op<void> {
  yield* access<void>(SYNCHRONIZE_RCU, 0);
  yield* pointedFunction(func as FunctionPointer<(head: number) => Op<void>>)(head);
}

/** Runs sequentially, but stops before each access. */
class SteppingEngine implements Engine {
  readonly inner: SequentialEngine;
  readonly words: Int32Array;
  readonly heap: SequentialEngine['heap'];
  thread: Thread | null = null;
  /** All of them; call_rcu() adds one, on a CPU of its own. */
  threads: Thread[] = [];
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
    if (
      (event === 'LK' && this.words[access.address] !== 0) ||
      (event === 'RLK' && this.words[access.address] > 0) ||
      (event === 'RCU_SYNC' && !this.gracePeriodIsOver(thread))
    ) {
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
    switch (event) {
      case 'RCU_LOCK':
        thread.cpu.preemptCount++;
        thread.readers++;
        break;
      case 'RCU_UNLOCK':
        thread.cpu.preemptCount--;
        if (--thread.readers === 0) thread.quiescent++;
        break;
      case 'RCU_SYNC':
        break;
      case 'CALL_RCU':
        this.startCallback(access.address, access.operand);
        break;
      default:
        return this.inner.step(access);
    }
    return { done: true, value: undefined };
  }

  private readersInside(): Thread['grace'] {
    return this.threads.flatMap((reader) => (reader.readers > 0 ? [{ reader, quiescent: reader.quiescent }] : []));
  }

  private gracePeriodIsOver(thread: Thread): boolean {
    thread.grace ??= this.readersInside() ?? [];
    if (thread.grace.some(({ reader, quiescent }) => reader.quiescent === quiescent)) return false;
    thread.grace = null;
    return true;
  }

  private startCallback(head: number, func: number): void {
    const cpu = { ...(this.thread as Thread).cpu, id: this.threads.length, preemptCount: SOFTIRQ_OFFSET };
    const thread = newThread(cpu, invokeAfterGracePeriod(head, func));
    thread.grace = this.readersInside();
    this.threads.push(thread);
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
  engine.threads = names.map((name, id) =>
    newThread(
      { id, preemptCount: 0, irqsDisabled: false, rcuReaders: 0, current: engine.inner.cpu.current },
      program.threads[name](shared),
    ),
  );
  const { threads } = engine;
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
      const before = threads.length;
      resume(threads[next], true);
      for (const started of threads.slice(before)) resume(started, false);
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
