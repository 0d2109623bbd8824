// SPDX-License-Identifier: GPL-2.0-only
import { readFileSync } from 'node:fs';
import type { Op, Ptr } from '@lockless/cpu';
import { GFP_KERNEL, kmemCacheAlloc, kmemCacheCreate, store } from '@lockless/cpu';
import type { File } from '@lockless/mm-types';
import { FMODE_READ, PAGE_SIZE, VM_EXEC, VM_RAND_READ, VM_READ, VM_SEQ_READ, VmAreaStruct } from '@lockless/mm-types';
import { putPage, unlockPage } from '@lockless/page';
import { describe, expect, it } from 'vitest';
import {
  fadvise,
  filemapFault,
  filemapMapPages,
  fileOpen,
  genericFileRead,
  inodeAlloc,
  setPageCacheObserver,
} from '../src/index.js';
import { bootSequential } from './sequential-system.js';

/*
 * What a real kernel added to its page cache, step by step (measured with mincore() after each step, test/fixtures/record-readahead.py), against what
 * ours adds at the same step.
 */

interface Step {
  readonly kind: 'read' | 'advise' | 'map' | 'touch';
  readonly pos?: number;
  readonly count?: number;
  readonly advice?: number;
  readonly pages?: number;
  readonly pgoff?: number;
  readonly exec?: boolean;
  readonly madvise?: number;
  /** Page number of the mapping's address within its page table. */
  readonly start?: number;
  /** Ranges of page indexes, first and last. */
  readonly adds?: readonly (readonly [number, number])[];
}
interface Recording {
  readonly kernel: string;
  readonly raPages: number;
  readonly ioPages: number;
  readonly cases: readonly { readonly name: string; readonly pages: number; readonly ops: readonly Step[] }[];
}

const recording = JSON.parse(
  readFileSync(new URL('./fixtures/readahead-6.18-128k.json', import.meta.url), 'utf8'),
) as Recording;

const areas = kmemCacheCreate(VmAreaStruct);
const FAULT_AROUND_PAGES = 16;
const MADV_FLAGS: Record<number, number> = { 1: VM_RAND_READ, 2: VM_SEQ_READ };

/** A mapping of the file, and which of its pages have a page-table entry. */
interface Mapping {
  readonly vma: Ptr<VmAreaStruct>;
  readonly step: Step;
  readonly mapped: Set<number>;
}

function* map(file: Ptr<File>, step: Step): Op<Mapping> {
  const vma = (yield* kmemCacheAlloc(areas, GFP_KERNEL)) as Ptr<VmAreaStruct>;
  yield* store(VmAreaStruct.vmStart(vma), step.start!);
  yield* store(VmAreaStruct.vmEnd(vma), step.start! + step.pages!);
  yield* store(VmAreaStruct.vmPgoff(vma), step.pgoff!);
  const flags = VM_READ | (step.exec ? VM_EXEC : 0) | (MADV_FLAGS[step.madvise ?? 0] ?? 0);
  yield* store(VmAreaStruct.vmFlags(vma), flags);
  yield* store(VmAreaStruct.vmFile(vma), file);
  return { vma, step, mapped: new Set() };
}

/** A read of one address, as 6.18 handles the fault: around it what is ready, then the page itself. */
function* touch({ vma, step, mapped }: Mapping, pgoff: number): Op<void> {
  if (mapped.has(pgoff)) return;
  const inArea = pgoff - step.pgoff!;
  const entry = step.start! + inArea;
  const first = Math.max(
    Math.floor(entry / FAULT_AROUND_PAGES) * FAULT_AROUND_PAGES,
    entry - Math.min(entry % 512, inArea),
  );
  const last =
    Math.min(first + FAULT_AROUND_PAGES, (Math.floor(entry / 512) + 1) * 512, entry + step.pages! - inArea) - 1;
  yield* filemapMapPages(vma, pgoff + first - entry, pgoff + last - entry, function* (_page, index) {
    mapped.add(index);
  });
  if (mapped.has(pgoff)) return;
  const { page } = yield* filemapFault(vma, pgoff);
  if (page === 0) throw new Error(`fault at ${pgoff} failed`);
  mapped.add(pgoff);
  yield* unlockPage(page);
  yield* putPage(page);
}

function ranges(indexes: readonly number[]): [number, number][] {
  const result: [number, number][] = [];
  for (const index of [...indexes].sort((a, b) => a - b)) {
    const last = result.at(-1);
    if (last !== undefined && last[1] === index - 1) last[1] = index;
    else result.push([index, index]);
  }
  return result;
}

describe(`read-ahead against Linux ${recording.kernel}`, () => {
  it.each(recording.cases)('$name', ({ pages, ops }) => {
    const { raPages, ioPages } = recording;
    const system = bootSequential({ pages: 2048, readahead: { model: '6.18', raPages, ioPages, largeFolios: true } });
    const inode = system.run(inodeAlloc(1, pages * PAGE_SIZE));
    const file = system.run(fileOpen(inode as Ptr<never>, FMODE_READ)) as Ptr<File>;
    let added: number[] = [];
    let mapping: Mapping | undefined;
    setPageCacheObserver({ added: (_ino, index) => added.push(index) });
    const nothing = function* (_page: unknown, _offset: number, count: number): Op<number> {
      return count;
    };
    ops.forEach((step, i) => {
      added = [];
      if (step.kind === 'read') system.run(genericFileRead(file, step.pos!, step.count!, nothing));
      else if (step.kind === 'advise') system.run(fadvise(file, step.pos ?? 0, step.count ?? 0, step.advice!));
      else if (step.kind === 'map') mapping = system.run(map(file, step));
      else system.run(touch(mapping!, step.pgoff!));
      expect(ranges(added), `step ${i}: ${JSON.stringify(step)}`).toEqual(step.adds ?? []);
    });
    setPageCacheObserver(null);
  });
});
