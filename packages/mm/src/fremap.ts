// SPDX-License-Identifier: GPL-2.0-only
import {
  atomicInc,
  current,
  downgradeWrite,
  downRead,
  downWrite,
  load,
  NULL,
  type Op,
  type Ptr,
  upRead,
} from '@lockless/cpu';
import {
  type AddressSpace,
  EINVAL,
  File,
  MmStruct,
  taskMm,
  VM_NONLINEAR,
  VM_SHARED,
  VmAreaStruct,
} from '@lockless/mm-types';
import { mmuNotifierInvalidateRangeEnd, mmuNotifierInvalidateRangeStart } from '@lockless/mmu-notifier';
import { filePut } from '@lockless/pagecache';
import {
  findVma,
  installFilePte,
  linearPageIndex,
  nonlinearIsFound,
  PTE_FILE_MAX_BITS,
  vmaMakeNonlinear,
  vmaMapping,
} from '@lockless/rmap';
import { filemapPopulate } from './do-file-page.js';
import { type RemapRequest, remapByMmap } from './fremap-emulated.js';
import { onDisk } from './memory-fault.js';
import { populatePiece } from './mlock.js';
import { mmOption } from './mm-options.js';
import { mmapRegion } from './mmap.js';
import { TASK_PAGES } from './unmapped-area.js';

/** MAP_NONBLOCK of remap_file_pages(2): what is not in memory comes when it is used. */
export const MAP_NONBLOCK = 0x10000;

/**
 * remap_file_pages(2), in pages: [start, start + pages) of a shared mapping shows the file from page `pgoff` on.
 *
 * 1. the area; 2. nothing to do where it is linear and stays so; 3. mmap_sem for writing, and 1 again; 4. VM_NONLINEAR, before an entry is; 5. the
 * entries; 6. unless MAP_NONBLOCK the pages, with mmap_sem for reading.
 *
 * What finds a page by the area's bounds alone does not find it then. So where dirty pages are accounted (page_mkclean has to find them), and where
 * the reverse mapping has no other way, 4 and 5 are areas of their own, linear ones, in the place of these pages. Not with chains of entries.
 *
 * *Context*: a task with an mm; takes mmap_sem. *Returns* 0; -EINVAL: `prot` is not 0, no pages, no such addresses or offsets, not one shared
 * mapping of a file; -ENOMEM. With chains and 2.6.6's faults also -EINVAL beyond the end of the file and -EIO.
 * *Source*: `sys_remap_file_pages`, mm/fremap.c, 2.6.27; entries by ->populate as in 2.6.6 with its faults (option `truncateCountFaults`); {@link remapByMmap}
 * with option `remapEmulated`.
 */
export function* sysRemapFilePages(
  start: number,
  pages: number,
  prot: number,
  pgoff: number,
  flags: number,
): Op<number> {
  const mm = yield* load(taskMm(current()));
  if (mm === NULL || prot !== 0 || pages <= 0 || start < 0 || pgoff < 0) return -EINVAL;
  const nonblock = (flags & MAP_NONBLOCK) !== 0;
  if (mmOption('remapEmulated') !== 0) return yield* remapByMmap({ start, pages, pgoff, nonblock });
  if (start + pages > TASK_PAGES || pgoff + pages > 2 ** PTE_FILE_MAX_BITS) return -EINVAL;
  const request = { mm, start, pages, pgoff, nonblock };
  yield* downRead(MmStruct.mmapSem(mm));
  let found = yield* areaOf(request); // 1, 2
  if (found.state === 'linear') {
    yield* upRead(MmStruct.mmapSem(mm));
    yield* downWrite(MmStruct.mmapSem(mm)); // 3
    found = yield* areaOf(request);
    if (found.state === 'linear') found = yield* changeArea(request, found); // 4
    yield* downgradeWrite(MmStruct.mmapSem(mm));
  }
  const error = found.state === 'done' ? found.error : yield* populate(request, found.vma); // 5, 6
  yield* upRead(MmStruct.mmapSem(mm));
  return error;
}

interface Request extends RemapRequest {
  readonly mm: Ptr<MmStruct>;
}

/** The area of a request, if something is to be done there. */
type Found =
  | { readonly state: 'linear' | 'nonlinear'; readonly vma: Ptr<VmAreaStruct> }
  | { readonly state: 'done'; readonly error: number };
const done = (error: number): Found => ({ state: 'done', error });

/** *Context*: mmap_sem. */
function* areaOf({ mm, start, pages, pgoff }: Request): Op<Found> {
  const vma = yield* findVma(mm, start);
  if (vma === NULL || (yield* load(VmAreaStruct.vmStart(vma))) > start) return done(-EINVAL);
  const flags = yield* load(VmAreaStruct.vmFlags(vma));
  if ((flags & VM_SHARED) === 0 || (yield* load(VmAreaStruct.vmFile(vma))) === NULL) return done(-EINVAL);
  if (start + pages > (yield* load(VmAreaStruct.vmEnd(vma)))) return done(-EINVAL);
  if ((flags & VM_NONLINEAR) !== 0) return { state: 'nonlinear', vma };
  return pgoff === (yield* linearPageIndex(vma, start)) ? done(0) : { state: 'linear', vma };
}

/** 4. *Context*: mmap_sem for writing. */
function* changeArea(request: Request, { vma }: { readonly vma: Ptr<VmAreaStruct> }): Op<Found> {
  const how = nonlinearIsFound();
  if (how === 'not' || (how === 'by-area' && (yield* onDisk(vma)))) return done(yield* mapLinear(request, vma));
  yield* vmaMakeNonlinear(vma, (yield* vmaMapping(vma)) as Ptr<AddressSpace>);
  return { state: 'nonlinear', vma };
}

/** Another area, in the place of this part. *Context*: mmap_sem for writing. */
function* mapLinear({ mm, start, pages, pgoff }: Request, vma: Ptr<VmAreaStruct>): Op<number> {
  const file = (yield* load(VmAreaStruct.vmFile(vma))) as Ptr<File>;
  const flags = yield* load(VmAreaStruct.vmFlags(vma));
  yield* atomicInc(File.count(file));
  const address = yield* mmapRegion(mm, start, pages, flags, file, pgoff);
  yield* filePut(file);
  return address < 0 ? address : 0;
}

/** 5 and 6. That a page could not be brought is found by who uses it. *Context*: mmap_sem for reading. */
function* populate(request: Request, vma: Ptr<VmAreaStruct>): Op<number> {
  const { mm, start, pages, pgoff, nonblock } = request;
  const end = start + pages;
  const byFileSystem = mmOption('truncateCountFaults') !== 0 && (yield* onDisk(vma));
  yield* mmuNotifierInvalidateRangeStart(mm, start, end);
  const error = yield* byFileSystem
    ? filemapPopulate(mm, vma, start, pages, pgoff, nonblock)
    : populateRange(request, vma);
  yield* mmuNotifierInvalidateRangeEnd(mm, start, end);
  if (error === 0 && !nonblock && !byFileSystem) yield* populatePiece(mm, { vma, prev: NULL, start, end });
  return error;
}

/** populate_range(): the offsets of the pages. *Context*: mmap_sem. *Returns* 0, -ENOMEM. *Source*: `populate_range`, mm/fremap.c, 2.6.27. */
function* populateRange({ mm, start, pages, pgoff }: Request, vma: Ptr<VmAreaStruct>): Op<number> {
  for (let i = 0; i < pages; i++) {
    const error = yield* installFilePte(mm, vma, start + i, pgoff + i);
    if (error !== 0) return error;
  }
  return 0;
}
