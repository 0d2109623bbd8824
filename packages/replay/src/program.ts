// SPDX-License-Identifier: GPL-2.0-only
import type { Rec, Recording } from '@lockless/recording';

/** One thing a thread does, and what of other threads must be over before. */
export interface Action {
  /** Index in `recording.records`. */
  readonly record: number;
  readonly rec: Rec;
  /** Pairs: the first `count` actions of thread `thread` are done. */
  readonly after: readonly { readonly thread: number; readonly count: number }[];
}

export interface ProgramThread {
  readonly tid: number;
  readonly pid: number;
  readonly comm: string;
  readonly actions: readonly Action[];
}

/** A recording, taken apart into threads that run freely except where one had to wait for another. */
export interface Program {
  readonly threads: readonly ProgramThread[];
  /** All actions. */
  readonly operations: number;
}

const TRUTH = new Set<Rec['kind']>(['added', 'removed', 'rss', 'map-around', 'file-fault']);
const LAYOUT = new Set<Rec['kind']>([
  'mmap',
  'munmap',
  'mprotect',
  'mremap',
  'brk',
  'madvise',
  'mlock',
  'fork',
  'exec',
  'exit',
]);
const FILE_CHANGE = new Set<Rec['kind']>(['write', 'truncate', 'fallocate', 'unlink', 'rename', 'copy']);

/**
 * What one thread of a real program waits for is not recorded, but when everything began and ended is. An action waits for those that had
 * ended before it began, where they could matter:
 *
 * 1. its own thread's actions, and for a new thread the fork that made it;
 * 2. after a call that may block (wait4, futex, poll, pipes, vfork): everything that had ended when the call returned;
 * 3. a change of the address space's layout orders with everything in that address space;
 * 4. a change of a file (write, truncate, unlink, ...) orders with everything done to that file.
 *
 * Everything else runs as the simulated machine pleases. Sound for programs whose threads meet through the kernel or through memory that
 * a layout change protects; user-space synchronisation alone is not seen.
 */
export function programOf(recording: Recording): Program {
  return new ProgramBuilder(recording).build();
}

/** What of each other thread is known to be over. */
type Clock = Map<number, number>;

interface Ended {
  readonly end: number;
  readonly thread: number;
  readonly count: number;
}

/** Actions that touch one thing, by kind of interest, in order of their start. */
interface History {
  readonly changes: Ended[];
  readonly uses: Ended[];
}

class ProgramBuilder {
  private readonly recording: Recording;
  private readonly thread = new Map<number, number>();
  private readonly actions: Action[][];
  private readonly clocks: Clock[];
  /** Clock of each action when it began: what waiting for it implies. */
  private readonly known: Clock[][];
  private readonly space = new Map<number, number>();
  private readonly layouts = new Map<number, History>();
  private readonly fileHistory = new Map<number, History>();
  private readonly everything: Ended[] = [];
  /** Per thread: when its last blocking call returned, until that has been waited for. */
  private readonly blockedUntil: (number | undefined)[] = [];

  constructor(recording: Recording) {
    this.recording = recording;
    recording.header.threads.forEach((thread, i) => {
      this.thread.set(thread.tid, i);
    });
    const { threads } = recording.header;
    this.actions = threads.map(() => []);
    this.clocks = threads.map(() => new Map());
    this.known = threads.map(() => []);
  }

  build(): Program {
    let operations = 0;
    this.recording.records.forEach((rec, i) => {
      if (TRUTH.has(rec.kind)) return;
      operations += 1;
      this.add(rec, i);
    });
    const threads = this.recording.header.threads.map(({ tid, pid, comm }, i) => ({
      tid,
      pid,
      comm,
      actions: this.actions[i],
    }));
    return { threads, operations };
  }

  private add(rec: Rec, record: number): void {
    const self = this.thread.get(rec.tid);
    if (self === undefined) return;
    const after = new Map<number, number>();
    this.waitForLayout(rec, self, after);
    this.waitForFiles(rec, self, after);
    this.waitForSync(rec, self, after);
    const list = this.actions[self];
    list.push({ record, rec, after: [...after].map(([thread, count]) => ({ thread, count })) });
    this.known[self].push(new Map(this.clocks[self]));
    this.remember(rec, self, list.length);
  }

