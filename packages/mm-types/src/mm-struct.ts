// SPDX-License-Identifier: GPL-2.0-only
import type { Embed, Null, Ptr, Ref, SpinLock, StructOf, Vec } from '@lockless/cpu';
import { ListHead, NR_CPUS, RwSemaphore, struct, TaskStruct } from '@lockless/cpu';
import type { File } from './fs-struct.js';
import type { MmuNotifierMm } from './mmu-notifier-struct.js';
import type { Anonmm } from './rmap-struct.js';

/** struct rb_node / rb_root of lib/rbtree.c. */
export interface RbNode {
  parent: Ptr<RbNode> | Null;
  /** 0 red, 1 black. */
  color: number;
  left: Ptr<RbNode> | Null;
  right: Ptr<RbNode> | Null;
}
export const RbNode: StructOf<RbNode> = struct<RbNode>('rb_node', { parent: 1, color: 1, left: 1, right: 1 });

/**
 * struct anon_vma: the vmas that may share anonymous pages. Low bit of head.next: taken by mm_take_all_locks, so list heads that it may point
 * to, this one and VmAreaStruct.anonVmaNode, have an even offset (structs begin on a cache line).
 */
export interface AnonVma {
  head: Embed<ListHead>;
  /** Whoever reads or writes `head` has it. */
  lock: SpinLock;
}
export const AnonVma: StructOf<AnonVma> = struct<AnonVma>('anon_vma', { head: ListHead, lock: 1 });

/**
 * struct vm_area_struct. Addresses are page numbers: a user address space has 2^31 pages here (the loader maps the 2^36 of x86-64 onto it, order
 * preserved), because a word has 32 bits.
 */
export interface VmAreaStruct {
  vmMm: Ptr<MmStruct>;
  /** First page. */
  vmStart: number;
  /** One past the last page. */
  vmEnd: number;
  vmNext: Ptr<VmAreaStruct> | Null;
  vmRb: Embed<RbNode>;
  /** VM_* */
  vmFlags: number;
  /** Page index in the file, or for anonymous areas the start page at creation. */
  vmPgoff: number;
  vmFile: Ptr<File> | Null;
  /** On AddressSpace.iMmap; with VM_NONLINEAR on iMmapNonlinear. */
  shared: Embed<ListHead>;
  anonVma: Ptr<AnonVma> | Null;
  /** On AnonVma.head; at an even offset, see there. */
  anonVmaNode: Embed<ListHead>;
  /** mapping->truncateCount when a zap of this area was interrupted. */
  vmTruncateCount: number;
  /** Not 0: may have anonymous pages. Kept by the reverse mappings before anon_vma; with it, `anonVma` says so. */
  hasAnon: number;
  /**
   * With VM_NONLINEAR: pages from the start that try_to_unmap() has looked through, so that the next one goes on there. Without a file: the pages of a
   * special mapping.
   */
  vmPrivateData: number;
}
export const VmAreaStruct: StructOf<VmAreaStruct> = struct<VmAreaStruct>(
  'vm_area_struct',
  {
    vmMm: 1,
    vmStart: 1,
    vmEnd: 1,
    vmNext: 1,
    vmRb: RbNode,
    vmFlags: 1,
    vmPgoff: 1,
    vmFile: 1,
    shared: ListHead,
    anonVma: 1,
    anonVmaNode: ListHead,
    vmTruncateCount: 1,
    hasAnon: 1,
    vmPrivateData: 1,
  },
  16,
);

/** Bit of mm->flags: on khugepaged's list. */
export const MMF_VM_HUGEPAGE = 16;

export const VM_READ = 0x1;
export const VM_WRITE = 0x2;
export const VM_EXEC = 0x4;
export const VM_SHARED = 0x8;
export const VM_MAYREAD = 0x10;
export const VM_MAYWRITE = 0x20;
export const VM_MAYEXEC = 0x40;
export const VM_MAYSHARE = 0x80;
export const VM_GROWSDOWN = 0x100;
export const VM_PFNMAP = 0x400;
export const VM_LOCKED = 0x2000;
export const VM_IO = 0x4000;
export const VM_SEQ_READ = 0x8000;
export const VM_RAND_READ = 0x10000;
/** No area is read in sequence and at random: a stack that exec is still building, at a place where it will not stay. */
export const VM_STACK_INCOMPLETE_SETUP: number = VM_SEQ_READ | VM_RAND_READ;
export const VM_DONTCOPY = 0x20000;
export const VM_DONTEXPAND = 0x40000;
export const VM_RESERVED = 0x80000;
export const VM_ACCOUNT = 0x100000;
export const VM_NONLINEAR = 0x800000;
/** MADV_HUGEPAGE. */
export const VM_HUGEPAGE = 0x1000000;
/** MADV_NOHUGEPAGE. */
export const VM_NOHUGEPAGE = 0x2000000;

