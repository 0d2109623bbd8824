// SPDX-License-Identifier: GPL-2.0-only
import { load, NULL, type Op, type Ptr } from '@lockless/cpu';
import { AddressSpace, File, VM_EXEC, VM_READ, VM_SHARED, VM_WRITE, VmAreaStruct } from '@lockless/mm-types';
import { type Pgprot, type Pte, pteMkwrite, vmGetPageProt } from '@lockless/rmap';
import { shmemAops } from './shmem.js';

/* PROT_* of mmap(2) and mprotect(2). */
export const PROT_NONE = 0;
export const PROT_READ = 1;
export const PROT_WRITE = 2;
export const PROT_EXEC = 4;

/** calc_vm_prot_bits(): VM_READ, VM_WRITE and VM_EXEC have the values of PROT_*. */
export const calcVmProtBits = (prot: number): number => prot & (VM_READ | VM_WRITE | VM_EXEC);

const SHARED_WRITABLE = VM_SHARED | VM_WRITE;

/**
 * vma->vm_page_prot: the rights of fresh entries of an area. A shared writable area of a file on a disk begins read-only, so that the first
 * write to each page is noticed and the page becomes dirty.
 *
 * *Context*: mmap_sem.
 * *Source*: `vma_wants_writenotify`, mm/mmap.c, 2.6.27: shared, writable, and dirty pages are accounted (not for shmem).
 */
export function* vmaPageProt(vma: Ptr<VmAreaStruct>): Op<Pgprot> {
  const flags = yield* load(VmAreaStruct.vmFlags(vma));
  if ((flags & SHARED_WRITABLE) !== SHARED_WRITABLE) return vmGetPageProt(flags);
  return vmGetPageProt((yield* vmaWantsWritenotify(vma)) ? flags & ~VM_SHARED : flags);
}

/** vma_wants_writenotify(). *Context*: mmap_sem. */
function* vmaWantsWritenotify(vma: Ptr<VmAreaStruct>): Op<boolean> {
  if (((yield* load(VmAreaStruct.vmFlags(vma))) & SHARED_WRITABLE) !== SHARED_WRITABLE) return false;
  const file = yield* load(VmAreaStruct.vmFile(vma));
  if (file === NULL) return false;
  const mapping = yield* load(File.mapping(file));
  return (yield* load(AddressSpace.aOps(mapping))) !== shmemAops;
}

/** maybe_mkwrite(): writable if the area is. It may not be: ptrace writes to read-only areas, and mprotect comes between. */
export const maybeMkwrite = (pte: Pte, vmFlags: number): Pte => ((vmFlags & VM_WRITE) !== 0 ? pteMkwrite(pte) : pte);
