// SPDX-License-Identifier: GPL-2.0-only
import { NULL, type Op, type Ptr } from '@lockless/cpu';
import { execMm, type Segment } from '@lockless/mm';
import { ENOMEM, type File, VM_GROWSDOWN } from '@lockless/mm-types';
import { filePut, genericFileRead } from '@lockless/pagecache';
import type { Exec, Vma } from '@lockless/recording';
import { pagesOf } from './calls-memory.js';
import { protBits } from './prot.js';
import type { World } from './world.js';

/** What execve reads of a program and of its dynamic linker: the ELF header and the program headers. */
const HEADER_BYTES = 256;

/** Replays the memory side of an execve: reads the headers, builds the recorded image, puts it in place. Returns 0 or -errno. */
export function* replayExec(world: World, rec: Exec): Op<number> {
  const files = new Map<number, Ptr<File>>();
  let error = yield* openAll(world, rec.maps, files);
  for (const file of files.values()) if (error === 0) error = yield* readHeader(file);
  if (error === 0) error = yield* execMm(imageOf(world, rec, files));
  for (const file of files.values()) yield* filePut(file);
  return error;
}

function* openAll(world: World, maps: readonly Vma[], files: Map<number, Ptr<File>>): Op<number> {
  for (const vma of maps) {
    const id = vma.file;
    if (id === null || files.has(id)) continue;
    const file = yield* world.openFile(id);
    if (file === NULL) return -ENOMEM;
    files.set(id, file);
  }
  return 0;
}

function* readHeader(file: Ptr<File>): Op<number> {
  const read = yield* genericFileRead(file, 0, HEADER_BYTES, function* (_page, _offset, count) {
    return count;
  });
  return Math.min(0, read);
}

function imageOf(world: World, rec: Exec, files: ReadonlyMap<number, Ptr<File>>): Parameters<typeof execMm>[0] {
  const at = (page: number): number => world.addresses.toSimulated(page);
  const segments = rec.maps.map((vma): Segment => {
    return {
      start: at(vma.from),
      end: at(vma.to - 1) + 1,
      prot: protBits(vma.prot),
      shared: vma.shared,
      file: (vma.file === null ? undefined : files.get(vma.file)) ?? NULL,
      pgoff: vma.index,
      flags: vma.kind === 'stack' ? VM_GROWSDOWN : 0,
      ...(vma.kind === 'vdso' ? { special: world.vdso() } : {}),
    };
  });
  const heap = rec.maps.find((vma) => vma.kind === 'heap');
  const stack = rec.maps.find((vma) => vma.kind === 'stack');
  const brk = at(pagesOf(rec.brk));
  return {
    segments,
    brk: heap === undefined ? brk : at(heap.to),
    startBrk: heap === undefined ? brk : at(heap.from),
    mmapBase: at(stack?.from ?? rec.maps[0].from),
    pid: rec.tid,
  };
}
