// SPDX-License-Identifier: GPL-2.0-only
import { NULL, type Op, type Ptr, peek, STATIC_WORDS, smpMb, store } from '@lockless/cpu';
import {
  adoptMm,
  boot,
  buildMm,
  type Content,
  checkMmInvariants,
  dupMm,
  exitMm,
  MADV_COLLAPSE,
  MADV_DONTNEED,
  machineHooks,
  PROT_READ,
  PROT_WRITE,
  shutdown,
  sysMadvise,
  sysMprotect,
  userRead,
  userWrite,
} from '@lockless/mm';
import { MmStruct } from '@lockless/mm-types';
import { Machine, Random } from '@lockless/simulator';
import {
  guestRead,
  guestWrite,
  Kvm,
  type KvmVcpu,
  kvmCreateVcpu,
  kvmCreateVm,
  kvmDestroyVm,
  kvmReleaseVcpu,
  kvmSetMemoryRegion,
  PAGES_PER_SLOT,
  sptesAgree,
} from '../src/index.js';

const RW = PROT_READ | PROT_WRITE;
const START = 2000;
const WRITERS = 2;
/** Huge pages are as large as what each writer has. */
const HUGE_ORDER = 2;

/** What happened to a page, by its one writer: event n is a write of version n, or a drop. */
interface History {
  issued: number;
  completed: number;
  readonly drops: Set<number>;
}

export interface StressOptions {
  readonly seed: number;
  readonly model: 'sc' | 'tso' | 'weak';
  readonly cpus: number;
  readonly without?: readonly string[];
  readonly steps?: number;
  /** The process has huge pages, and their tails are counted so. */
  readonly huge?: 'tail-mapcount' | 'grace-period' | 'tail-count';
}

/** What went wrong, or null; and how often a guest got an entry for a huge page. */
export interface StressOutcome {
  readonly wrong: string | null;
  readonly hugeEntries: number;
}

/** A process that writes, drops, protects and forks, and guests that come and go over its memory. */
class Stress {
  readonly machine: Machine;
  readonly random: Random;
  /** Pages of each writer; the last ones are written by a guest. */
  private readonly each: number;
  private readonly pages: number;
  readonly histories: History[];
  private hugeEntries = 0;
  readonly guests: Set<Ptr<Kvm>> = new Set();
  readonly wrong: string[] = [];
  private mm: Ptr<MmStruct> | typeof NULL = NULL;
  private living: Ptr<MmStruct>[] = [];
  private tasks = 0;
  private readonly options: StressOptions;

  constructor(options: StressOptions) {
    this.options = options;
    this.each = options.huge === undefined ? 3 : 1 << HUGE_ORDER;
    this.pages = this.each * (WRITERS + 1);
    this.histories = Array.from({ length: this.pages }, () => ({ issued: 0, completed: 0, drops: new Set([0]) }));
    const { seed, model, cpus, without = [] } = options;
    this.random = new Random(seed, 5);
    const memoryWords = STATIC_WORDS + (1 << 18);
    this.machine = new Machine({ seed, model, cpus, memoryWords, hooks: machineHooks });
    this.machine.boot(this.boot(cpus, without));
    this.machine.addInvariant({
      name: 'memory at rest',
      check: () => checkMmInvariants({ mms: this.living, inodes: [] }),
    });
    this.machine.addInvariant({ name: 'guests at rest', check: () => this.guestsAgree(true) });
  }

  private *boot(cpus: number, without: readonly string[]): Op<void> {
    const { huge } = this.options;
    const thp =
      huge === undefined ? {} : { transparentHugePages: { mode: 'always', order: HUGE_ORDER, tails: huge } as const };
    yield* boot({ cpus, memoryPages: huge === undefined ? 96 : 192, minFreeKbytes: 16, without, ...thp });
    const area = { start: START, end: START + this.pages, prot: RW, shared: false, file: NULL, pgoff: 0 } as const;
    this.mm = yield* buildMm({ segments: [area], brk: 0x1000, mmapBase: 0x7000, pid: 1 });
    if (this.mm === NULL) throw new Error('no memory for the process');
    this.living = [this.mm];
    yield* store(MmStruct.mmUsers(this.mm), WRITERS + 2);
  }

  private guestsAgree(atRest: boolean): string | null {
    for (const kvm of this.guests) {
      const wrong = sptesAgree(kvm, atRest);
      if (wrong !== null) return wrong;
    }
    return null;
  }

  run(): StressOutcome {
    const mm = this.mm as Ptr<MmStruct>;
    for (let i = 0; i < WRITERS; i++) this.thread(mm, () => this.writer(i * this.each));
    this.thread(mm, () => this.guest(false));
    this.thread(mm, () => this.guest(true));
    const { status, violation } = this.machine.run({ maxSteps: 10_000_000 });
    const unfinished = status === 'finished' ? null : `${status}: ${violation?.message ?? 'not finished'}`;
    return { wrong: this.wrong[0] ?? unfinished, hugeEntries: this.hugeEntries };
  }

