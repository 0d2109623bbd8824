// SPDX-License-Identifier: GPL-2.0-only
import type { Ptr } from '@lockless/cpu';
import { NULL, peek } from '@lockless/cpu';
import { type MmStruct, Page, PG_ANON, VM_GROWSDOWN } from '@lockless/mm-types';
import { chainedEntries, pfnToPage } from '@lockless/page';
import { ptePfn, ptePresent, walkMm } from '@lockless/rmap';
import { describe, expect, it } from 'vitest';
import {
  buildMm,
  MAP_FIXED,
  MAP_PRIVATE,
  MAP_SHARED,
  PROT_READ,
  RMAP_DESIGNS,
  swapOutRange,
  sysSwapoff,
} from '../src/index.js';
import { anonymous, RW, SequentialMachine } from './sequential-machine.js';

const AT = 2000;

/** The page that is mapped there. */
const pageAt = (machine: SequentialMachine, mm: Ptr<MmStruct>, address = AT): Ptr<Page> =>
  machine.look(() => {
    let found: Ptr<Page> | 0 = NULL;
    walkMm(mm, (vpage, pte) => {
      if (vpage === address && ptePresent(pte)) found = pfnToPage(ptePfn(pte));
    });
    return found as Ptr<Page>;
  });
const hasAnon = (machine: SequentialMachine, page: Ptr<Page>): boolean =>
  machine.look(() => (peek(Page.flags(page)) & (1 << PG_ANON)) !== 0);
const boot = (rmap: (typeof RMAP_DESIGNS)[number] = 'objrmap'): SequentialMachine =>
  new SequentialMachine({ rmap, memoryPages: 256, minFreeKbytes: 64, swapPages: 32 });
const stack = { start: AT, end: AT + 4, prot: RW, shared: false, file: NULL, pgoff: 0, flags: VM_GROWSDOWN };
function exec(machine: SequentialMachine): Ptr<MmStruct> {
  const argPages = [{ address: AT + 3, content: { identity: -7, version: 1 } }];
  const mm = machine.run(buildMm({ segments: [stack], brk: 0x1000, mmapBase: 0x700000, pid: 9, argPages }));
  if (mm === NULL) throw new Error('no memory');
  machine.mms.add(mm);
  return mm;
}

/** Each place at which the document sets PG_anon, and how a page gets there. */
const PLACES: Record<string, (machine: SequentialMachine) => Ptr<Page>> = {
  put_dirty_page: (machine) => pageAt(machine, exec(machine), AT + 3),
  do_anonymous_page: (machine) => {
    const mm = machine.process([anonymous(AT, 1)]);
    machine.write(mm, AT, -1);
    return pageAt(machine, mm);
  },
  'do_wp_page, the copy': (machine) => {
    const mm = machine.process([anonymous(AT, 1)]);
    machine.write(mm, AT, -1);
    machine.fork(mm);
    machine.write(mm, AT, -2);
    return pageAt(machine, mm);
  },
  'do_no_page, the early copy': (machine) => {
    const { file } = machine.file(7, 4096);
    const mm = machine.process();
    machine.mmap(mm, { address: AT, pages: 1, prot: RW, flags: MAP_PRIVATE | MAP_FIXED, file, pgoff: 0 });
    machine.write(mm, AT, -1);
    return pageAt(machine, mm);
  },
  do_swap_page: (machine) => {
    const mm = machine.process([anonymous(AT, 1)]);
    machine.write(mm, AT, -1);
    machine.run(swapOutRange(mm, AT, 1));
    machine.read(mm, AT);
    return pageAt(machine, mm);
  },
  unuse_pte: (machine) => {
    const mm = machine.process([anonymous(AT, 1)]);
    machine.write(mm, AT, -1);
    machine.run(swapOutRange(mm, AT, 1));
    expect(machine.run(sysSwapoff(0))).toBe(0);
    return pageAt(machine, mm);
  },
};

describe('objrmap: PG_anon, which says that a page has a chain of its entries', () => {
  it.each(Object.entries(PLACES))('%s', (_, make) => {
    const machine = boot();
    const page = make(machine);
    expect(hasAnon(machine, page)).toBe(true);
    expect(machine.look(() => chainedEntries(page)?.length)).toBe(1);
    expect(machine.verify()).toBeNull();
    for (const mm of [...machine.mms]) machine.exit(mm);
    expect([hasAnon(machine, page), machine.verify()]).toEqual([false, null]);
  });

  it('is not set on a page of a file that is mapped as it is', () => {
    const machine = boot();
    const { file } = machine.file(7, 4096);
    const mm = machine.process();
    machine.mmap(mm, { address: AT, pages: 1, prot: PROT_READ, flags: MAP_SHARED | MAP_FIXED, file, pgoff: 0 });
    machine.read(mm, AT);
    const page = pageAt(machine, mm);
    expect([hasAnon(machine, page), machine.look(() => chainedEntries(page))]).toEqual([false, null]);
  });
});

describe.each(RMAP_DESIGNS)('argument pages, %s', (rmap) => {
  it('are there when the program begins, without a fault', () => {
    const machine = boot(rmap);
    const mm = exec(machine);
    expect(machine.verify()).toBeNull();
    const { content, faults } = machine.read(mm, AT + 3);
    expect([content.identity, faults]).toEqual([-7, 0]);
    machine.exit(mm);
    expect(machine.verify()).toBeNull();
  });
});