  /** Adds a wait unless an earlier one implies it, and learns what the other thread knew then. */
  private wait(self: number, after: Map<number, number>, other: Ended): void {
    if (other.thread === self) return;
    const clock = this.clocks[self];
    if ((clock.get(other.thread) ?? 0) >= other.count) return;
    after.set(other.thread, other.count);
    clock.set(other.thread, other.count);
    for (const [thread, count] of this.known[other.thread][other.count - 1]) {
      if (thread !== self && (clock.get(thread) ?? 0) < count) clock.set(thread, count);
    }
  }

  /** Newest first: an older one is mostly implied. Only what had ended when this began. */
  private waitForAll(self: number, after: Map<number, number>, list: readonly Ended[], until: number): void {
    const seen = new Set<number>();
    for (let i = list.length - 1; i >= 0; i--) {
      const other = list[i];
      if (other.end > until || seen.has(other.thread)) continue;
      seen.add(other.thread);
      this.wait(self, after, other);
      if (seen.size >= this.actions.length) return;
    }
  }

  private waitForLayout(rec: Rec, self: number, after: Map<number, number>): void {
    const history = this.layouts.get(this.space.get(rec.tid) ?? -1);
    if (history === undefined) return;
    this.waitForAll(self, after, history.changes, rec.start);
    if (LAYOUT.has(rec.kind)) this.waitForAll(self, after, history.uses, rec.start);
  }

  private waitForFiles(rec: Rec, self: number, after: Map<number, number>): void {
    for (const file of filesOf(rec)) {
      const history = this.fileHistory.get(file);
      if (history === undefined) continue;
      this.waitForAll(self, after, history.changes, rec.start);
      if (FILE_CHANGE.has(rec.kind) || changesOnOpen(rec)) this.waitForAll(self, after, history.uses, rec.start);
    }
  }

  /** Records that begin while the blocking call still runs (faults inside it) wait only for what was over by then. */
  private waitForSync(rec: Rec, self: number, after: Map<number, number>): void {
    const returns = this.blockedUntil[self];
    if (returns === undefined) return;
    this.waitForAll(self, after, this.everything, Math.min(returns, rec.start));
    if (rec.start >= returns) this.blockedUntil[self] = undefined;
  }

  private remember(rec: Rec, thread: number, count: number): void {
    const ended: Ended = { end: 'end' in rec ? rec.end : rec.start, thread, count };
    if (rec.kind === 'fork') {
      this.space.set(rec.child, rec.space);
      // The child begins inside the call: its first action waits for the fork to have begun, which spawning it is.
      const child = this.thread.get(rec.child);
      if (child !== undefined) this.clocks[child] = new Map(this.clocks[thread]);
    }
    const layout = historyOf(this.layouts, this.space.get(rec.tid) ?? -1);
    (LAYOUT.has(rec.kind) ? layout.changes : layout.uses).push(ended);
    if (rec.kind === 'exec') this.space.set(rec.tid, rec.space);
    for (const file of filesOf(rec)) {
      const history = historyOf(this.fileHistory, file);
      (FILE_CHANGE.has(rec.kind) || changesOnOpen(rec) ? history.changes : history.uses).push(ended);
    }
    this.everything.push(ended);
    if (blocks(rec)) this.blockedUntil[thread] = rec.end;
  }
}

function historyOf(map: Map<number, History>, key: number): History {
  let history = map.get(key);
  if (history === undefined) {
    history = { changes: [], uses: [] };
    map.set(key, history);
  }
  return history;
}

function filesOf(rec: Rec): number[] {
  switch (rec.kind) {
    case 'copy':
      return [rec.from, rec.to].filter((file) => file !== null);
    case 'rename':
      return rec.replaced === null ? [rec.file] : [rec.file, rec.replaced];
    case 'open':
    case 'read':
    case 'write':
    case 'truncate':
    case 'fallocate':
    case 'fadvise':
    case 'unlink':
      return [rec.file];
    case 'fsync':
    case 'mmap':
      return rec.file === null ? [] : [rec.file];
    default:
      return [];
  }
}

const changesOnOpen = (rec: Rec): boolean =>
  rec.kind === 'open' && (rec.flags.includes('truncate') || rec.flags.includes('create'));

const blocks = (rec: Rec): rec is Rec & { end: number } =>
  rec.kind === 'sync' || (rec.kind === 'fork' && rec.shares.includes('vfork'));
