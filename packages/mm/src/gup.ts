// SPDX-License-Identifier: GPL-2.0-only
import {
  condResched,
  defineGuard,
  load,
  NULL,
  type Null,
  type Op,
  type Ptr,
  readOnce,
  signalPending,
  spinUnlock,
} from '@lockless/cpu';
import {
  EFAULT,
  EINTR,
  ENOMEM,
  type MmStruct,
  type Page,
  VM_IO,
  VM_MAYREAD,
  VM_MAYWRITE,
  VM_PFNMAP,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
  VmAreaStruct,
} from '@lockless/mm-types';
import { getPage, markPageAccessed, pageDirty, zeroPage } from '@lockless/page';
import { setPageDirty, VM_FAULT_OOM } from '@lockless/pagecache';
import {
  hugePmdsInUse,
  mkPte,
  type Pgprot,
  type Pte,
  pteDirty,
  pteLockptr,
  pteOffsetMapLock,
  ptePfn,
  ptePresent,
  pteWrite,
  vmNormalPage,
} from '@lockless/rmap';
import { followHugePage } from './huge-fault.js';
import { handleMmFault } from './memory.js';
import { findExtendVma } from './stack.js';
import { VM_FAULT_ERROR, VM_FAULT_WRITE } from './vm-fault.js';

/* FOLL_* of get_user_pages(): what is asked for. */
/** The page will be written. */
export const FOLL_WRITE = 0x1;
/** Marks the page as used. */
export const FOLL_TOUCH = 0x2;
/** Takes a reference. */
export const FOLL_GET = 0x4;
/** Also where the area does not permit it, but could be made to: ptrace. */
export const FOLL_FORCE = 0x10;
/** A signal ends it. */
export const FOLL_INTERRUPTIBLE = 0x100000;
/** Set within: a private copy has been made for a write that the area does not permit. */
const FOLL_COW = 0x4000;

/** Kernel-facts C14. */
const follCow = defineGuard(
  'getUserPages.follCow',
  'once the copy for a write is made, get_user_pages looks for the page as if to read it (2005 to 2016: Dirty COW)',
);

/** A page, NULL when there is none for that access yet; or an error, -EFAULT for what has no struct page. */
interface Followed {
  readonly page: Ptr<Page> | Null;
  readonly error: number;
}
const NOTHING: Followed = { page: NULL, error: 0 };

/**
 * follow_page(): the page that an address space has at `address`, if its entry permits the access.
 *
 * *Context*: mmap_sem for reading; takes the page-table lock.
 * *Returns* NULL when a fault is needed first; with FOLL_GET the caller has a reference.
 * *Ordering*: the reference is taken under the lock of the entry, whose own reference proves that there is one.
 * *Source*: `follow_page`, mm/memory.c, 2.6.27; the zero page as in 2.6.32. *Differs*: no FOLL_ANON, which spares core dumps page tables.
 */
export function* followPage(vma: Ptr<VmAreaStruct>, address: number, flags: number): Op<Followed> {
  const mm = yield* load(VmAreaStruct.vmMm(vma));
  const ptep = yield* pteOffsetMapLock(mm, address);
  if (ptep === NULL) return hugePmdsInUse() ? yield* followHuge(vma, mm, address, flags) : NOTHING;
  const pte = yield* readOnce(ptep);
  let found = NOTHING;
  if (ptePresent(pte) && ((flags & FOLL_WRITE) === 0 || canFollowWritePte(pte, flags))) {
    const page = vmNormalPage(vma, address, pte) || (mapsZeroPage(pte) ? zeroPage() : NULL);
    found = page === NULL ? { page, error: -EFAULT } : { page, error: 0 };
    if (page !== NULL && (flags & FOLL_GET) !== 0) yield* getPage(page);
    if (page !== NULL && (flags & FOLL_TOUCH) !== 0) yield* touchPage(page, pte, flags);
  }
  yield* spinUnlock(pteLockptr(mm, ptep));
  return found;
}

/** {@link followPage} in a huge page. *Differs*: leaves no marks of use. */
function* followHuge(vma: Ptr<VmAreaStruct>, mm: Ptr<MmStruct>, address: number, flags: number): Op<Followed> {
  const permits = (entry: Pte): boolean => (flags & FOLL_WRITE) === 0 || canFollowWritePte(entry, flags);
  const found = yield* followHugePage(vma, mm, address, permits, (flags & FOLL_GET) !== 0);
  return { page: found, error: 0 };
}

const mapsZeroPage = (pte: Pte): boolean => ptePfn(pte) === ptePfn(mkPte(zeroPage(), 0 as Pgprot));

