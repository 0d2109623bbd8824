// SPDX-License-Identifier: GPL-2.0-only
import { NULL, type Op, type Ptr } from '@lockless/cpu';
import {
  type Area,
  accessProcessVm,
  adoptMm,
  areas,
  buildMm,
  type Content,
  dupMm,
  exitMm,
  FOLL_FORCE,
  fileFsync,
  MADV_PAGEOUT,
  MADV_RANDOM,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_NONBLOCK,
  sysFtruncate,
  sysMadvise,
  sysMincore,
  sysMlock,
  sysMmap,
  sysMprotect,
  sysMremap,
  sysMsync,
  sysMunlock,
  sysMunmap,
  sysPread,
  sysPwrite,
  sysRemapFilePages,
  sysSwapoff,
  userRead,
  userWrite,
} from '@lockless/mm';
import { EFAULT, EIO, type MmStruct, PAGE_SIZE } from '@lockless/mm-types';
import { filePut, sysSwapon } from '@lockless/pagecache';
import { adviceBits, mmapBits, mremapBits, msyncBits, protBits } from './flags.js';
import {
  type Contents,
  HUGE_ARENA_PAGES,
  type Mmap,
  type Peek,
  type Poke,
  type RemapFilePages,
  type ScriptFile,
  type Step,
  type Touch,
  type Transfer,
} from './script.js';
import { dropFile, enough, type OpenFile, openFile, punchFile } from './simulated-file.js';

/** Where the arena begins; as the real one, at the begin of what one page table maps. */
export const ARENA_BASE = 0x10000;
const MMAP_BASE = 0x7000_0000;
const FIRST_INO = 100;
/** The version that tells a private page's content: its identity is the value then. */
const PRIVATE = -1;
/** What reading behind the end of a file returns: -ENODATA, as c/worker.c has it. */
const END_OF_FILE = -61;
/** The value of what no step of the script wrote. */
const UNKNOWN = 0xffff_ffff;

/** What a step returned or read. */
interface Seen {
  readonly result: number;
  readonly value: number;
}
interface Performed extends Seen {
  readonly contents: readonly number[];
}

/** Areas that are in the arena; mremap may put some elsewhere. */
export const arenaAreas = (mm: Ptr<MmStruct>): Area[] =>
  areas(mm).filter(({ start, end }) => start >= ARENA_BASE && end <= ARENA_BASE + HUGE_ARENA_PAGES);

/** The processes and files of a script on the simulated machine. */
export class SimulatedMemory {
  readonly files: OpenFile[] = [];
  readonly mms: Map<number, Ptr<MmStruct>> = new Map();
  /** The value that a version of a page of a file is. */
  private readonly values = new Map<string, number>();

  /** *Context*: boot, or a task without an mm. */
  *prepare(files: readonly ScriptFile[]): Op<void> {
    for (const [i, file] of files.entries()) this.files.push(yield* openFile(FIRST_INO + i, file));
    this.mms.set(0, enough(yield* buildMm({ segments: [], brk: 0x1000, mmapBase: MMAP_BASE, pid: 1 })));
  }

  /** Performs one step as its process. `token` is what a write writes. */
  *perform(step: Step, token: number): Op<Performed> {
    yield* adoptMm(this.mmOf(step.process));
    if (step.op === 'read' || step.op === 'write') return { ...(yield* this.touch(step, token)), contents: [] };
    if (step.op === 'pread' || step.op === 'pwrite') return { ...(yield* this.transfer(step, token)), contents: [] };
    if (step.op === 'peek' || step.op === 'vm-read') return { ...(yield* this.access(step, null)), contents: [] };
    if (step.op === 'poke' || step.op === 'vm-write') return { ...(yield* this.access(step, token)), contents: [] };
    if (step.op === 'contents') return { result: 0, value: 0, contents: yield* this.contents(step) };
    return { result: Math.min(0, yield* this.call(step)), value: 0, contents: [] };
  }

  /** Which pages of its areas a process finds by mincore. */
  *mincore(process: number): Op<ReadonlyMap<number, boolean>> {
    const found = new Map<number, boolean>();
    yield* adoptMm(this.mmOf(process));
    for (const { start, end } of arenaAreas(this.mmOf(process))) {
      const resident = yield* sysMincore(start, end - start);
      if (typeof resident === 'number') throw new Error(`mincore of an area says ${resident}`);
      for (const [i, is] of resident.entries()) found.set(start + i, is);
    }
    return found;
  }

  /** Ends everything. */
  *close(): Op<void> {
    for (const process of [...this.mms.keys()]) yield* this.exit(process);
    for (const { file } of this.files) yield* filePut(file);
  }

  private mmOf(process: number): Ptr<MmStruct> {
    const mm = this.mms.get(process);
    if (mm === undefined) throw new RangeError(`there is no process P${process}`);
    return mm;
  }

  private *touch({ op, at }: Touch, token: number): Op<Seen> {
    const page = ARENA_BASE + at;
    const { error, content } = yield* op === 'read'
      ? userRead(page)
      : userWrite(page, { identity: token, version: PRIVATE });
    if (error !== 0) return { result: error, value: 0 };
    if (op === 'read') return { result: 0, value: this.valueOf(content) };
    if (content.version !== PRIVATE) this.wrote(content, token);
    return { result: 0, value: 0 };
  }