/** struct mm_struct: one address space. */
export interface MmStruct {
  /** Areas by ascending address. */
  mmap: Ptr<VmAreaStruct> | Null;
  mmRb: Ptr<RbNode> | Null;
  /** Last area that find_vma returned. */
  mmapCache: Ptr<VmAreaStruct> | Null;
  /** Top-level page table. */
  pgd: number;
  /** Tasks that use it. */
  mmUsers: number;
  /** References to the struct; users count for one. */
  mmCount: number;
  mapCount: number;
  mmapSem: Embed<RwSemaphore>;
  /** Protects page tables and the rss counters. */
  pageTableLock: SpinLock;
  /** Resident pages by kind, under pageTableLock. */
  fileRss: number;
  anonRss: number;
  /** Entries that name a place in a swap area, under pageTableLock. (2.6.34: MM_SWAPENTS.) */
  swapents: number;
  /** On the list of address spaces that may have such entries. */
  mmlist: Embed<ListHead>;
  /** Page-table pages. */
  nrPtes: number;
  /** pmd_huge_pte: pte tables laid by for the huge pages that are mapped, each with the address of the next in its first word. */
  pmdHugePte: number;
  totalVm: number;
  lockedVm: number;
  /** Page numbers. */
  startBrk: number;
  /** First page above the heap. */
  brk: number;
  startStack: number;
  mmapBase: number;
  flags: number;
  /** Who wants to know when entries change; NULL until the first registers. */
  mmuNotifierMm: Ptr<MmuNotifierMm> | Null;
  /** Its place in its family, where the reverse mapping goes by families (anonmm). */
  anonmm: Ptr<Anonmm> | Null;
  /** Ptr<MemCgroup> of its processes; 0: the root. */
  memCgroup: number;
  /** Process id of the owner, for reports. */
  ownerPid: number;
  /** mm->cpu_vm_mask: CPUs that ever translated an address of this mm, which a flush must look at. One bit each, never cleared. */
  cpuVmMask: Vec<number>;
  /*
   * Page faults by how they were resolved, each fault in exactly one of them; statistics of ours, for reports.
   * Atomic: faults of one mm run on several CPUs at once.
   */
  /** A zeroed anonymous page was given. */
  faultsAnonymous: number;
  /** The zero page was mapped. */
  faultsZero: number;
  /** A page of a file was mapped. */
  faultsFile: number;
  /** A page was copied: of a parent or child, of a file that is mapped private, or the zero page. */
  faultsCow: number;
  /** A write to an anonymous page that nobody else maps: made writable in place. */
  faultsReuse: number;
  /** A write to a shared file page that was mapped read-only: made writable and dirty. */
  faultsMkwrite: number;
  /** The page had been swapped out. */
  faultsSwap: number;
  /** Another fault had resolved it, or the entry changed meanwhile: nothing done. */
  faultsSpurious: number;
  /** Of all these, those that waited for the disk. */
  faultsMajor: number;
  /** VM_* that every new area has: VM_LOCKED after mlockall(MCL_FUTURE). */
  defFlags: number;
}
export const MmStruct: StructOf<MmStruct> = struct<MmStruct>(
  'mm_struct',
  {
    mmap: 1,
    mmRb: 1,
    mmapCache: 1,
    pgd: 1,
    mmUsers: 1,
    mmCount: 1,
    mapCount: 1,
    mmapSem: RwSemaphore,
    pageTableLock: 1,
    fileRss: 1,
    anonRss: 1,
    swapents: 1,
    mmlist: ListHead,
    nrPtes: 1,
    pmdHugePte: 1,
    totalVm: 1,
    lockedVm: 1,
    startBrk: 1,
    brk: 1,
    startStack: 1,
    mmapBase: 1,
    flags: 1,
    mmuNotifierMm: 1,
    anonmm: 1,
    memCgroup: 1,
    ownerPid: 1,
    cpuVmMask: NR_CPUS / 32,
    faultsAnonymous: 1,
    faultsZero: 1,
    faultsFile: 1,
    faultsCow: 1,
    faultsReuse: 1,
    faultsMkwrite: 1,
    faultsSwap: 1,
    faultsSpurious: 1,
    faultsMajor: 1,
    defFlags: 1,
  },
  16,
);

/** task->mm, typed. */
export const taskMm = (task: Ptr<TaskStruct>): Ref<Ptr<MmStruct> | Null> =>
  TaskStruct.mm(task) as number as Ref<Ptr<MmStruct> | Null>;
