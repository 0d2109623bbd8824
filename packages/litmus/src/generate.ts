// SPDX-License-Identifier: MIT

/** What links the last access of a thread to the first of the next: the store that it reads, the store that it came too early to read, the next store. */
export type Communication = 'Rfe' | 'Fre' | 'Coe';

/**
 * What keeps the two accesses of a thread in order: nothing (Po), a fence, a release store or an acquire load, both accesses in one critical section
 * (Lock), in one read-side critical section (Rcu, Srcu), a grace period between them (Sync, SyncSrcu), a dependency.
 */
export type Order =
  | 'Po'
  | 'Mb'
  | 'Wmb'
  | 'Rmb'
  | 'Release'
  | 'Acquire'
  | 'Lock'
  | 'Rcu'
  | 'Sync'
  | 'Srcu'
  | 'SyncSrcu'
  | 'Data'
  | 'Ctrl';

/** One edge of the cycle: how a thread keeps its accesses apart, and how it goes on to the next one. */
export interface Edge {
  readonly order: Order;
  readonly next: Communication;
}

/**
 * Writes the litmus test of a cycle, as diy does: thread i accesses `x<i>` and then `x<i+1>`, the last one `x0` again, and the condition is the
 * outcome in which every edge goes as the cycle says. That the model allows it means that one of the orders is too weak.
 */
export function cyclicTest(name: string, edges: readonly Edge[]): string {
  const threads = edges.map(({ order, next }, thread) => {
    const previous = edges[(thread + edges.length - 1) % edges.length].next;
    return threadText(thread, edges.length, previous, order, next);
  });
  const conditions = edges.flatMap(({ next }, thread) => conditionOf(next, thread, (thread + 1) % edges.length));
  return `C ${name}\n\n{}\n\n${threads.join('\n')}\nexists (${conditions.join(' /\\ ')})\n`;
}

/** The outcome in which the edge from a thread to the next goes so. */
function conditionOf(edge: Communication, thread: number, target: number): string[] {
  switch (edge) {
    case 'Rfe':
      return [`${target}:r0=1`];
    case 'Fre':
      return [`${thread}:r1=0`];
    case 'Coe':
      return [`x${target}=2`];
  }
}

function threadText(
  thread: number,
  threads: number,
  previous: Communication,
  order: Order,
  next: Communication,
): string {
  const first = `x${thread}`;
  const second = `x${(thread + 1) % threads}`;
  const parameters = [`int *${first}`, `int *${second}`, 'spinlock_t *l', 'struct srcu_struct *s'].join(', ');
  const before =
    previous === 'Rfe'
      ? load('r0', first, order === 'Acquire')
      : `WRITE_ONCE(*${first}, ${previous === 'Coe' ? 2 : 1});`;
  const value = order === 'Data' && previous === 'Rfe' ? 'r0' : '1';
  const after =
    next === 'Fre'
      ? load('r1', second, false)
      : order === 'Release'
        ? `smp_store_release(${second}, 1);`
        : `WRITE_ONCE(*${second}, ${value});`;
  const lines = ['int r0;', 'int r1;', 'int r2;', '', ...body(order, before, after)];
  return `P${thread}(${parameters})\n{\n${lines.map((line) => (line === '' ? '' : `\t${line}`)).join('\n')}\n}\n`;
}

const load = (register: string, from: string, acquire: boolean): string =>
  acquire ? `${register} = smp_load_acquire(${from});` : `${register} = READ_ONCE(*${from});`;

function body(order: Order, first: string, second: string): string[] {
  switch (order) {
    case 'Po':
    case 'Release':
    case 'Acquire':
    case 'Data':
      return [first, second];
    case 'Ctrl':
      return [first, 'if (r0 == 1)', `\t${second}`];
    case 'Mb':
      return [first, 'smp_mb();', second];
    case 'Wmb':
      return [first, 'smp_wmb();', second];
    case 'Rmb':
      return [first, 'smp_rmb();', second];
    case 'Lock':
      return ['spin_lock(l);', first, second, 'spin_unlock(l);'];
    case 'Rcu':
      return ['rcu_read_lock();', first, second, 'rcu_read_unlock();'];
    case 'Sync':
      return [first, 'synchronize_rcu();', second];
    case 'Srcu':
      return ['r2 = srcu_read_lock(s);', first, second, 'srcu_read_unlock(s, r2);'];
    case 'SyncSrcu':
      return [first, 'synchronize_srcu(s);', second];
  }
}

/** A cycle of `threads` edges that takes `pattern` over and over. */
export const ring = (threads: number, pattern: readonly Edge[]): Edge[] =>
  Array.from({ length: threads }, (_, thread) => pattern[thread % pattern.length]);
