// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { NULL, peek } from '@lockless/cpu';
import type { File } from '@lockless/mm-types';
import { Inode } from '@lockless/mm-types';
import { memMapPages } from '@lockless/page';
import { contentOf, doMigrateRange, sysSwapon } from '@lockless/pagecache';
import {
  dupMm,
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  fileFsync,
  MADV_DONTNEED,
  MADV_PAGEOUT,
  MADV_REMOVE,
  MADV_WILLNEED,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_NONBLOCK,
  MAP_PRIVATE,
  MAP_SHARED,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  MS_SYNC,
  migrateRange,
  PROT_READ,
  swapOutRange,
  sysFallocate,
  sysFtruncate,
  sysMadvise,
  sysMincore,
  sysMmap,
  sysMprotect,
  sysMremap,
  sysMsync,
  sysMunmap,
  sysPread,
  sysPwrite,
  sysRemapFilePages,
  sysSwapoff,
  type UserAccess,
  userRead,
  userWrite,
} from '../src/index.js';
import { pin } from './pin.js';
import { RW } from './sequential-machine.js';
import type { Process, System } from './simulated-machine.js';

/** What a step may do, and how often. */
export interface Mix {
  readonly read: number;
  readonly write: number;
  readonly mmap: number;
  readonly munmap: number;
  readonly mprotect: number;
  readonly mremap: number;
  readonly dontneed: number;
  readonly pin: number;
  readonly fork: number;
  readonly truncate: number;
  readonly file: number;
  readonly sync: number;
  /** madvise(MADV_PAGEOUT). */
  readonly pageout: number;
  /** swapoff, and swapon again. */
  readonly swapoff: number;
  /** move_pages() of the process' memory, or whatever is in some frames. */
  readonly migrate: number;
  /** remap_file_pages(). */
  readonly remap: number;
}

/** The pages where everything happens. */
export interface Arena {
  readonly first: number;
  /** Anonymous memory, then a private and a shared mapping of the first file, then nothing. */
  readonly anonymous: number;
  readonly privately: number;
  readonly shared: number;
  readonly free: number;
  readonly filePages: number;
  /** Longest range of a system call. */
  readonly longest: number;
}

/** One task of a process: steps as the mix has them, within the arena; what it reads is judged. */
export class Program {
  readonly system: System;
  readonly process: Process;
  private readonly mix: readonly (keyof Mix)[];
  private readonly mixed: Mix;

  private readonly arena: Arena;

  constructor(system: System, process: Process, mix: Mix, arena: Arena) {
    this.arena = arena;
    this.system = system;
    this.process = process;
    this.mixed = mix;
    this.mix = (Object.keys(mix) as (keyof Mix)[]).flatMap((name) => new Array<keyof Mix>(mix[name]).fill(name));
  }

  private below(n: number): number {
    return this.system.random.below(n);
  }

  private page(): number {
    const { first, anonymous, privately, shared, free } = this.arena;
    return first + this.below(anonymous + privately + shared + free);
  }

  *steps(count: number, depth: number, mix: Mix): Op<void> {
    for (let i = 0; i < count && this.system.complaints.length === 0; i++) {
      const what = this.mix[this.below(this.mix.length)];
      if (what !== 'fork') yield* this.step(what);
      else if (depth > 0) yield* this.fork(count >> 1, depth - 1, mix);
    }
  }

  private *fork(count: number, depth: number, mix: Mix): Op<void> {
    const mm = yield* dupMm(this.process.mm);
    if (mm === NULL) return;
    this.system.child(mm, this.process, (child) =>
      new Program(this.system, child, mix, this.arena).steps(count, depth, mix),
    );
  }