  private thread(mm: Ptr<MmStruct>, body: () => Op<void>): void {
    this.tasks += 1;
    const { ended } = this;
    this.machine.spawn('thread', function* () {
      yield* adoptMm(mm);
      yield* body();
      yield* exitMm();
      yield* ended();
    });
  }

  private readonly ended = function* (this: Stress): Op<void> {
    this.tasks -= 1;
    if (this.tasks !== 0) return;
    this.living = [];
    yield* shutdown([]);
  }.bind(this);

  private *writer(first: number): Op<void> {
    for (let step = 0; step < (this.options.steps ?? 30); step++) {
      const page = first + this.random.below(this.each);
      const count = 1 + this.random.below(first + this.each - page);
      switch (this.random.below(this.options.huge === undefined ? 8 : 9)) {
        case 0:
        case 1:
          yield* this.change(page, count, true, () => sysMadvise(START + page, count, MADV_DONTNEED));
          break;
        case 2:
          yield* sysMprotect(START + first, this.each, PROT_READ);
          yield* sysMprotect(START + first, this.each, RW);
          break;
        case 3:
          yield* this.fork(page);
          break;
        case 8:
          yield* sysMadvise(START + first, this.each, MADV_COLLAPSE);
          break;
        default:
          yield* this.change(page, 1, false, (version) => userWrite(START + page, { identity: -1 - page, version }));
      }
      const other = this.random.below(this.pages);
      yield* this.look(other, function* () {
        return (yield* userRead(START + other)).content;
      });
    }
  }

  /** A child with a copy of the memory, of which it overwrites a page. */
  private *fork(page: number): Op<void> {
    const mm = yield* dupMm(this.mm as Ptr<MmStruct>);
    if (mm === NULL) return;
    this.living.push(mm);
    const forget = (): void => {
      this.living = this.living.filter((other) => other !== mm);
    };
    this.thread(mm, function* () {
      yield* userWrite(START + page, { identity: -9999, version: 1 });
      forget();
    });
  }

  /** One event of the history of each page. */
  private *change(page: number, count: number, drop: boolean, act: (version: number) => Op<unknown>): Op<void> {
    const histories = this.histories.slice(page, page + count);
    const events = histories.map((history) => ++history.issued);
    for (const [i, history] of histories.entries()) if (drop) history.drops.add(events[i]);
    yield* act(events[0]);
    yield* smpMb();
    for (const [i, history] of histories.entries()) history.completed = events[i];
  }

  /** Reads a page, and compares with what may be there. */
  private *look(page: number, read: () => Op<Content | null>): Op<void> {
    const history = this.histories[page];
    const oldest = history.completed;
    yield* smpMb();
    const seen = yield* read();
    if (seen === null) return;
    const zeros = [...history.drops].some((event) => event >= oldest);
    const fresh = seen.identity === -1 - page && seen.version >= oldest && seen.version <= history.issued;
    // A read beside a write may find its identity, and the version of before.
    const empty = seen.identity === 0 || (seen.identity === -1 - page && seen.version === 0);
    if (empty ? !zeros : !fresh) {
      this.wrong.push(`page ${page} reads as ${seen.identity} version ${seen.version}, expected ${oldest} or later`);
    }
  }

  private *guest(writes: boolean): Op<void> {
    for (let life = 0; life < 3; life++) {
      const { kvm } = yield* kvmCreateVm(this.mm as Ptr<MmStruct>);
      if (kvm === NULL) continue;
      this.guests.add(kvm);
      const vcpu = yield* kvmCreateVcpu(kvm);
      yield* kvmSetMemoryRegion(kvm, 1, START, this.pages);
      if (vcpu !== NULL) yield* this.guestLife(vcpu, writes);
      if (vcpu !== NULL) yield* kvmReleaseVcpu(vcpu);
      this.hugeEntries += peek(Kvm.installedHuge(kvm));
      this.guests.delete(kvm);
      yield* kvmDestroyVm(kvm);
    }
  }

  private *guestLife(vcpu: Ptr<KvmVcpu>, writes: boolean): Op<void> {
    for (let step = 0; step < (this.options.steps ?? 30); step++) {
      const page = this.random.below(this.pages);
      const own = WRITERS * this.each + this.random.below(this.each);
      if (writes && this.random.below(3) === 0) {
        yield* this.change(own, 1, false, (version) =>
          guestWrite(vcpu, PAGES_PER_SLOT + own, { identity: -1 - own, version }),
        );
      }
      yield* this.look(page, function* () {
        const { error, content } = yield* guestRead(vcpu, PAGES_PER_SLOT + page);
        return error === 0 ? content : null;
      });
      const wrong = this.guestsAgree(false);
      if (wrong !== null) this.wrong.push(`I12: ${wrong}`);
    }
  }
}

export const stress = (options: StressOptions): StressOutcome => new Stress(options).run();
