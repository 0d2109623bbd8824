// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { NULL, STATIC_WORDS, smpMb, store } from '@lockless/cpu';
import type { Bio, File } from '@lockless/mm-types';
import { DISK_DEVICE, FMODE_READ, FMODE_WRITE, type Inode, MmStruct } from '@lockless/mm-types';
import { vmEvents } from '@lockless/page';
import { attachBlockMap, BackingStore, contentOf, fileOpen, filePut, inodeAlloc } from '@lockless/pagecache';
import { Machine, type MachineOptions, Random, type RunOutcome } from '@lockless/simulator';
import {
  adoptMm,
  type BootOptions,
  backgroundTasks,
  boot,
  buildMm,
  checkMmInvariants,
  diskInterrupt,
  exitMm,
  machineHooks,
  type Segment,
  shmemInode,
  shutdown,
  swapMapAgrees,
  swapoffAll,
  sysPread,
} from '../src/index.js';

export interface SystemOptions extends MachineOptions, Partial<Omit<BootOptions, 'cpus'>> {
  /** Files and their pages. */
  readonly files?: readonly number[];
  readonly processes?: number;
  readonly threads?: number;
  /** The files are in memory, and go to swap. */
  readonly inMemory?: boolean;
  /** The areas of each process. */
  readonly segments?: (files: readonly Ptr<File>[]) => readonly Segment[];
}

/** A process: its address space, and what its threads share in the test. */
export class Process {
  readonly id: number;
  readonly parent: Process | null;
  readonly mm: Ptr<MmStruct>;
  /** Tokens given out so far: 1, 2, 3 ... */
  issued = 0;
  /** Of the parent's tokens, those up to here may be seen. */
  readonly inherited: number;
  constructor(id: number, mm: Ptr<MmStruct>, parent: Process | null) {
    this.id = id;
    this.mm = mm;
    this.parent = parent;
    this.inherited = parent?.issued ?? 0;
  }

  /** A datum that no other process writes: negative, so that it is no file's. */
  token(): number {
    this.issued += 1;
    return -(this.id * 65_536 + this.issued);
  }

  /** Whether a program of this process may find that datum in private memory. */
  maySee(identity: number, upTo: number = this.issued): boolean {
    const id = Math.floor(-identity / 65_536);
    const number = -identity % 65_536;
    if (id === this.id) return number <= upTo;
    return this.parent?.maySee(identity, this.inherited) ?? false;
  }
}

/** A disk that knows which pages of files were taken away from it: by truncation, or for a hole. */
class WitnessedStore extends BackingStore {
  private readonly freed: { readonly ino: number; readonly first: number; readonly end: number }[] = [];

  override truncate(ino: number, first: number, end: number = Number.POSITIVE_INFINITY): void {
    this.freed.push({ ino, first, end });
    super.truncate(ino, first, end);
  }

  wasFreed(ino: number, index: number): boolean {
    return this.freed.some((range) => range.ino === ino && index >= range.first && index < range.end);
  }
}

/** A machine with memory management, a disk, files and processes. */
export class System {
  readonly machine: Machine;
  readonly store: WitnessedStore = new WitnessedStore();
  readonly inodes: Ptr<Inode>[] = [];
  readonly files: Ptr<File>[] = [];
  readonly processes: Process[] = [];
  readonly random: Random;
  /** Complaints of the programs themselves. */
  readonly complaints: string[] = [];
  /** Writes to each datum so far. */
  readonly writes: Map<number, number> = new Map();
  /** Pages that reclaim freed. */
  pagesReclaimed = 0;
  hugePagesSplit = 0;
  /** Pages read from and written to the swap area. */
  swap: { ins: number; outs: number } = { ins: 0, outs: 0 };
  /** Pages of each file in memory that are to be found as they were written when the programs are over. */
  pagesToRead = 0;
  private swapsOff = false;
  private living: Process[] = [];
  private nextId = 1;
  private tasks = 0;

  constructor(options: SystemOptions) {
    const { files = [16], processes = 1, segments = () => [], threads = 2 } = options;
    this.machine = new Machine({ memoryWords: STATIC_WORDS + (1 << 19), ...options, hooks: machineHooks });
    this.random = new Random(options.seed ?? 1, 77);
    attachBlockMap(this.store);
    const { store: disk } = this;
    this.machine.attachDevice(DISK_DEVICE, {
      name: 'disk',
      latency: (_request, random) => 1_000 + random.below(10_000),
      queueDepth: 4,
      service: (request, words, fails) => disk.service(request as Ptr<Bio>, words, fails),
      interrupt: diskInterrupt,
    });
    this.machine.boot(this.boot(options, files, processes, threads, segments));
    for (const { name, body } of backgroundTasks) this.machine.spawn(name, body, { daemon: true });
    this.machine.addInvariant({
      name: 'memory at rest',
      check: () => checkMmInvariants({ mms: this.living.map(({ mm }) => mm), inodes: this.inodes }),
    });
  }

