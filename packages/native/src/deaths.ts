// SPDX-License-Identifier: MIT
import type { CpuLocal, Ptr } from '@lockless/cpu/native';
import {
  CACHE_LINE_WORDS,
  Completion,
  HELD_ADDRESS,
  HELD_MUTEX,
  HELD_READ,
  HELD_UNSURE,
  Mutex,
  RwSemaphore,
  spinLockWord,
  spinUnlockWord,
  spoiltLocks,
  thisCpu,
  WaitQueueHead,
} from '@lockless/cpu/native';
import {
  Machine,
  machineWords,
  NAME_WORDS,
  NativeTask,
  SLOT_ALIVE,
  SLOT_DYING,
  SPOILT_LOCKS,
  slotOf,
  spoiltEntry,
  ThreadSlot,
} from './layout.js';
import { type Held, isSleeping, Leftovers, repairList } from './leftovers.js';
import type { Names } from './names.js';
import type { PublishedLayout } from './published-layout.js';
import type { Slab } from './slab.js';
import type { Tasks } from './tasks.js';
import type { Threads } from './threads.js';

/** One lock that a dead thread held or was about to take. */
export interface LeftLock {
  /** With its kind: `spin lock zone.lock`, `mutex urcu_callbacks.reclaim`. */
  readonly name: string;
  readonly held: Held;
  /** What became of it. `spoilt`: whoever takes it gets an error, as nobody knows how to repair what it protects. */
  readonly outcome: 'not held' | 'repaired' | 'spoilt' | 'unclear';
}

/** What a thread left when it died. */
export interface DeathReport {
  readonly cpu: number;
  readonly name: string;
  readonly threadId: number;
  readonly locks: readonly LeftLock[];
  /** Wait queues that it was on; it was taken off. */
  readonly queues: readonly string[];
  /** Words that said what it was doing, such as its RCU reader, and were cleared. */
  readonly cleared: readonly string[];
}

/**
 * Puts in order what a lock protects, whose holder died at any point of its critical section. Runs with the lock held, in the thread that found out, as the
 * dead thread's CPU. `base`: of the struct that the lock is in. False: it cannot be put in order.
 */
export type LockRepair = (lock: number, base: number, cpu: number) => boolean;

/**
 * A lock whose word does not name its holder is looked at again while others go on: what the dead held stays held, what it did not moves. The verdict is
 * one that came so often in a row, of at most so many looks, so many milliseconds apart.
 */
const IN_A_ROW = 12;
const LOOKS = 400;
const BETWEEN_LOOKS = 0.25;

export class Deaths {
  private readonly words: Int32Array;
  private readonly threads: Threads;
  private readonly tasks: Tasks;
  private readonly names: Names;
  private readonly slab: Slab;
  private readonly published: PublishedLayout;
  private readonly asCpu: <T>(cpu: number, call: () => T) => T;
  private readonly repairs = new Map<string, LockRepair>();
  readonly leftovers: Leftovers;

  constructor(
    words: Int32Array,
    threads: Threads,
    tasks: Tasks,
    names: Names,
    slab: Slab,
    published: PublishedLayout,
    asCpu: <T>(cpu: number, call: () => T) => T,
  ) {
    this.words = words;
    this.threads = threads;
    this.tasks = tasks;
    this.names = names;
    this.slab = slab;
    this.published = published;
    this.asCpu = asCpu;
    this.leftovers = new Leftovers(words, threads);
    const list = (head: number): boolean => {
      repairList(words, head as Parameters<typeof repairList>[1]);
      return true;
    };
    this.repair('wait_queue_head_t.lock', (_, base) => list(WaitQueueHead.taskList(base as Ptr<WaitQueueHead>)));
    this.repair('mutex.waitLock', (_, base) => list(Mutex.waitList(base as Ptr<Mutex>)));
    this.repair('rw_semaphore.waitLock', (_, base) => list(RwSemaphore.waitList(base as Ptr<RwSemaphore>)));
    this.repair(`${Completion.$name}.lock`, () => true);
  }

  /** Says how to repair what locks of that name protect: `<struct>.<field>`, or the name of a static lock. */
  repair(name: string, repair: LockRepair): void {
    this.repairs.set(name, repair);
  }

  /** Clears away what a thread left, unless somebody else does or did; then null. `last` runs before anybody gets its slot. */
  declare(cpu: number, last: (report: DeathReport) => void): DeathReport | null {
    const state = ThreadSlot.state(slotOf(cpu));
    if (Atomics.compareExchange(this.words, state, SLOT_ALIVE, SLOT_DYING) !== SLOT_ALIVE) return null;
    const me = thisCpu.id;
    this.words[ThreadSlot.repairer(slotOf(cpu))] = me + 1;
    const { name, threadId } = this.threads.status(cpu);
    const report = { cpu, name, threadId, ...this.asCpu(cpu, () => this.clearAway(cpu)) };
    last(report);
    this.threads.free(cpu);
    // It may have been repairing after somebody itself.
    for (let other = 0; other < this.threads.limit; other++) {
      if (this.threads.state(other) !== SLOT_DYING || this.words[ThreadSlot.repairer(slotOf(other))] !== cpu + 1)
        continue;
      Atomics.store(this.words, ThreadSlot.state(slotOf(other)), SLOT_ALIVE);
      this.declare(other, last);
    }
    return report;
  }

