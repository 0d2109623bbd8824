// SPDX-License-Identifier: GPL-2.0-only
import { current, type Op, type Ptr, signalPending, store, TaskStruct } from '@lockless/cpu';
import { copyMm, exitMm, withoutCountingFaults } from '@lockless/mm';
import { ENOMEM, PAGE_SIZE } from '@lockless/mm-types';
import type { Fork, Rec, Touch } from '@lockless/recording';
import { AreaMap } from './area-map.js';
import { replayFileCall } from './calls-file.js';
import { replayMemoryCall } from './calls-memory.js';
import type { Guest } from './guest.js';
import { replayExec } from './image.js';
import type { Action } from './program.js';
import type { SpaceTracker } from './space-tracker.js';
import type { Space } from './user-memory.js';
import type { World } from './world.js';

/** The first `count` actions of a thread. */
export interface Progress {
  readonly thread: number;
  readonly count: number;
}

/** What a replayed thread needs of the machine. */
export interface ThreadHost {
  readonly world: World;
  readonly spaces: SpaceTracker;
  /** Wants to be let into address spaces. */
  readonly guest: Guest | null;
  /** Makes the task of another thread, which begins when `after` is over. */
  readonly spawn: (thread: number, space: Space | null, after: Progress) => Ptr<TaskStruct>;
  /** An operation is over. */
  readonly onOperation: () => void;
  /** A process reads all that it wrote before it ends. */
  readonly readBack: boolean;
  /** The current task runs the program (true) or the kernel. */
  readonly setUserMode: (user: boolean) => void;
}

/** Signals that the simulated kernel sends and the recording does not have. */
const SIGNAL_NAMES: Readonly<Record<number, string>> = { 7: 'SIGBUS', 11: 'SIGSEGV', [-ENOMEM]: 'OOM' };

/** Calls whose paths the recorder's strace reads; the paths of others are read by the kernel alone. */
const READ_BY_TRACER: ReadonlySet<string> = new Set([
  'open',
  'openat',
  'openat2',
  'creat',
  'chdir',
  'unlink',
  'unlinkat',
  'rename',
  'renameat',
  'renameat2',
  'link',
  'linkat',
]);

/** How often something is tried that fails for want of memory. */
const ATTEMPTS = 4;

/** On the way back to user mode: the program's handler runs, and the signal is no longer pending. */
function* handleSignal(): Op<void> {
  if (yield* signalPending()) yield* store(TaskStruct.signalPending(current()), 0);
}

/** Tries something again that ends in -ENOMEM, a few times. */
function* whileMemoryIsShort(attempt: () => Op<number>): Op<number> {
  let error = yield* attempt();
  for (let tried = 1; tried < ATTEMPTS && error === -ENOMEM; tried++) error = yield* attempt();
  return error;
}

function* nothing(): Op<number> {
  return 0;
}

/** One thread of the recorded program, as a task of the simulated machine. */
export class ReplayedThread {
  private readonly host: ThreadHost;
  private readonly index: number;
  private space: Space | null;
  private next = 0;

  constructor(host: ThreadHost, index: number, space: Space | null) {
    this.host = host;
    this.index = index;
    this.space = space;
  }

  /** The task's body. `after`: what must be over before it may start. */
  *run(after: Progress | null): Op<void> {
    const { world } = this.host;
    const { pid, actions } = world.program.threads[this.index];
    if (after !== null) yield* world.gates.waitFor(after.thread, after.count);
    if (this.space !== null) this.host.spaces.enter(this.space.id, current());
    const goesOn = (): boolean => !world.killed.has(pid) && !world.stillborn.has(this.index);
    while (this.next < actions.length && goesOn()) {
      this.host.setUserMode(true);
      yield* this.waitForOthers(actions[this.next]);
      this.host.setUserMode(false);
      if (!goesOn()) break;
      yield* this.tracerReads(actions[this.next].rec);
      if (this.space !== null) yield* this.host.guest?.invite(this.space) ?? nothing();
      yield* this.performAndCount(actions[this.next].rec);
      yield* handleSignal();
      this.next += 1;
      yield* world.gates.finishOne(this.index);
      this.host.onOperation();
    }
    yield* this.leaveSpace();
    yield* this.abandon(this.index, this.next);
  }

  /** User space waits for other threads in ways of its own; here it sleeps until they have come as far as they had then. */
  private *waitForOthers(action: Action): Op<void> {
    for (const { thread, count } of action.after) yield* this.host.world.gates.waitFor(thread, count);
  }

  /**
   * When the recording was made, strace read the paths of these calls out of the program's memory, which mapped the pages (and those around
   * them) without a fault of the program.
   */
  private *tracerReads(rec: Rec): Op<void> {
    if (this.space === null || !(rec.kind === 'open' || (rec.kind === 'call' && READ_BY_TRACER.has(rec.call)))) return;
    const { host, space } = this;
    yield* withoutCountingFaults(function* () {
      for (const { page, offset, length } of rec.buffers) {
        for (let i = 0; i * PAGE_SIZE < offset + length; i++) yield* host.world.memory.touch(space, page + i, 'read');
      }
    });
  }

  /**
   * A recording has the accesses that faulted when it was made, so the program seldom comes back to a page that was swapped out meanwhile. Before it
   * ends, all that it wrote is read once more: from the disk, and in exchange for other pages.
   */
  private *readBack(): Op<void> {
    const { host, space } = this;
    if (space === null) return;
    yield* withoutCountingFaults(function* () {
      for (const page of host.world.contents.writtenPages(space.id))
        yield* host.world.memory.touch(space, page, 'read');
    });
  }