  private *contents({ process, at, pages }: Contents): Op<number[]> {
    const seen: number[] = [];
    for (let page = at; page < at + pages; page++) {
      const { result, value } = yield* this.touch({ op: 'read', process, at: page }, 0);
      seen.push(result === 0 ? value : -result);
    }
    return seen;
  }

  private *transfer({ op, file, index }: Transfer, token: number): Op<Seen> {
    const { file: opened } = this.files[file];
    let content: Content = { identity: 0, version: 0 };
    const observe = (seen: Content): void => void (content = seen);
    const transfer = op === 'pread' ? sysPread : sysPwrite;
    const bytes = yield* transfer(opened, index * PAGE_SIZE, PAGE_SIZE, null, observe);
    if (bytes <= 0) return { result: bytes === 0 ? END_OF_FILE : bytes, value: 0 };
    if (op === 'pread') return { result: 0, value: this.valueOf(content) };
    this.wrote(content, token);
    return { result: 0, value: 0 };
  }

  /** Another process's memory. */
  private *access({ op, of, at }: Peek | Poke, token: number | null): Op<Seen> {
    const asDebugger = op === 'peek' || op === 'poke';
    const datum = token === null ? null : { identity: token, version: PRIVATE };
    const flags = asDebugger ? FOLL_FORCE : 0;
    const { error, content } = yield* accessProcessVm(this.mmOf(of), ARENA_BASE + at, flags, datum);
    if (error !== 0) return { result: asDebugger && error === -EFAULT ? -EIO : error, value: 0 };
    if (token === null) return { result: 0, value: this.valueOf(content) };
    if (content.version !== PRIVATE) this.wrote(content, token);
    return { result: 0, value: 0 };
  }

  private wrote({ identity, version }: Content, token: number): void {
    this.values.set(`${identity}:${version}`, token);
  }

  private valueOf({ identity, version }: Content): number {
    if (version === PRIVATE) return identity;
    return version === 0 ? 0 : (this.values.get(`${identity}:${version}`) ?? UNKNOWN);
  }

  private *call(step: Exclude<Step, Touch | Transfer | Contents | Peek | Poke>): Op<number> {
    const { op } = step;
    if (op === 'mmap') return yield* this.mmap(step);
    if (op === 'fork') return yield* this.fork(step.process, step.child);
    if (op === 'exit') return yield* this.exit(step.process);
    if (op === 'swapoff') return yield* sysSwapoff(0);
    if (op === 'swapon') return yield* sysSwapon(0);
    if (op === 'fsync') return yield* fileFsync(this.files[step.file].file);
    if (op === 'drop') return yield* dropFile(this.files[step.file]);
    if (op === 'truncate') return yield* sysFtruncate(this.files[step.file].file, step.pages * PAGE_SIZE);
    if (op === 'punch') return yield* punchFile(this.files[step.file], step);
    const at = ARENA_BASE + step.at;
    const { pages } = step;
    switch (op) {
      case 'munmap':
        return yield* sysMunmap(at, pages);
      case 'mremap': {
        const newAddress = step.to === null ? 0 : ARENA_BASE + step.to;
        return yield* sysMremap({
          address: at,
          oldPages: pages,
          newPages: step.newPages,
          flags: mremapBits(step),
          newAddress,
        });
      }
      case 'remap-file-pages':
        return yield* this.remapFilePages(step);
      case 'mprotect':
        return yield* sysMprotect(at, pages, protBits(step.prot));
      case 'madvise':
        return yield* sysMadvise(at, pages, adviceBits(step.advice));
      case 'swap-out':
        return yield* sysMadvise(at, pages, MADV_PAGEOUT);
      case 'msync':
        return yield* sysMsync(at, pages, msyncBits(step.mode));
      case 'mlock':
        return yield* sysMlock(at, pages);
      case 'munlock':
        return yield* sysMunlock(at, pages);
    }
  }

  /** As on the other side, without read-ahead. */
  private *mmap(step: Mmap): Op<number> {
    const address = ARENA_BASE + step.at;
    const file = step.file === null ? NULL : this.files[step.file].file;
    const flags = mmapBits(step) | MAP_FIXED | (file === NULL ? MAP_ANONYMOUS : 0);
    const prot = protBits(step.prot);
    const result = yield* sysMmap({ address, pages: step.pages, prot, flags, file, pgoff: step.index });
    return result < 0 || file === NULL ? result : yield* sysMadvise(address, step.pages, MADV_RANDOM);
  }

  /** As {@link mmap}. */
  private *remapFilePages({ at, pages, index }: RemapFilePages): Op<number> {
    const address = ARENA_BASE + at;
    const error = yield* sysRemapFilePages(address, pages, 0, index, MAP_NONBLOCK);
    return error === 0 ? yield* sysMadvise(address, pages, MADV_RANDOM) : error;
  }

  private *fork(process: number, child: number): Op<number> {
    this.mms.set(child, enough(yield* dupMm(this.mmOf(process))));
    return 0;
  }

  private *exit(process: number): Op<number> {
    yield* adoptMm(this.mmOf(process));
    yield* exitMm();
    this.mms.delete(process);
    return 0;
  }
}
