// SPDX-License-Identifier: GPL-2.0-only
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Op, type Ptr, SequentialEngine, STATIC_WORDS } from '@lockless/cpu';
import {
  adoptMm,
  archSetupAdditionalPages,
  boot,
  buildMm,
  deviceMemory,
  dupMm,
  FOLL_FORCE,
  FOLL_WRITE,
  getUserPages,
  MADV_DONTNEED,
  mmapDevice,
  PROT_READ,
  residentPages,
  type SpecialPages,
  specialPagesInit,
  sysMadvise,
  sysMincore,
  sysMlock,
  sysMprotect,
  sysMremap,
  sysMunmap,
  userRead,
  writeContent,
} from '@lockless/mm';
import { type MmStruct, type Page, VM_MAYREAD, VM_READ } from '@lockless/mm-types';
import { putPage } from '@lockless/page';
import { attachBlockMap, BackingStore } from '@lockless/pagecache';
import { describe, expect, it } from 'vitest';
import { reasonAgainstKernel } from '../src/index.js';

/*
 * The steps of special-mapping.c, on mm: what user space sees of the vdso, a special mapping, and of [vvar], whose entries have no page, as those of a
 * device's memory. (Of a device's memory itself there is none to be mapped: /dev/mem is not there, or not to be trusted with it.)
 */

const VDSO = 0x2000;
const VVAR = 0x3000;
const FIRST = 50;

function* steps(): Op<string[]> {
  yield* boot({ cpus: 1, memoryPages: 512, minFreeKbytes: 64 });
  const contents = [FIRST, FIRST + 1].map((identity) => ({ identity, version: 0 }));
  const special = (yield* specialPagesInit(contents)) as Ptr<SpecialPages>;
  const memory = (yield* deviceMemory(1)) as Ptr<Page>;
  const mm = (yield* buildMm({ segments: [], brk: 0x100, mmapBase: 0x70000, pid: 1 })) as Ptr<MmStruct>;
  yield* archSetupAdditionalPages(mm, VDSO, 2, special);
  yield* mmapDevice(mm, VVAR, 2, VM_READ | VM_MAYREAD, memory);
  yield* adoptMm(mm);

  const lines: string[] = [];
  const say = (name: string, ...values: number[]): void => void lines.push([name, ...values].join(' '));
  function* identity(page: number): Op<number> {
    const at = (yield* userRead(page)).content.identity - FIRST;
    return at === 0 || at === 1 ? at : -1;
  }
  /** mincore; pagemap: present, of a file. pagemap leaves out what has no pages: "mm: pagewalk: fix misbehavior of walk_page_range for vma(VM_PFNMAP)". */
  function* residency(name: string, from: number, pages: number): Op<void> {
    const mincore = (yield* sysMincore(from, pages)) as boolean[];
    const present = new Map(residentPages(mm).map(({ vpage, kind }) => [vpage, kind]));
    const seen = mincore.map((resident, i) => {
      const kind = present.get(from + i);
      return `${Number(resident)}${Number(kind !== undefined && kind !== 'device')}${Number(kind === 'file')}`;
    });
    lines.push([name, ...seen].join(' '));
  }
  const grow = { oldPages: 1, newPages: 2, flags: 1, newAddress: 0 };

  for (const page of [0, 1]) yield* identity(VDSO + page);
  yield* residency('read', VDSO, 2);
  say('mprotect', yield* sysMprotect(VDSO, 1, PROT_READ));
  say('dontneed', yield* sysMadvise(VDSO, 2, MADV_DONTNEED));
  yield* residency('empty', VDSO, 2);
  say('again', yield* identity(VDSO), yield* identity(VDSO + 1));
  say('munmap', yield* sysMunmap(VDSO, 1));
  yield* sysMadvise(VDSO + 1, 1, MADV_DONTNEED);
  say('rest', yield* identity(VDSO + 1));
  yield* residency('rest-seen', VDSO + 1, 1);
  say('grow', yield* sysMremap({ address: VDSO + 1, ...grow }));

  const pages: Ptr<Page>[] = [];
  say('poke', yield* getUserPages(mm, VDSO + 1, 1, FOLL_WRITE | FOLL_FORCE, pages));
  yield* writeContent(pages[0], { identity: 9, version: 1 });
  yield* putPage(pages[0]);
  say('poked', yield* identity(VDSO + 1));
  yield* residency('poked-seen', VDSO + 1, 1);
  yield* adoptMm((yield* dupMm(mm)) as Ptr<MmStruct>);
  say('child', yield* identity(VDSO + 1));
  yield* adoptMm(mm);
  say('drop', yield* sysMadvise(VDSO + 1, 1, MADV_DONTNEED));
  say('dropped', yield* identity(VDSO + 1));

  yield* residency('device', VVAR, 1);
  say('device-dontneed', yield* sysMadvise(VVAR, 1, MADV_DONTNEED));
  say('device-mlock', yield* sysMlock(VVAR, 1));
  say('device-grow', yield* sysMremap({ address: VVAR, ...grow }));
  say('device-gup', yield* getUserPages(mm, VVAR, 1, 0, []));
  return lines;
}

/** What newer kernels say otherwise, on purpose. */
const NEWER: Readonly<Record<string, string>> = {
  // Special mappings are not split since 5.11 (871402e05b24).
  mprotect: 'mprotect -22',
  munmap: 'munmap -22',
  // mincore() says of what the caller could not write to that it is there, since 5.2 (134fca9063ad).
  empty: 'empty 100 100',
};

const reason = reasonAgainstKernel();

describe.skipIf(reason !== null)(`special mappings${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  it('user space sees of [vdso] and [vvar] what mm says', ({ skip }) => {
    const engine = new SequentialEngine({ words: STATIC_WORDS + (1 << 19) });
    attachBlockMap(new BackingStore());
    const simulated = engine.run(steps()).map((line) => NEWER[line.split(' ')[0]] ?? line);
    const folder = mkdtempSync(join(tmpdir(), 'special-mapping-'));
    const program = join(folder, 'special-mapping');
    const source = fileURLToPath(new URL('special-mapping.c', import.meta.url));
    expect(spawnSync('gcc', ['-O1', '-o', program, source], { encoding: 'utf8' })).toMatchObject({ status: 0 });
    const { status, stdout } = spawnSync(program, { encoding: 'utf8' });
    rmSync(folder, { recursive: true });
    if (status === 3) skip('this kernel has no vdso of two pages, or no [vvar]');
    expect(status).toBe(0);
    expect(stdout.trim().split('\n')).toEqual(simulated);
  });
});
