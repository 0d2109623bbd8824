// SPDX-License-Identifier: GPL-2.0-only
import { NULL, type Op, type Ptr } from '@lockless/cpu';
import { type SpecialPages, specialPagesInit } from '@lockless/mm';
import type { File, Inode } from '@lockless/mm-types';
import { FMODE_READ, FMODE_WRITE } from '@lockless/mm-types';
import { contentOf, fileOpen, filePut, inodeAlloc } from '@lockless/pagecache';
import type { Rec, Recording } from '@lockless/recording';
import { type AddressMap, addressMapOf } from './address-map.js';
import { AreaMap, VDSO_FILE } from './area-map.js';
import { Contents } from './contents.js';
import { fillCache } from './fill-cache.js';
import { Gates } from './gate.js';
import { type Program, programOf } from './program.js';
import { type Truth, truthOf } from './truth.js';
import { type Space, UserMemory } from './user-memory.js';

/** An error that the recording does not have: injected, or for want of memory. */
export type ErrorCounts = Record<string, number>;

/** What belongs to the recorded program while it is replayed: its files, address spaces and progress, on the host's side. */
export class World {
  readonly recording: Recording;
  readonly program: Program;
  readonly truth: Truth;
  readonly addresses: AddressMap;
  readonly contents: Contents = new Contents();
  readonly memory: UserMemory;
  readonly gates: Gates = new Gates();
  private readonly unlinked: Set<number> = new Set();
  private readonly inodes = new Map<number, Ptr<Inode>>();
  private vdsoPages: Ptr<SpecialPages> | typeof NULL = NULL;
  /** Open files by the recording's descriptor number. */
  readonly open: Map<number, Ptr<File>> = new Map();
  readonly spaces: Space[];
  readonly newErrors: ErrorCounts = {};
  /** Files that the program cuts. */
  readonly cutFiles: ReadonlySet<number>;
  /** Processes killed by a signal that the recording does not have. */
  readonly killed: Set<number> = new Set();
  /** Threads whose fork failed. */
  readonly stillborn: Set<number> = new Set();
  /** Exit code by process id. */
  readonly exits: Map<number, number> = new Map();
  operations = 0;
  /** All threads are gone. */
  ended = false;

  constructor(recording: Recording) {
    this.recording = recording;
    this.program = programOf(recording);
    this.truth = truthOf(recording);
    this.addresses = addressMapOf(recording);
    this.memory = new UserMemory(this.addresses, this.contents, inoOf);
    this.cutFiles = new Set(recording.records.flatMap((rec) => (cuts(rec) ? [rec.file] : [])));
    this.spaces = recording.header.spaces.map(({ id }) => ({
      id,
      areas: new AreaMap(),
      calls: { begun: 0, ended: 0 },
    }));
  }

  /** The kernel's pages that every process shows in its vdso. */
  vdso(): Ptr<SpecialPages> {
    if (this.vdsoPages === NULL) throw new Error('no memory for the vdso');
    return this.vdsoPages;
  }

  /** Makes the vdso and the inodes of all files. *Context*: boot. */
  *makeInodes(): Op<void> {
    const vdso = Array.from({ length: VDSO_PAGES }, (_, i) => ({ identity: contentOf(VDSO_INO, i), version: 0 }));
    this.vdsoPages = yield* specialPagesInit(vdso);
    for (const { id, size, cached } of this.recording.files) {
      const inode = yield* inodeAlloc(inoOf(id), size);
      if (inode === NULL) throw new Error('no memory for the files of the recording');
      this.inodes.set(id, inode);
      for (const [first, last] of cached) yield* fillCache(inode, first, last);
    }
  }

  /** Inodes that still have a name. */
  allInodes(): Ptr<Inode>[] {
    return [...this.inodes].filter(([file]) => !this.unlinked.has(file)).map(([, inode]) => inode);
  }

  /** The file has no name any more. False when it had none before. */
  forgetInode(file: number): boolean {
    if (this.unlinked.has(file)) return false;
    this.unlinked.add(file);
    return true;
  }

  inode(file: number): Ptr<Inode> {
    const inode = this.inodes.get(file);
    if (inode === undefined) throw new RangeError(`file ${file} is not in the recording`);
    return inode;
  }

  /** Opens a file. NULL: no memory. */
  *openFile(file: number): Op<Ptr<File> | typeof NULL> {
    return yield* fileOpen(this.inode(file), FMODE_READ | FMODE_WRITE);
  }

  /** Runs `use` with the file open; the descriptor that the recording names, or one for the time. Null when it cannot be opened. */
  *withFile<T>(ofd: number | null, file: number, use: (open: Ptr<File>) => Op<T>): Op<T | null> {
    const known = ofd === null ? undefined : this.open.get(ofd);
    if (known !== undefined) return yield* use(known);
    const opened = yield* this.openFile(file);
    if (opened === NULL) return null;
    const result = yield* use(opened);
    yield* filePut(opened);
    return result;
  }

  /** exit_files() of processes that were killed before they came to their closes. *Context*: all threads are gone. */
  *closeAll(): Op<void> {
    const left = [...this.open.values()];
    this.open.clear();
    for (const file of left) yield* filePut(file);
  }

  /** The program sees an error that it did not see when it was recorded. */
  newError(call: string, errno: number): void {
    const key = `${call} ${errnoName(errno)}`;
    this.newErrors[key] = (this.newErrors[key] ?? 0) + 1;
  }
}

const cuts = (rec: Rec): rec is Rec & { readonly kind: 'truncate' | 'open' } =>
  rec.kind === 'truncate' || (rec.kind === 'open' && rec.flags.includes('truncate'));

const VDSO_INO = 0x7ffffff;
/** Pages of the vdso. */
const VDSO_PAGES = 16;
/** The simulated inode number of a file id; never 0. */
export const inoOf = (file: number): number => (file === VDSO_FILE ? VDSO_INO : file + 1);
/** And back. */
export const fileOfIno = (ino: number): number => (ino === VDSO_INO ? VDSO_FILE : ino - 1);

const ERRNO_NAMES: Readonly<Record<number, string>> = {
  1: 'EPERM',
  2: 'ENOENT',
  4: 'EINTR',
  5: 'EIO',
  11: 'EAGAIN',
  12: 'ENOMEM',
  13: 'EACCES',
  14: 'EFAULT',
  16: 'EBUSY',
  17: 'EEXIST',
  22: 'EINVAL',
  27: 'EFBIG',
  28: 'ENOSPC',
};

/** `ENOMEM` for -12. */
const errnoName = (errno: number): string => ERRNO_NAMES[-errno] ?? `errno ${-errno}`;
