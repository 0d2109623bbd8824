// SPDX-License-Identifier: GPL-2.0-only
import { fileURLToPath } from 'node:url';
import * as cpu from '@lockless/cpu';
import * as memcontrol from '@lockless/memcontrol';
import * as mmTypes from '@lockless/mm-types';
import * as mmuNotifier from '@lockless/mmu-notifier';
import { type Edit, loadMutant } from '@lockless/mutant';
import * as page from '@lockless/page';
import * as rcu from '@lockless/rcu';
import type { RunOutcome } from '@lockless/simulator';
import { describe, expect, it } from 'vitest';
import type { Rmap } from './package-under-test.js';
import { anonVmaReuse, cleaningStress, dirtyStress, type StressOptions, stress, wrongIn } from './stress.js';

const source = fileURLToPath(new URL('../src', import.meta.url));
const imports = {
  '@lockless/cpu': cpu,
  '@lockless/memcontrol': memcontrol,
  '@lockless/mm-types': mmTypes,
  '@lockless/mmu-notifier': mmuNotifier,
  '@lockless/page': page,
  '@lockless/rcu': rcu,
};

interface Mutant {
  /** The bug, and the kernel commit or the row of the known races that it stands for. */
  readonly bug: string;
  readonly edits: readonly Edit[];
  /** The test that finds it, {@link stress} by default, and with what. */
  readonly foundBy?: (api: Rmap, options: StressOptions) => RunOutcome;
  readonly options: StressOptions;
  /** How it shows. */
  readonly as: RegExp;
}

