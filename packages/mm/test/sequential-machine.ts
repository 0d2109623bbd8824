// SPDX-License-Identifier: GPL-2.0-only
import type { Access, Op, Ptr } from '@lockless/cpu';
import {
  HARDIRQ_OFFSET,
  NULL,
  PRIMITIVES,
  peek,
  poke,
  SequentialEngine,
  STATIC_WORDS,
  TaskStruct,
} from '@lockless/cpu';
import type { File, MmStruct } from '@lockless/mm-types';
import { BIO_WRITE, Bio, FMODE_READ, FMODE_WRITE, Inode, taskMm } from '@lockless/mm-types';
import { attachBlockMap, BackingStore, bioEndIo, fileOpen, inodeAlloc } from '@lockless/pagecache';
import { rcuIdle } from '@lockless/rcu';
import {
  type BootOptions,
  boot,
  buildMm,
  checkMmInvariants,
  dupMm,
  exitMm,
  type MmapRequest,
  PROT_READ,
  PROT_WRITE,
  type Segment,
  settle,
  shmemInode,
  sysMmap,
  type UserAccess,
  userAccess,
  userRead,
  userWrite,
} from '../src/index.js';

/** Another task's work, done as a whole right before an access of the task that runs. */
export interface Interposition {
  /** Whether this is the access. */
  readonly before: (name: string, address: number) => boolean;
  readonly mm: Ptr<MmStruct> | 0;
  readonly op: () => Op<unknown>;
}

/** One CPU whose disk is done with a request at once: the interrupt comes within submit_io. */
class EngineWithDisk extends SequentialEngine {
  readonly store: BackingStore = new BackingStore();
  interposition: Interposition | null = null;
  /** What every write to the disk ends in: 0 or -errno. */
  failWrites = 0;
  private readonly other: Ptr<TaskStruct> = this.heap.reserve(TaskStruct.$size) as Ptr<TaskStruct>;

  override step(access: Access<unknown>): IteratorResult<Access<unknown>, unknown> {
    const { interposition } = this;
    if (interposition?.before(PRIMITIVES[access.code].name, access.address) === true)
      this.interpose(interposition, access);
    if (PRIMITIVES[access.code].event !== 'IO') return super.step(access);
    const bio = access.address as Ptr<Bio>;
    this.store.transfer(bio, this.words, peek(Bio.rw(bio)) === BIO_WRITE ? this.failWrites : 0);
    const handler = bioEndIo(bio);
    const before = this.cpu.irqsDisabled;
    this.cpu.irqsDisabled = true;
    this.cpu.preemptCount += HARDIRQ_OFFSET;
    while (!handler.next().done);
    this.cpu.preemptCount -= HARDIRQ_OFFSET;
    this.cpu.irqsDisabled = before;
    return { done: true, value: undefined };
  }

  private interpose({ mm, op }: Interposition, access: Access<unknown>): void {
    this.interposition = null;
    const { code, address, operand, expected } = access;
    const { preemptCount, irqsDisabled, rcuReaders, current } = this.cpu;
    Object.assign(this.cpu, { preemptCount: 0, irqsDisabled: false, rcuReaders: 0, current: this.other });
    poke(taskMm(this.other), mm);
    const running = op();
    while (!running.next().done);
    Object.assign(this.cpu, { preemptCount, irqsDisabled, rcuReaders, current });
    Object.assign(access, { code, address, operand, expected });
  }
}

export const RW: number = PROT_READ | PROT_WRITE;

/** A machine of one CPU and one task, which takes on the address space that it is told to. */
export class SequentialMachine {
  readonly engine: EngineWithDisk;
  readonly inodes: Ptr<Inode>[] = [];
  readonly mms: Set<Ptr<MmStruct>> = new Set();

  constructor(options: Partial<BootOptions> = {}, failAllocation?: () => boolean) {
    this.engine = new EngineWithDisk({
      words: STATIC_WORDS + (1 << 19),
      ...(failAllocation ? { failAllocation } : {}),
    });
    attachBlockMap(this.engine.store);
    this.run(boot({ cpus: 1, memoryPages: 4096, minFreeKbytes: 128, ...options }));
  }

  run<T>(op: Op<T>): T {
    return this.engine.run(op);
  }

  /** Reads a word from outside. */
  look<T>(read: () => T): T {
    return this.run(
      (function* (): Op<T> {
        return read();
      })(),
    );
  }

  private get currentMm() {
    return taskMm(this.engine.cpu.current as never);
  }

  /** Runs as a program in that address space. */
  as<T>(mm: Ptr<MmStruct>, op: Op<T>): T {
    const { currentMm } = this;
    return this.run(
      (function* (): Op<T> {
        poke(currentMm, mm);
        const result = yield* op;
        poke(currentMm, NULL);
        return result;
      })(),
    );
  }

  /** A new process. */
  process(segments: readonly Segment[] = [], pid = 1): Ptr<MmStruct> {
    const brk = 0x1000;
    const mm = this.run(buildMm({ segments, brk, mmapBase: 0x700000, pid }));
    if (mm === NULL) throw new Error('no memory for a process');
    this.mms.add(mm);
    return mm;
  }

  fork(mm: Ptr<MmStruct>): Ptr<MmStruct> {
    const child = this.run(dupMm(mm));
    if (child === NULL) throw new Error('no memory for a fork');
    this.mms.add(child);
    return child;
  }

  exit(mm: Ptr<MmStruct>): void {
    const { currentMm } = this;
    this.run(
      (function* (): Op<void> {
        poke(currentMm, mm);
        yield* exitMm();
      })(),
    );
    this.mms.delete(mm);
  }

  /** An inode and a file open for reading and writing. */
  file(ino: number, bytes: number, alloc: typeof inodeAlloc = inodeAlloc): { inode: Ptr<Inode>; file: Ptr<File> } {
    const { inodes } = this;
    return this.run(
      (function* () {
        const inode = (yield* alloc(ino, bytes)) as Ptr<Inode>;
        inodes.push(inode);
        return { inode, file: (yield* fileOpen(inode, FMODE_READ | FMODE_WRITE)) as Ptr<File> };
      })(),
    );
  }

  /** As {@link file}, in memory. */
  memoryFile(ino: number, bytes: number): { inode: Ptr<Inode>; file: Ptr<File> } {
    return this.file(ino, bytes, shmemInode);
  }

  mmap(mm: Ptr<MmStruct>, request: MmapRequest): number {
    return this.as(mm, sysMmap(request));
  }

  touch(mm: Ptr<MmStruct>, page: number, kind: 'read' | 'write' | 'exec' = 'read'): UserAccess {
    return this.as(mm, userAccess(page, kind));
  }

  read(mm: Ptr<MmStruct>, page: number): UserAccess {
    return this.as(mm, userRead(page));
  }

  write(mm: Ptr<MmStruct>, page: number, identity: number, version = 1): UserAccess {
    return this.as(mm, userWrite(page, { identity, version }));
  }

  /** Brings the machine to rest and checks everything. Null when all is right. */
  verify(): string | null {
    this.run(settle(this.inodes));
    this.run(rcuIdle());
    return this.look(() =>
      checkMmInvariants({ mms: [...this.mms], inodes: this.inodes.filter((inode) => peek(Inode.count(inode)) >= 0) }),
    );
  }
}

/** An anonymous, private, readable and writable segment. */
export const anonymous = (start: number, pages: number, flags = 0): Segment => ({
  start,
  end: start + pages,
  prot: RW,
  shared: false,
  file: NULL,
  pgoff: 0,
  flags,
});
