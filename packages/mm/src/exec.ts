// SPDX-License-Identifier: GPL-2.0-only
import { bug, current, downWrite, load, NULL, type Null, type Op, type Ptr, store, upWrite } from '@lockless/cpu';
import {
  ENOMEM,
  type File,
  MmStruct,
  taskMm,
  VM_MAYEXEC,
  VM_MAYREAD,
  VM_MAYSHARE,
  VM_MAYWRITE,
  VM_SHARED,
} from '@lockless/mm-types';
import { mmAlloc } from '@lockless/rmap';
import { type ArgPage, setupArgPages } from './arg-pages.js';
import { mmput } from './exit.js';
import { mmapRegion } from './mmap.js';
import { calcVmProtBits } from './page-prot.js';
import { installSpecialMapping, type SpecialPages } from './special-mapping.js';

/** One area of the new image. Addresses in pages. */
export interface Segment {
  readonly start: number;
  readonly end: number;
  /** PROT_* bits. */
  readonly prot: number;
  readonly shared: boolean;
  /** NULL: anonymous (bss, heap, stack). The area takes a reference of its own. */
  readonly file: Ptr<File> | Null;
  readonly pgoff: number;
  /** Further VM_* bits: VM_GROWSDOWN for the stack. */
  readonly flags?: number;
  /** The vdso: these pages of the kernel, by their place in the area; no file, and not shared. */
  readonly special?: Ptr<SpecialPages>;
}

/** What execve builds. */
export interface Image {
  readonly segments: readonly Segment[];
  /** First page above the heap. */
  readonly brk: number;
  /** First page of the heap: `brk` unless the image has one already. */
  readonly startBrk?: number;
  /** Below which page mmap looks for room. */
  readonly mmapBase: number;
  /** Process id, for reports. */
  readonly pid: number;
  /** Arguments and environment, in pages of the stack. */
  readonly argPages?: readonly ArgPage[];
}

/**
 * The memory side of execve: a new address space with the segments given takes the place of the current task's old one.
 *
 * *Context*: the current task is alone in its mm, or shares it with tasks that go on in it (vfork). Sleeps.
 * *Returns* 0; -ENOMEM, and the old address space stays.
 * *Source*: `exec_mmap`, `flush_old_exec`, fs/exec.c, and `elf_map`, fs/binfmt_elf.c, 2.6.27.
 * *Differs*: the segments are given; nobody reads ELF headers. Argument pages are given, or written by the caller.
 */
export function* execMm(image: Image): Op<number> {
  const mm = yield* buildMm(image);
  if (mm === NULL) return -ENOMEM;
  const self = current();
  const old = yield* load(taskMm(self));
  yield* store(taskMm(self), mm);
  if (old !== NULL) yield* mmput(old);
  return 0;
}

function* mapSegment(mm: Ptr<MmStruct>, segment: Segment): Op<number> {
  const { start, end, prot, shared, file, pgoff, flags = 0, special } = segment;
  if (end <= start) bug(`an empty segment at page ${start}`);
  const may = VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC | (shared ? VM_SHARED | VM_MAYSHARE : 0);
  const vmFlags = calcVmProtBits(prot) | may | flags;
  if (special !== undefined) return yield* installSpecialMapping(mm, start, end - start, vmFlags, special);
  return yield* mmapRegion(mm, start, end - start, vmFlags, file, pgoff);
}

/** A new address space with one user. NULL: no memory. */
export function* buildMm(image: Image): Op<Ptr<MmStruct> | Null> {
  const mm = yield* mmAlloc();
  if (mm === NULL) return NULL;
  yield* downWrite(MmStruct.mmapSem(mm));
  let error = 0;
  for (const segment of image.segments) {
    error = yield* mapSegment(mm, segment);
    if (error < 0) break;
  }
  if (error >= 0) error = yield* setupArgPages(mm, image.argPages ?? []);
  yield* store(MmStruct.startBrk(mm), image.startBrk ?? image.brk);
  yield* store(MmStruct.brk(mm), image.brk);
  yield* store(MmStruct.mmapBase(mm), image.mmapBase);
  yield* store(MmStruct.ownerPid(mm), image.pid);
  yield* upWrite(MmStruct.mmapSem(mm));
  if (error >= 0) return mm;
  yield* mmput(mm);
  return NULL;
}