  /** Locks, queues and words of a thread that goes no further. *Context*: as its CPU. */
  clearAway(cpu: number): Pick<DeathReport, 'locks' | 'queues' | 'cleared'> {
    const recorded = [...new Set(this.leftovers.recorded(cpu))];
    const spinning = recorded.filter((entry) => !isSleeping(entry)).map((entry) => this.clearSpinLock(cpu, entry));
    const sleeping = recorded.filter(isSleeping).map((entry) => this.clearSleepingLock(cpu, entry));
    const queues: string[] = [];
    for (const task of this.tasks.of(cpu)) {
      const queue = this.leftovers.leaveQueue(task);
      if (queue !== 0) queues.push(this.names.describeStruct(queue));
    }
    const cleared = this.transient(cpu, true).map(({ name }) => name);
    const first = ThreadSlot.held(slotOf(cpu), 0);
    this.words.fill(0, first, first + recorded.length + 1);
    return { locks: [...spinning, ...sleeping], queues, cleared };
  }

  /** Words that are to be 0 when their CPU is gone: those that are not. */
  transient(cpu: number, clear: boolean): { readonly name: string; readonly value: number }[] {
    const found: { name: string; value: number }[] = [];
    for (const { rows } of this.published.all())
      for (const [name, start, , transient] of rows) {
        const word = start + cpu * CACHE_LINE_WORDS;
        const value = transient === 0 ? 0 : Atomics.load(this.words, word);
        if (value === 0) continue;
        if (clear) Atomics.store(this.words, word, 0);
        found.push({ name: cpu === 0 ? name : `${name}[${cpu}]`, value });
      }
    return found;
  }

  /** The thread that left this lock spoilt, or null. */
  spoiltBy(entry: number): string | null {
    for (let index = 0; index < SPOILT_LOCKS; index++) {
      const spoilt = spoiltEntry(index);
      if (this.words[spoilt] !== (entry & HELD_ADDRESS)) continue;
      return `${this.threads.readName(spoilt + 2)} (CPU ${this.words[spoilt + 1] - 1})`;
    }
    return null;
  }

  private clearSpinLock(cpu: number, entry: number): LeftLock {
    const name = this.names.describeLock(entry);
    const held =
      (entry & HELD_UNSURE) === 0
        ? this.leftovers.spinLockHeld(cpu, entry)
        : this.untilClear(() => this.leftovers.spinLockHeld(cpu, entry));
    if (held !== 'yes') return { name, held, outcome: held === 'no' ? 'not held' : 'unclear' };
    const outcome = this.repaired(cpu, entry) ? 'repaired' : 'spoilt';
    if (outcome === 'spoilt') this.spoil(cpu, entry);
    this.leftovers.releaseSpinLock(entry);
    return { name, held, outcome };
  }

  private clearSleepingLock(cpu: number, entry: number): LeftLock {
    const name = this.names.describeLock(entry);
    const tasks = [...this.tasks.of(cpu)];
    const owner = (entry & HELD_MUTEX) !== 0 ? this.words[Mutex.owner((entry & HELD_ADDRESS) as Ptr<Mutex>)] : 0;
    const task = tasks.find((each) => each === owner) ?? tasks[0];
    const sure = (entry & HELD_UNSURE) === 0 || owner === NativeTask.task(task);
    const held = sure
      ? 'yes'
      : this.untilClear(() => {
          for (const each of tasks) if (each !== task) this.leftovers.sleepingLockHeld(cpu, entry, each);
          return this.leftovers.sleepingLockHeld(cpu, entry, task);
        });
    if (held !== 'yes') return { name, held, outcome: held === 'no' ? 'not held' : 'unclear' };
    const outcome = this.repaired(cpu, entry) ? 'repaired' : 'spoilt';
    if (outcome === 'spoilt') this.spoil(cpu, entry);
    (thisCpu as { current: CpuLocal['current'] }).current = NativeTask.task(task);
    this.leftovers.releaseSleepingLock(entry);
    return { name, held, outcome };
  }

  private untilClear(look: () => Held): Held {
    let verdict = look();
    for (let again = 1, same = 1; again < LOOKS && (same < IN_A_ROW || verdict === 'maybe'); again++) {
      const next = performance.now() + BETWEEN_LOOKS;
      while (performance.now() < next);
      const before = verdict;
      verdict = look();
      same = verdict === before ? same + 1 : 1;
    }
    return verdict;
  }

  private repaired(cpu: number, entry: number): boolean {
    // Who reads leaves nothing half done.
    if ((entry & HELD_READ) !== 0) return true;
    const lock = entry & HELD_ADDRESS;
    // The engine's own: every change that they protect is one store.
    if (lock >= machineWords && lock < machineWords + Machine.$size) return true;
    const name = this.names.describeBare(entry);
    if (name.startsWith('kmem_cache ')) {
      this.slab.repair(lock);
      return true;
    }
    const place = this.names.placeOf(lock);
    const repair =
      this.repairs.get(name) ?? this.repairs.get(place === null ? '' : `${place.layout.$name}.${place.field}`);
    // Of a mutex the address is that of its struct: what it protects is what it is part of.
    return repair?.(lock, place?.base ?? lock, cpu) ?? false;
  }

  private spoil(cpu: number, entry: number): void {
    const lock = Machine.spoiltLock(machineWords);
    spinLockWord(lock);
    for (let index = 0; index < SPOILT_LOCKS; index++) {
      if (this.words[spoiltEntry(index)] !== 0) continue;
      const name = ThreadSlot.name(slotOf(cpu), 0);
      this.words[spoiltEntry(index) + 1] = cpu + 1;
      this.words.copyWithin(spoiltEntry(index) + 2, name, name + NAME_WORDS);
      this.words[spoiltEntry(index)] = entry & HELD_ADDRESS;
      break;
    }
    Atomics.add(this.words, spoiltLocks, 1);
    spinUnlockWord(lock);
  }
}