  /** For who compares the memory of the address space from outside: it is in no known state while a system call is under way. */
  private *performAndCount(rec: Rec): Op<void> {
    const { space } = this;
    if (space === null || (rec.kind === 'touch' && !rec.kernel)) return yield* this.perform(rec);
    space.calls.begun += 1;
    yield* this.perform(rec);
    space.calls.ended += 1;
  }

  private *perform(rec: Rec): Op<void> {
    switch (rec.kind) {
      case 'touch':
        return yield* this.touch(rec);
      case 'fork':
        return yield* this.fork(rec);
      case 'exec':
        return yield* this.exec(rec);
      case 'exit':
        this.host.world.exits.set(this.host.world.program.threads[this.index].pid, rec.code);
        if (rec.last && this.host.readBack) yield* this.readBack();
        return yield* this.leaveSpace();
      case 'mmap':
      case 'munmap':
      case 'mprotect':
      case 'mremap':
      case 'brk':
      case 'madvise':
      case 'msync':
      case 'mlock':
        return yield* this.call(rec.kind, (space) =>
          space === null ? nothing() : replayMemoryCall(this.host.world, space, rec),
        );
      case 'sync':
      case 'call':
      case 'added':
      case 'removed':
      case 'rss':
      case 'map-around':
      case 'file-fault':
        return; // what these touched is recorded as touches
      default:
        return yield* this.call(rec.kind, (space) => replayFileCall(this.host.world, space, rec));
    }
  }

  /** A program that is told ENOMEM tries again, a few times; other errors it takes. */
  private *call(name: string, perform: (space: Space | null) => Op<number>): Op<void> {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const error = yield* perform(this.space);
      this.note(name, error);
      if (error !== -ENOMEM) return;
    }
  }

  private note(call: string, error: number): void {
    if (error < 0) this.host.world.newError(call, error);
  }

  private *touch(rec: Touch): Op<void> {
    if (this.space === null) return;
    let error = 0;
    // Without memory for a fault the kernel lets others free some, and the access is tried again, before it kills.
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      ({ error } = yield* this.host.world.memory.touch(this.space, rec.page, rec.access));
      if (error !== -ENOMEM) break;
    }
    if (error === 0) return;
    if (rec.kernel) this.note('copy to or from user memory', -14);
    else this.die(SIGNAL_NAMES[error] ?? `signal ${error}`);
  }

  /** The process gets a signal that it did not get when it was recorded: memory is short, or a read failed. */
  private die(signal: string): void {
    const { world } = this.host;
    const { pid } = world.program.threads[this.index];
    world.killed.add(pid);
    world.newErrors[`killed by ${signal}`] = (world.newErrors[`killed by ${signal}`] ?? 0) + 1;
  }

  private *fork(rec: Fork): Op<void> {
    const { world } = this.host;
    const child = world.program.threads.findIndex(({ tid }) => tid === rec.child);
    if (child < 0) return;
    const shareVm = rec.shares.includes('vm');
    const space = shareVm ? this.space : world.spaces[rec.space];
    const task = this.host.spawn(child, space, { thread: this.index, count: this.next + 1 });
    const begun = world.contents.moment();
    const error = yield* whileMemoryIsShort(() => copyMm(task, shareVm));
    if (error !== 0) {
      this.note('fork', error);
      world.stillborn.add(child);
      return;
    }
    if (shareVm || this.space === null || space === null) return;
    space.areas = this.space.areas.clone();
    world.contents.fork(this.space.id, space.id, begun);
  }

  private *exec(rec: Rec & { kind: 'exec' }): Op<void> {
    const { world, spaces } = this.host;
    const before = this.space;
    // What was resident in the old image is known only before it goes.
    if (before !== null) spaces.leave(before.id);
    const error = yield* whileMemoryIsShort(() => replayExec(world, rec));
    if (error !== 0) {
      this.note('execve', error);
      return this.die('a failed execve');
    }
    this.space = world.spaces[rec.space];
    this.space.areas = AreaMap.ofImage(rec.maps, rec.brk);
    yield* this.pushArguments(rec);
    spaces.enter(rec.space, current());
  }

  /** copy_strings(): arguments and environment lie at the top of the new stack. */
  private *pushArguments(rec: Rec & { kind: 'exec' }): Op<void> {
    const stack = rec.maps.find((vma) => vma.kind === 'stack');
    const pages = this.host.world.truth.spaces[rec.space].argumentPages;
    if (stack === undefined || this.space === null) return;
    for (let i = 1; i <= pages; i++) yield* this.host.world.memory.touch(this.space, stack.to - i, 'write');
  }

  private *leaveSpace(): Op<void> {
    if (this.space === null) return;
    this.host.spaces.leave(this.space.id);
    this.space = null;
    yield* exitMm();
  }

  /** Lets go of everybody who would wait for what this thread, or a child it never made, still had to do. */
  private *abandon(thread: number, from: number): Op<void> {
    const { world } = this.host;
    for (const { rec } of world.program.threads[thread].actions.slice(from)) {
      if (rec.kind !== 'fork') continue;
      const child = world.program.threads.findIndex(({ tid }) => tid === rec.child);
      if (child >= 0) yield* this.abandon(child, 0);
    }
    yield* world.gates.leave(thread);
  }
}