  private *step(what: Exclude<keyof Mix, 'fork'>): Op<void> {
    const page = this.page();
    const pages = 1 + this.below(this.arena.longest);
    const file = this.system.files[this.below(this.system.files.length)];
    switch (what) {
      case 'read':
        return this.judge(page, yield* userRead(page));
      case 'write': {
        const { error, content } = yield* userWrite(page, { identity: this.process.token(), version: 1 });
        if (error === 0) this.system.written(content.identity);
        return;
      }
      case 'mmap':
        yield* this.mmap(page, pages, file);
        return;
      case 'migrate':
        if (this.below(2) === 0) yield* migrateRange(this.process.mm, page, pages);
        else yield* doMigrateRange(this.below(memMapPages()), 16);
        return;
      case 'remap':
        yield* sysRemapFilePages(page, pages, 0, this.below(this.arena.filePages), this.below(2) * MAP_NONBLOCK);
        return;
      case 'munmap':
        yield* sysMunmap(page, pages);
        return;
      case 'mprotect':
        yield* sysMprotect(page, pages, [0, PROT_READ, RW, RW][this.below(4)]);
        return;
      case 'mremap': {
        const to = this.page();
        const flags = MREMAP_MAYMOVE | MREMAP_FIXED;
        yield* sysMremap({
          address: page,
          oldPages: pages,
          newPages: 1 + this.below(this.arena.longest),
          flags,
          newAddress: to,
        });
        return;
      }
      case 'dontneed':
        yield* sysMadvise(page, pages, [MADV_WILLNEED, MADV_REMOVE][this.below(8)] ?? MADV_DONTNEED);
        return;
      case 'pin':
        return yield* pin(
          page,
          pages,
          this.below(2) === 0,
          (at, content) => this.judge(at, { error: 0, content }),
          (what) => this.system.complaints.push(what),
        );
      case 'pageout':
        // To the swap cache, or to the disk.
        if (this.below(2) === 0) yield* sysMadvise(page, pages, MADV_PAGEOUT);
        else yield* swapOutRange(this.process.mm, page, pages);
        return;
      case 'swapoff':
        if ((yield* sysSwapoff(0)) === 0) yield* sysSwapon(0);
        return;
      case 'truncate':
        if (this.below(3) === 0) {
          yield* sysFallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, this.below(3) * 4096, pages * 4096);
          return;
        }
        yield* sysFtruncate(file, this.below(this.arena.filePages * 4096));
        if (this.below(2) === 0) yield* sysFtruncate(file, this.arena.filePages * 4096);
        return;
      case 'file':
        yield* this.useFile(file, page);
        return;
      case 'sync':
        if (this.below(2) === 0) yield* fileFsync(file);
        else yield* sysMsync(page, pages, MS_SYNC);
        yield* sysMincore(page, 1);
    }
  }

  private *mmap(page: number, pages: number, file: Ptr<File>): Op<void> {
    const anonymous = this.below(2) === 0;
    const shared = this.below(2) === 0;
    const flags = MAP_FIXED | (shared ? MAP_SHARED : MAP_PRIVATE) | (anonymous ? MAP_ANONYMOUS : 0);
    yield* sysMmap({
      address: page,
      pages,
      prot: RW,
      flags,
      file: anonymous ? NULL : file,
      pgoff: this.below(this.arena.filePages),
    });
  }

  private *useFile(file: Ptr<File>, page: number): Op<void> {
    const pos = this.below(this.arena.filePages) * 4096;
    const count = (1 + this.below(3)) * 4096;
    const buffer = this.below(4) === 0 ? { page, offset: 100 } : null;
    if (this.below(2) === 0)
      yield* sysPwrite(file, pos, count, buffer, ({ identity }) => this.system.written(identity));
    else {
      const { complaints } = this.system;
      // A read into a shared mapping of a file is a write to that file, which nobody would count.
      yield* sysPread(file, pos, count, this.mixed.truncate === 0 ? null : buffer, ({ ino, index, identity }) => {
        // A hole of a file in memory is the zero page.
        if (identity !== contentOf(ino, index) && identity !== 0)
          complaints.push(`read of page ${index} of inode ${ino} found datum ${identity}`);
      });
    }
  }

  /** A program finds zeros, data of a file, or what it or its forebears wrote. */
  private judge(page: number, { error, content }: Pick<UserAccess, 'error' | 'content'>): void {
    const { identity } = content;
    if (error !== 0 || identity === 0 || this.isOfFile(identity)) return;
    if (identity < 0 && this.process.maySee(identity)) return;
    this.system.complaints.push(`process ${this.process.id} reads at page ${page} what it never wrote: ${identity}`);
  }

  private isOfFile(identity: number): boolean {
    const inos = [...this.system.inodes.map((inode) => peek(Inode.ino(inode)))];
    for (const ino of inos)
      for (let i = 0; i < this.arena.filePages + 8; i++) if (contentOf(ino, i) === identity) return true;
    // Shared anonymous memory: numbers of nameless files.
    for (let ino = 1; ino < 400; ino++)
      for (let i = 0; i < 8; i++) if (contentOf(0x7000_0000 + ino, i) === identity) return true;
    return false;
  }
}