const MUTANTS: readonly Mutant[] = [
  {
    bug: 'page tables are freed before the areas leave the reverse mapping',
    edits: [
      {
        file: 'free-pgtables.ts',
        from: '    yield* anonVmaUnlink(at);\n    yield* unlinkFileVma(at);\n    yield* freePgdRange(tlb, start, end, floor, next === NULL ? ceiling : yield* load(VmAreaStruct.vmStart(next)));\n',
        to: '    yield* freePgdRange(tlb, start, end, floor, next === NULL ? ceiling : yield* load(VmAreaStruct.vmStart(next)));\n    yield* tlbFlushMmu(tlb);\n    yield* anonVmaUnlink(at);\n    yield* unlinkFileVma(at);\n',
      },
      {
        file: 'free-pgtables.ts',
        from: "import { tlbRemoveTable } from './mmu-gather.js';",
        to: "import { tlbFlushMmu, tlbRemoveTable } from './mmu-gather.js';",
      },
    ],
    options: { actions: ['touch', 'fork', 'fork', 'clean', 'clean', 'clean'], pages: 2, mms: 1 },
    as: /use after free: page_table|access outside every object|null pointer/,
  },
  {
    bug: 'an entry is read and then cleared: a dirty mark that the hardware sets in between is lost',
    edits: [
      {
        file: 'pte-access.ts',
        from: 'export const ptepGetAndClear = (_mm: Ptr<MmStruct>, _address: number, ptep: Ref<Pte>): Access<Pte> =>\n  atomicXchg(ptep, PTE_NONE);',
        to: 'export const ptepGetAndClear = function* (_mm: any, _address: number, ptep: any): any { const pte = yield* readOnce(ptep); yield* writeOnce(ptep, PTE_NONE); void atomicXchg; return pte; };',
      },
    ],
    foundBy: dirtyStress,
    options: { cpus: 2 },
    as: /no dirty mark is lost/,
  },
  {
    bug: 'a missing table is not looked for again under page_table_lock',
    edits: [{ file: 'pgtable.ts', from: '  if (present === NULL) {', to: '  if (present === NULL || level >= 0) {' }],
    options: { actions: ['touch', 'touch', 'remap'] },
    as: /BUG|rss-equals-entries|mapcount-equals-entries|use after free|is in use/,
  },
  {
    bug: 'anon_vma_prepare does not look again under page_table_lock (B)',
    edits: [
      {
        file: 'anon-vma-prepare.ts',
        from: '  const late = (yield* load(VmAreaStruct.anonVma(vma))) !== NULL; // B',
        to: '  const late = false;',
      },
    ],
    options: { actions: ['touch', 'touch', 'remap'] },
    as: /anon_vma|list|BUG|page->index|use after free/,
  },
  {
    bug: 'the loser of anon_vma_prepare keeps its anon_vma',
    edits: [
      { file: 'anon-vma-prepare.ts', from: '  if (late && shared === NULL) yield* anonVmaFree(anonVma);\n', to: '' },
    ],
    options: { actions: ['touch', 'touch', 'remap'] },
    as: /no object is lost: \d+ anon_vmas/,
  },
  {
    bug: 'vma_adjust moves bounds without i_mmap_lock: a walk finds a page in neither of two areas',
    edits: [
      {
        file: 'vma-adjust.ts',
        from: '  if (mapping !== NULL) yield* lockMapping(mapping, vma, next, importer, insert);\n',
        to: '  if (mapping !== NULL) { yield* lockMapping(mapping, vma, next, importer, insert); yield* spinUnlock(AddressSpace.iMmapLock(mapping)); }\n',
      },
      {
        file: 'vma-adjust.ts',
        from: '  if (mapping !== NULL) yield* spinUnlock(AddressSpace.iMmapLock(mapping));\n  if (removed',
        to: '  if (removed',
      },
    ],
    options: { actions: ['touch', 'protect', 'truncate'] },
    as: /unmap_mapping_range has passed|use after free: vm_area_struct/,
  },
  {
    bug: "fork's copy of a file area goes before its parent in i_mmap: truncation passes it while it is empty",
    edits: [
      {
        file: 'i-mmap.ts',
        from: '  else yield* listAddTail(VmAreaStruct.shared(vma), AddressSpace.iMmap(mapping));',
        to: '  else yield* listAdd(VmAreaStruct.shared(vma), AddressSpace.iMmap(mapping));',
      },
      { file: 'i-mmap.ts', from: '  listAddTail,\n', to: '  listAdd,\n  listAddTail,\n' },
    ],
    options: { actions: ['touch', 'fork', 'truncate'] },
    as: /unmap_mapping_range has passed/,
  },
  {
    bug: 'page_mkclean skips an entry that is being changed (C10; 479db0bf40)',
    edits: [
      {
        file: 'rmap.ts',
        from: 'function* pageMkcleanOne(page: Ptr<Page>, vma: Ptr<VmAreaStruct>): Op<boolean> {\n  const at = yield* findEntry(page, vma, looksUnderLock());',
        to: 'function* pageMkcleanOne(page: Ptr<Page>, vma: Ptr<VmAreaStruct>): Op<boolean> {\n  const at = yield* findEntry(page, vma, false);',
      },
    ],
    foundBy: cleaningStress,
    options: { cpus: 2 },
    as: /page_mkclean left/,
  },
  {
    bug: 'page_remove_rmap counts with a load and a store',
    edits: [
      {
        file: 'page-rmap.ts',
        from: '  if (!(yield* atomicAddNegative(-1, Page._mapcount(page)))) return;',
        to: '  const left = (yield* load(Page._mapcount(page))) - 1;\n  yield* writeOnce(Page._mapcount(page), left);\n  void atomicAddNegative;\n  if (left >= 0) return;',
      },
    ],
    options: { actions: ['touch', 'touch', 'zap', 'reclaim'] },
    as: /mappings|mapcount|BUG/,
  },
  {
    bug: 'try_to_unmap takes an area without an entry for success (D13)',
    edits: [
      { file: 'rmap.ts', from: 'if (at === NULL) return SWAP_AGAIN;', to: 'if (at === NULL) return SWAP_SUCCESS;' },
    ],
    options: { actions: ['touch', 'protect', 'protect', 'reclaim', 'reclaim'], pages: 2, mms: 1 },
    as: /try_to_unmap succeeded/,
  },
  {
    bug: 'a new anon_vma is put in use without its lock (D2; d9d332e087): a late reader walks a list that is being made',
    edits: [
      {
        file: 'anon-vma-prepare.ts',
        from: 'const locked = shared !== NULL || lockNew();',
        to: 'const locked = shared !== NULL;',
      },
    ],
    foundBy: anonVmaReuse,
    options: { model: 'weak', runLength: 20 },
    as: /null pointer dereference|access outside every object/,
  },
];

describe('known bugs, put back in, are found', () => {
  it.each(MUTANTS)('$bug', ({ edits, foundBy = stress, options, as }) => {
    const mutant = loadMutant<Rmap>(source, edits, imports);
    let found: string | null = null;
    for (let seed = 1; seed <= 400 && found === null; seed++)
      found = wrongIn(foundBy(mutant, { cpus: 4, model: 'sc', runLength: 5, ...options, seed }));
    expect(found ?? 'nothing is found').toMatch(as);
  });
});
