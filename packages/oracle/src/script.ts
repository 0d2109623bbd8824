// SPDX-License-Identifier: GPL-2.0-only

/* What a script can say. Addresses and lengths are in pages; addresses count from the begin of the arena, where nothing is mapped at first. */

/** Pages that scripts can use. */
export const ARENA_PAGES = 64;
/** Pages of a huge page. */
export const HUGE_PAGES = 512;
/** Pages that scripts with huge pages can use: three of them. As `c/oracle.h` has it. */
export const HUGE_ARENA_PAGES: number = 3 * HUGE_PAGES;
export const MAX_PROCESSES = 4;
export const MAX_FILES = 4;
/** Pages of a file. */
export const MAX_FILE_PAGES = 64;

/** A file that exists when the script begins, all zeros: on a disk, in the page cache and clean; or in memory (memfd), all holes. */
export interface ScriptFile {
  readonly kind: 'disk' | 'memory';
  readonly pages: number;
}

export const PROTS = ['none', 'r', 'w', 'rw'] as const;
export type Prot = (typeof PROTS)[number];

export const ADVICE = [
  'dontneed',
  'dontfork',
  'dofork',
  'remove',
  'normal',
  'random',
  'sequential',
  'free',
  'collapse',
  'huge',
  'nohuge',
] as const;
export type Advice = (typeof ADVICE)[number];

export const MSYNC_MODES = ['sync', 'async'] as const;
export type MsyncMode = (typeof MSYNC_MODES)[number];

interface By {
  /** Which process does it: 0, there from the begin, to 3. */
  readonly process: number;
}
interface Range extends By {
  readonly at: number;
  readonly pages: number;
}

export interface Mmap extends Range {
  readonly op: 'mmap';
  readonly prot: Prot;
  readonly shared: boolean;
  /** Number of the file; null: anonymous memory. */
  readonly file: number | null;
  /** First page of the file. */
  readonly index: number;
}
export interface Read extends By {
  readonly op: 'read';
  readonly at: number;
}
/** Leaves a value there that no other step writes. */
export interface Write extends By {
  readonly op: 'write';
  readonly at: number;
}
export type Touch = Read | Write;
export interface Fork extends By {
  readonly op: 'fork';
  readonly child: number;
}
export interface Exit extends By {
  readonly op: 'exit';
}
/** Scripts with swap steps have a swap area from the begin. */
export interface Swapoff extends By {
  readonly op: 'swapoff';
}
export interface Swapon extends By {
  readonly op: 'swapon';
}
/** `swap-out` is MADV_PAGEOUT: what nobody else maps is reclaimed. */
export interface OnRange extends Range {
  readonly op: 'munmap' | 'mlock' | 'munlock' | 'swap-out';
}
/** Reads every page, one after the other. */
export interface Contents extends Range {
  readonly op: 'contents';
}
/**
 * To `to`, whatever is mapped there; `to` the same as `at`: only where it is; null: where the kernel will, behind the arena if need be.
 * No pages: a second mapping of what is there.
 */
export interface Mremap extends Range {
  readonly op: 'mremap';
  readonly to: number | null;
  readonly newPages: number;
  /** MREMAP_DONTUNMAP: the old place stays mapped, empty. */
  readonly stays: boolean;
}
export interface Mprotect extends Range {
  readonly op: 'mprotect';
  readonly prot: Prot;
}
export interface Madvise extends Range {
  readonly op: 'madvise';
  readonly advice: Advice;
}
/** remap_file_pages: the range shows the file that it is a shared mapping of from page `index` on; pages come when they are touched. */
export interface RemapFilePages extends Range {
  readonly op: 'remap-file-pages';
  readonly index: number;
}
export interface Msync extends Range {
  readonly op: 'msync';
  readonly mode: MsyncMode;
}
/** ftruncate, in pages. */
export interface Truncate extends By {
  readonly op: 'truncate';
  readonly file: number;
  readonly pages: number;
}

/** A page of a file by pread. */
export interface Pread extends By {
  readonly op: 'pread';
  readonly file: number;
  readonly index: number;
}
/** A page of a file by pwrite: leaves a value there that no other step writes. */
export interface Pwrite extends By {
  readonly op: 'pwrite';
  readonly file: number;
  readonly index: number;
}
export type Transfer = Pread | Pwrite;
export interface Fsync extends By {
  readonly op: 'fsync';
  readonly file: number;
}

/** Writes the file, as `fsync`, and has what nobody maps of it leave the page cache: POSIX_FADV_DONTNEED. */
export interface Drop extends By {
  readonly op: 'drop';
  readonly file: number;
}

/** A hole in a file: fallocate with FALLOC_FL_PUNCH_HOLE. */
export interface Punch extends By {
  readonly op: 'punch';
  readonly file: number;
  readonly index: number;
  readonly pages: number;
}

/**
 * A page of another process's memory, or of its own: `peek` and `poke` as a debugger, also where its area does not permit it; `vm-read` and
 * `vm-write` only where it does.
 */
interface Access<Op extends string> extends By {
  readonly op: Op;
  readonly of: number;
  readonly at: number;
}
export type Peek = Access<'peek'> | Access<'vm-read'>;
/** Leaves a value there that no other step writes. */
export type Poke = Access<'poke'> | Access<'vm-write'>;

export type Step =
  | Mmap
  | Touch
  | Fork
  | Exit
  | Swapoff
  | Swapon
  | OnRange
  | Mremap
  | RemapFilePages
  | Mprotect
  | Madvise
  | Msync
  | Truncate
  | Contents
  | Transfer
  | Fsync
  | Drop
  | Punch
  | Peek
  | Poke;

export interface Script {
  /** `arena huge`: there may be huge pages, of areas that ask for them. */
  readonly huge?: boolean;
  readonly files: readonly ScriptFile[];
  readonly steps: readonly Step[];
}

export const arenaPages = ({ huge }: Pick<Script, 'huge'>): number => (huge === true ? HUGE_ARENA_PAGES : ARENA_PAGES);

/** The value that step number `index` writes. */
export const tokenOf = (index: number): number => index + 1;

/** Places of the swap area: more than the scripts can fill half of. As `c/oracle.h` has it. */
export const SWAP_PAGES = 1023;
export const needsSwap = ({ steps }: Script): boolean =>
  steps.some(({ op }) => op === 'swap-out' || op === 'swapoff' || op === 'swapon');

/** Which processes live, step by step. */
export class Living {
  private readonly numbers: Set<number> = new Set([0]);

  has(process: number): boolean {
    return this.numbers.has(process);
  }

  /** The living, in order. */
  get all(): number[] {
    return [...this.numbers].sort((a, b) => a - b);
  }

  /** The lowest number that no process has; undefined: there are as many as there may be. */
  get free(): number | undefined {
    return Array.from({ length: MAX_PROCESSES }, (_, i) => i).find((i) => !this.numbers.has(i));
  }

  follow(step: Step): void {
    if (step.op === 'fork') this.numbers.add(step.child);
    if (step.op === 'exit') this.numbers.delete(step.process);
  }
}
