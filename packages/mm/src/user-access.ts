// SPDX-License-Identifier: GPL-2.0-only
import {
  atomicCmpxchg,
  condResched,
  current,
  downRead,
  load,
  NULL,
  type Null,
  type Op,
  type Ptr,
  upRead,
} from '@lockless/cpu';
import {
  EFAULT,
  ENOMEM,
  MmStruct,
  type Page,
  taskMm,
  VM_EXEC,
  VM_READ,
  VM_WRITE,
  VmAreaStruct,
} from '@lockless/mm-types';
import { pfnToPage } from '@lockless/page';
import { VM_FAULT_OOM } from '@lockless/pagecache';
import {
  beginTranslation,
  endTranslation,
  PTE_ACCESSED,
  PTE_DIRTY,
  PTE_EXEC,
  PTE_HUGE,
  PTE_PRESENT,
  PTE_RW,
  type Pte,
  ptePfn,
  pteTableEntries,
  readPte,
  translationEntry,
} from '@lockless/rmap';
import { type Content, readContent, writeContent } from './content.js';
import { handleMmFault } from './memory.js';
import { findExtendVma } from './stack.js';
import { VM_FAULT_ERROR } from './vm-fault.js';

export type AccessKind = 'read' | 'write' | 'exec';

/** What an access ended in. */
export interface UserAccess {
  /** 0; SIGSEGV or SIGBUS, the signal that the program would get; -ENOMEM, out of memory. */
  readonly error: number;
  /** Page faults that it took. */
  readonly faults: number;
  /** The frame at the time of the access, NULL on error. It may belong to somebody else by now: only a name. */
  readonly page: Ptr<Page> | Null;
  /** What was read there. For writes: what is there now. */
  readonly content: Content;
}

export const SIGBUS = 7;
export const SIGSEGV = 11;

const NOTHING: Content = { identity: 0, version: 0 };

/** What the instruction does with the frame, while the translation stands. */
type Instruction = (page: Ptr<Page>, huge: boolean) => Op<Content>;

/** The frame that a translation leads to. */
interface Translated {
  readonly page: Ptr<Page>;
  /** Part of a huge page, so it is anonymous: the page itself need not say so. */
  readonly huge: boolean;
}

/**
 * One instruction of a user program that touches memory: the MMU's walk, and when the page table does not permit the access, the page
 * fault, until it does.
 *
 * The walk takes no lock, as hardware does: it reads the tables level by level, sets ACCESSED and DIRTY in the entry by a compare-and-swap
 * and uses the frame. From the walk's first load to the use of the frame the translation is *in use*: whoever changes an entry and flushes waits
 * until no translation read before is in use any more ({@link beginTranslation}; pairs with flushTlbPage and flushTlbMm). There is no TLB that
 * keeps a translation for the next instruction.
 *
 * *Context*: a task with an mm; no locks that nest inside mmap_sem. Sleeps.
 * *Source*: `do_page_fault`, arch/x86/mm/fault.c, 2.6.27. *Differs*: no TLB; a signal is returned, not delivered.
 */
function* access(address: number, kind: AccessKind, instruction: Instruction): Op<UserAccess> {
  const mm = yield* load(taskMm(current()));
  if (mm === NULL) return { error: SIGSEGV, faults: 0, page: NULL, content: NOTHING };
  for (let faults = 0; ; faults++) {
    yield* beginTranslation(mm);
    const found = yield* walk(mm, address, kind);
    if (found !== null) {
      const content = yield* instruction(found.page, found.huge);
      yield* endTranslation();
      return { error: 0, faults, page: found.page, content };
    }
    yield* endTranslation();
    const error = yield* doPageFault(mm, address, kind);
    if (error !== 0) return { error, faults: faults + 1, page: NULL, content: NOTHING };
    // The fault may have found the entry changed by somebody who is not done yet.
    if (faults > 0) yield* condResched();
  }
}

/** Bits that an entry needs before the hardware lets an access pass. */
const NEEDS: Record<AccessKind, number> = {
  read: PTE_PRESENT,
  write: PTE_PRESENT | PTE_RW,
  exec: PTE_PRESENT | PTE_EXEC,
};
/** Bits that the hardware sets in it. */
const MARKS: Record<AccessKind, number> = {
  read: PTE_ACCESSED,
  write: PTE_ACCESSED | PTE_DIRTY,
  exec: PTE_ACCESSED,
};

/** The hardware's page-table walk. Null: page fault. *Context*: translation begun. */
function* walk(mm: Ptr<MmStruct>, address: number, kind: AccessKind): Op<Translated | null> {
  const pte = yield* translationEntry(mm, address);
  if (pte === NULL) return null;
  for (let entry = yield* readPte(pte); ; ) {
    if ((entry & NEEDS[kind]) !== NEEDS[kind]) return null;
    const marked = (entry | MARKS[kind]) as Pte;
    if (marked === entry) return translated(entry, address);
    const seen = yield* atomicCmpxchg(pte, entry, marked);
    if (seen === entry) return translated(entry, address);
    entry = seen;
  }
}

function translated(entry: Pte, address: number): Translated {
  const huge = (entry & PTE_HUGE) !== 0;
  return { page: pfnToPage(ptePfn(entry) + (huge ? address % pteTableEntries() : 0)), huge };
}

const WANTS: Record<AccessKind, number> = { read: VM_READ | VM_EXEC | VM_WRITE, write: VM_WRITE, exec: VM_EXEC };

/** do_page_fault(): 0 when the access can be tried again, else the signal or -ENOMEM. */
function* doPageFault(mm: Ptr<MmStruct>, address: number, kind: AccessKind): Op<number> {
  yield* downRead(MmStruct.mmapSem(mm));
  const vma = yield* findExtendVma(mm, address);
  let error = SIGSEGV;
  // x86: what may be written or executed may be read.
  if (vma !== NULL && ((yield* load(VmAreaStruct.vmFlags(vma))) & WANTS[kind]) !== 0) {
    const fault = yield* handleMmFault(mm, vma, address, kind === 'write');
    if ((fault & VM_FAULT_ERROR) === 0) error = 0;
    else error = (fault & VM_FAULT_OOM) !== 0 ? -ENOMEM : SIGBUS;
  }
  yield* upRead(MmStruct.mmapSem(mm));
  return error;
}

/** Touches one page: nothing of its content is read or changed. See {@link access}. */
export const userAccess = (address: number, kind: AccessKind): Op<UserAccess> =>
  access(address, kind, function* () {
    return NOTHING;
  });

/** Reads a page: `content` tells which datum, and which version of it, the program sees. See {@link access}. */
export const userRead = (address: number): Op<UserAccess> => access(address, 'read', readContent);

/** Writes a page: {@link writeContent}. See {@link access}. */
export const userWrite = (address: number, datum: Content): Op<UserAccess> =>
  access(address, 'write', (page, huge) => writeContent(page, datum, huge));

/** -EFAULT for a system call whose buffer could not be touched, as copy_to_user() would have it; 0 if it could. */
export const asErrno = (outcome: UserAccess): number => (outcome.error === 0 ? 0 : -EFAULT);