/**
 * can_follow_write_pte(): whether the page may be written through the kernel. A forced write goes to a private copy, whose entry stays
 * read-only; that it is the copy shows in its dirty mark, which goes with it when the entry is zapped.
 *
 * *Source*: mm/gup.c, 4.9 (19be0eaffa3a).
 */
const canFollowWritePte = (pte: Pte, flags: number): boolean =>
  pteWrite(pte) || ((flags & FOLL_FORCE) !== 0 && (flags & FOLL_COW) !== 0 && pteDirty(pte));

/** What the hardware would note of the access. *Context*: page-table lock, so the entry's reference holds. */
function* touchPage(page: Ptr<Page>, pte: Pte, flags: number): Op<void> {
  if ((flags & FOLL_WRITE) !== 0 && !pteDirty(pte) && !(yield* pageDirty(page))) yield* setPageDirty(page);
  yield* markPageAccessed(page);
}

/**
 * get_user_pages(): the pages of a range of an address space, faulted in as far as they must be, each with a reference.
 *
 * *Context*: mmap_sem of `mm` for reading, kept all the time; sleeps. `flags`: FOLL_WRITE, FOLL_FORCE, FOLL_INTERRUPTIBLE. `pages` gets
 * the pages appended; null: they are only made present.
 * *Returns* how many, which can be fewer than asked for; or, if not one, -EFAULT (not mapped, not permitted, or no such page in the file),
 * -ENOMEM, -EINTR.
 * *Source*: `get_user_pages`, mm/memory.c, 2.6.27; flags as in 4.9; forced writes to private areas only, as in 3.15 (cda540ace6a1); a pending
 * signal as in 6.2 (93c5c61d9e58), where 2.6.27 gives up for the OOM killer alone.
 */
export function* getUserPages(
  mm: Ptr<MmStruct>,
  start: number,
  nrPages: number,
  flags: number,
  pages: Ptr<Page>[] | null,
): Op<number> {
  const foll = flags | FOLL_TOUCH | (pages === null ? 0 : FOLL_GET);
  for (let address = start; address < start + nrPages; ) {
    const vma = yield* findExtendVma(mm, address);
    if (vma === NULL || !(yield* permits(vma, flags))) return address - start || -EFAULT;
    const end = Math.min(start + nrPages, yield* load(VmAreaStruct.vmEnd(vma)));
    for (; address < end; address++) {
      const { page, error } = yield* getUserPage(mm, vma, address, foll);
      if (error !== 0) return address - start || error;
      if (page !== NULL) pages?.push(page);
    }
  }
  return nrPages;
}

/** check_vma_flags(). *Context*: mmap_sem. */
function* permits(vma: Ptr<VmAreaStruct>, flags: number): Op<boolean> {
  const vmFlags = yield* load(VmAreaStruct.vmFlags(vma));
  if ((vmFlags & (VM_IO | VM_PFNMAP)) !== 0) return false;
  const force = (flags & FOLL_FORCE) !== 0;
  if ((flags & FOLL_WRITE) === 0) return (vmFlags & (force ? VM_READ | VM_MAYREAD : VM_READ)) !== 0;
  if ((vmFlags & VM_WRITE) !== 0) return true;
  return force && (vmFlags & (VM_SHARED | VM_MAYWRITE)) === VM_MAYWRITE;
}

/** One page: looks, and faults until there is one that permits the access. */
function* getUserPage(mm: Ptr<MmStruct>, vma: Ptr<VmAreaStruct>, address: number, flags: number): Op<Followed> {
  let foll = flags;
  for (;;) {
    if ((foll & FOLL_INTERRUPTIBLE) !== 0 && (yield* signalPending())) return { page: NULL, error: -EINTR };
    yield* condResched();
    const found = yield* followPage(vma, address, foll);
    if (found.page !== NULL || found.error !== 0) return found;
    const fault = yield* handleMmFault(mm, vma, address, (foll & FOLL_WRITE) !== 0);
    if ((fault & VM_FAULT_ERROR) !== 0) return { page: NULL, error: (fault & VM_FAULT_OOM) !== 0 ? -ENOMEM : -EFAULT };
    if ((fault & VM_FAULT_WRITE) !== 0) foll = yield* afterCopy(vma, foll);
  }
}

/**
 * do_wp_page() has broken the sharing, but the entry does not become writable where the area is not: looking for a writable one again would
 * go on for ever. Until that look, madvise() in another thread can take the copy away.
 */
function* afterCopy(vma: Ptr<VmAreaStruct>, flags: number): Op<number> {
  if (((yield* load(VmAreaStruct.vmFlags(vma))) & VM_WRITE) !== 0) return flags;
  return follCow() ? flags | FOLL_COW : flags & ~FOLL_WRITE;
}
