// SPDX-License-Identifier: MIT
import type { NativeEngine, Ptr, TaskStruct } from '@lockless/cpu/native';
import { enterIdle, HELD_READ, HELD_UNSURE, installEngine } from '@lockless/cpu/native';
import { Deaths } from './deaths.js';
import { NativeError } from './errors.js';
import { JobEnd } from './job-end.js';
import { Machine, machineWords } from './layout.js';
import { LockWaiting } from './lock-waiting.js';
import type { ThreadOptions } from './memory.js';
import { Names } from './names.js';
import { PublishedLayout } from './published-layout.js';
import { Slab } from './slab.js';
import { canSleep, servesEvents } from './surroundings.js';
import { Tasks } from './tasks.js';
import { ThisThread } from './this-thread.js';
import { Threads } from './threads.js';

const SILENT_AFTER = 10_000;

/** A device: does the request (a struct in the machine's words) some time, and then whatever its driver expects at the end. */
export type Device = (request: number) => void;

/** What one thread runs kernel-side code with: the parts of the machine as this thread sees them, and the calls that the native build of cpu makes. */
export class ThreadEngine implements NativeEngine {
  readonly words: Int32Array;
  readonly quietRcu: boolean;
  readonly cpu: number;
  readonly slots: Threads;
  readonly slab: Slab;
  readonly tasks: Tasks;
  readonly published: PublishedLayout;
  readonly names: Names;
  readonly deaths: Deaths;
  readonly self: ThisThread;
  private readonly locks: LockWaiting;
  private readonly jobEnd: JobEnd;
  private readonly devices: Device[] = [];

  /** Takes a free slot of the machine; kernel-side code of this thread runs on it from here on. */
  constructor(words: Int32Array, { name = '', mayBlock = !servesEvents(), silentAfter = SILENT_AFTER }: ThreadOptions) {
    this.words = words;
    this.quietRcu = words[Machine.quietRcu(machineWords)] === 1;
    this.jobEnd = new JobEnd(words);
    this.slots = new Threads(words);
    this.slab = new Slab(words);
    this.tasks = new Tasks(words, this.slots, this.slab, mayBlock && canSleep(), silentAfter);
    this.published = new PublishedLayout(words);
    this.names = new Names(this.slab, this.published);
    this.locks = new LockWaiting(words, this.slots, this.names, canSleep(), silentAfter, (another) =>
      this.self.watchLoop(another),
    );
    this.deaths = new Deaths(words, this.slots, this.tasks, this.names, this.slab, this.published, (cpu, call) =>
      this.self.asCpu(cpu, call),
    );
    this.cpu = this.slots.claim(name);
    this.self = new ThisThread(this, this.cpu, this.slots, this.deaths, this.names, silentAfter);
    installEngine(this, this.self.local);
    this.tasks.inherit();
  }

  /** Gives submitIo() a device; its number. */
  addDevice(device: Device): number {
    return this.devices.push(device) - 1;
  }

  allocate(cache: number): number {
    return this.slab.allocate(cache);
  }
  release(cache: number, object: number): void {
    this.slab.release(cache, object);
  }
  reserve(size: number): number {
    return this.slab.reserve(size);
  }
  schedule(): void {
    this.tasks.sleep(this.self);
  }
  wake(task: number, mask: number): boolean {
    return this.tasks.wake(task as Ptr<TaskStruct>, mask);
  }
  exitIdle(): void {
    this.jobEnd.ask();
  }
  relax(): void {
    this.locks.relax();
  }
  takeSlowly(lock: number): void {
    this.self.orForget(lock, () => this.locks.take(lock));
  }
  shareSlowly(lock: number): void {
    this.self.orForget(lock | HELD_READ | HELD_UNSURE, () => this.locks.share(lock));
  }
  unshare(lock: number): number {
    return this.locks.unshare(lock);
  }
  sleepOnLock(lock: number, value: number): void {
    this.locks.sleep(lock, value);
  }
  notifyLock(lock: number, all: boolean): void {
    this.locks.notify(lock, all);
  }
  submitIo(request: number, device: number): void {
    const found = this.devices[device];
    if (found === undefined)
      throw new NativeError('ERR_ATTACHED', `this thread has no device ${device}: see addDevice()`);
    Atomics.add(this.words, this.self.local.fence, 0);
    // It may take the thread's time, or block it.
    enterIdle();
    found(request);
  }
  refuseSpoiltLock(entry: number): void {
    this.self.refuseSpoiltLock(entry);
  }
}
