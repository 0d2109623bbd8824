// SPDX-License-Identifier: MIT
import type { Ptr, Ref } from '@lockless/cpu/native';
import { HELD_LOCKS, NR_CPUS, TaskStruct } from '@lockless/cpu/native';
import { NativeError } from './errors.js';
import {
  firstTaskOf,
  Machine,
  machineWords,
  NAME_WORDS,
  NativeTask,
  SLOT_ALIVE,
  SLOT_CLAIMED,
  SLOT_DYING,
  SLOT_FREE,
  slotOf,
  ThreadSlot,
} from './layout.js';
import { threadId } from './surroundings.js';

/** One attached thread, as others see it. */
export interface ThreadStatus {
  /** Its slot: what kernel-side code calls its CPU. */
  readonly cpu: number;
  readonly name: string;
  /** Node's number of the thread; in a browser, a random one. */
  readonly threadId: number;
  /** Milliseconds since its last sign of life. A thread gives one whenever its event loop turns, and while it waits. */
  readonly silentFor: number;
}

const NAME_BYTES: number = 4 * NAME_WORDS;
const now = (): number => Date.now() & 0x3fffffff;

/** The table of thread slots. */
export class Threads {
  private readonly words: Int32Array;

  constructor(words: Int32Array) {
    this.words = words;
  }

  /** Slots of this machine. */
  get limit(): number {
    return this.words[Machine.threads(machineWords)];
  }

  /** Takes a free slot for this thread. Throws NativeError when there is none. */
  claim(name: string): number {
    for (let cpu = 0; cpu < this.limit; cpu++) {
      if (Atomics.compareExchange(this.words, ThreadSlot.state(slotOf(cpu)), SLOT_FREE, SLOT_CLAIMED) !== SLOT_FREE)
        continue;
      this.prepare(cpu, name);
      Atomics.store(this.words, ThreadSlot.state(slotOf(cpu)), SLOT_ALIVE);
      return cpu;
    }
    const names = this.all().map((thread) => thread.name);
    throw new NativeError(
      'ERR_TOO_MANY_THREADS',
      `the machine has room for ${this.limit} threads (at most ${NR_CPUS}), and all are attached: ${names.join(', ')}`,
    );
  }

  private prepare(cpu: number, name: string): void {
    const { words } = this;
    const slot = slotOf(cpu);
    words[ThreadSlot.generation(slot)] += 1;
    words[ThreadSlot.threadId(slot)] = threadId();
    words.fill(0, ThreadSlot.held(slot, 0), ThreadSlot.held(slot, 0) + HELD_LOCKS);
    this.writeName(slot, name === '' ? `thread ${cpu}` : name);
    this.beat(cpu);
    const first = firstTaskOf(cpu);
    words[ThreadSlot.task(slot)] = first;
    for (let task = first; task !== 0; task = words[NativeTask.next(task)] as Ptr<NativeTask>)
      this.resetTask(cpu, task);
  }

  /** Makes a task as good as new. */
  resetTask(cpu: number, task: Ptr<NativeTask>): void {
    const { words } = this;
    words.fill(0, task, task + TaskStruct.$size);
    words[TaskStruct.pid(NativeTask.task(task))] = cpu + 1;
    words[TaskStruct.tgid(NativeTask.task(task))] = cpu + 1;
    words[NativeTask.queue(task)] = 0;
    words[NativeTask.cpu(task)] = cpu;
  }

  /** Gives a slot back. */
  free(cpu: number): void {
    this.words[ThreadSlot.repairer(slotOf(cpu))] = 0;
    Atomics.store(this.words, ThreadSlot.state(slotOf(cpu)), SLOT_FREE);
  }

  /** A sign of life. */
  beat(cpu: number): void {
    this.words[ThreadSlot.beat(slotOf(cpu))] = now();
  }

  silentFor(cpu: number): number {
    const since = (now() - this.words[ThreadSlot.beat(slotOf(cpu))]) & 0x3fffffff;
    // A beat that is later than our clock by a little looks like one of long ago.
    return since > 0x30000000 ? 0 : since;
  }

  /** What to say of a lock whose holder gives no sign of life. */
  silence(lock: string, cpu: number): string {
    return `${lock} is held by ${this.nameOf(cpu)} (CPU ${cpu}), which has given no sign of life for ${this.silentFor(cpu)} ms: it died unnoticed, or is stuck. If it is dead, say so by threadDied(${cpu})`;
  }

  state(cpu: number): number {
    return Atomics.load(this.words, ThreadSlot.state(slotOf(cpu)));
  }

  /** The threads that are attached, or dead and not yet cleared away. */
  all(): ThreadStatus[] {
    const found: ThreadStatus[] = [];
    for (let cpu = 0; cpu < this.limit; cpu++) {
      const state = this.state(cpu);
      if (state === SLOT_ALIVE || state === SLOT_DYING) found.push(this.status(cpu));
    }
    return found;
  }

  status(cpu: number): ThreadStatus {
    return {
      cpu,
      name: this.nameOf(cpu),
      threadId: this.words[ThreadSlot.threadId(slotOf(cpu))],
      silentFor: this.silentFor(cpu),
    };
  }

  nameOf(cpu: number): string {
    return this.readName(ThreadSlot.name(slotOf(cpu), 0));
  }

  /** A thread's name, wherever it was copied to. */
  readName(from: number): string {
    const bytes = new Uint8Array(this.words.slice(from, from + NAME_WORDS).buffer);
    const end = bytes.indexOf(0);
    return new TextDecoder().decode(bytes.subarray(0, end < 0 ? NAME_BYTES : end));
  }

  private writeName(slot: Ptr<ThreadSlot>, name: string): void {
    const bytes = new Uint8Array(NAME_BYTES);
    new TextEncoder().encodeInto(name, bytes);
    this.words.set(new Int32Array(bytes.buffer), ThreadSlot.name(slot, 0) as Ref<number>);
  }
}