  private *boot(
    options: SystemOptions,
    files: readonly number[],
    processes: number,
    threads: number,
    segments: NonNullable<SystemOptions['segments']>,
  ): Op<void> {
    yield* boot({ memoryPages: 512, minFreeKbytes: 64, ...options, cpus: this.machine.config.cpus });
    for (const [i, pages] of files.entries()) {
      const inode = yield* (options.inMemory === true ? shmemInode : inodeAlloc)(i + 3, pages * 4096);
      if (inode === NULL) throw new Error('no memory for an inode');
      this.inodes.push(inode);
      this.files.push((yield* fileOpen(inode, FMODE_READ | FMODE_WRITE)) as Ptr<File>);
    }
    for (let i = 0; i < processes; i++) {
      const mm = yield* buildMm({ segments: segments(this.files), brk: 0x1000, mmapBase: 0x70000, pid: i + 1 });
      if (mm === NULL) throw new Error('no memory for a process');
      yield* store(MmStruct.mmUsers(mm), threads);
      this.processes.push(this.adopt(mm, null));
    }
  }

  private adopt(mm: Ptr<MmStruct>, parent: Process | null): Process {
    const process = new Process(this.nextId++, mm, parent);
    this.living.push(process);
    return process;
  }

  written(identity: number): void {
    this.writes.set(identity, (this.writes.get(identity) ?? 0) + 1);
  }

  /**
   * Pages of files whose version on the disk is not the number of writes. Writes to a page that was cut off, or became a hole (MADV_REMOVE),
   * went with it: of those the disk has none that was not made. For runs without failing requests.
   */
  lostWrites(pages: number): string[] {
    const lost: string[] = [];
    for (let i = 0; i < this.inodes.length; i++) {
      for (let index = 0; index < pages; index++) {
        const writes = this.writes.get(contentOf(i + 3, index)) ?? 0;
        const version = this.store.versionOf(i + 3, index);
        if (this.store.wasFreed(i + 3, index) ? version > writes : version !== writes)
          lost.push(`page ${index} of inode ${i + 3}: ${writes} writes, version ${version} on the disk`);
      }
    }
    return lost;
  }

  /** As {@link lostWrites}, of files in memory of so many pages; where they are now they are read. For runs that cut nothing off. */
  *lostInMemory(pages: number): Op<string[]> {
    const lost: string[] = [];
    for (const [i, file] of this.files.entries()) {
      for (let index = 0; index < pages; index++) {
        const writes = this.writes.get(contentOf(i + 3, index)) ?? 0;
        yield* sysPread(file, index * 4096, 4096, null, ({ version }) => {
          if (version !== writes) lost.push(`page ${index} of inode ${i + 3}: ${writes} writes, version ${version}`);
        });
      }
    }
    return lost;
  }

  /** A thread of a process; its address space stays. */
  thread(process: Process, body: (process: Process) => Op<void>): void {
    const { tasks } = this;
    this.spawn(`thread ${tasks} of ${process.id}`, function* () {
      yield* adoptMm(process.mm);
      yield* body(process);
    });
  }

  /** From kernel code: a child on a copy of an address space. It exits when its body is done. */
  child(mm: Ptr<MmStruct>, parent: Process, body: (process: Process) => Op<void>): void {
    const process = this.adopt(mm, parent);
    this.spawn(`child ${process.id}`, () => this.childBody(process, body));
  }

  private *childBody(process: Process, body: (process: Process) => Op<void>): Op<void> {
    yield* adoptMm(process.mm);
    yield* body(process);
    this.living = this.living.filter((other) => other !== process);
    yield* exitMm();
  }

  private spawn(name: string, body: () => Op<void>): void {
    this.tasks += 1;
    const finish = this.finish.bind(this);
    this.machine.spawn(name, function* () {
      yield* body();
      yield* finish();
    });
  }

  /** The last one brings the machine to rest. */
  private *finish(): Op<void> {
    yield* smpMb();
    this.tasks -= 1;
    if (this.tasks !== 0) return;
    if (!this.swapsOff && this.pagesToRead > 0) this.complaints.push(...(yield* this.lostInMemory(this.pagesToRead)));
    yield* shutdown(this.inodes);
    this.swap = { ins: vmEvents().pswpin, outs: vmEvents().pswpout };
    if (this.swapsOff) yield* this.endSwap();
    this.pagesReclaimed = vmEvents().pgsteal;
    this.hugePagesSplit = vmEvents().thp_split;
  }

  /** Nobody has memory any more: each place that is in use is the swap cache's, and swapoff frees them all. */
  private *endSwap(): Op<void> {
    const leak = swapMapAgrees([]);
    if (leak !== null) this.complaints.push(leak);
    const error = yield* swapoffAll();
    if (error !== 0) this.complaints.push(`swapoff: ${error}`);
    yield* shutdown(this.inodes);
  }

  /** Runs to rest and checks; then ends all processes, closes all files, and checks again. Null when all is right. */
  run(maxSteps = 20_000_000): string | null {
    const first = this.describe(this.machine.run({ maxSteps }));
    if (first !== null) return first;
    this.swapsOff = true;
    for (const process of this.living) {
      this.spawn(`exit ${process.id}`, function* () {
        yield* store(MmStruct.mmUsers(process.mm), 1);
        yield* adoptMm(process.mm);
        yield* exitMm();
      });
    }
    this.living = [];
    this.spawn('close', () => this.close());
    return this.describe(this.machine.run({ maxSteps }));
  }

  private *close(): Op<void> {
    for (const file of this.files) yield* filePut(file);
  }

  private describe(outcome: RunOutcome): string | null {
    if (this.complaints.length > 0) return this.complaints[0];
    if (outcome.status === 'finished') return null;
    return `${outcome.status}: ${outcome.violation?.message ?? 'not finished'}`;
  }
}
