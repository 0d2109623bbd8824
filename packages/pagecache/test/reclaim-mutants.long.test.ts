// SPDX-License-Identifier: GPL-2.0-only
import { fileURLToPath } from 'node:url';
import * as cpu from '@lockless/cpu';
import * as memcontrol from '@lockless/memcontrol';
import * as mmTypes from '@lockless/mm-types';
import { type Edit, loadMutant } from '@lockless/mutant';
import * as page from '@lockless/page';
import * as radixTree from '@lockless/radix-tree';
import * as rcu from '@lockless/rcu';
import * as rmap from '@lockless/rmap';
import { describe, expect, it } from 'vitest';
import * as shipped from '../src/index.js';
import { type PagecacheApi, type PressureOptions, runPressure } from './pressure.js';
import { dirtiedBeforeFreeze, staleLookupOfOrphan } from './reclaim-sequential.js';

const source = fileURLToPath(new URL('../src', import.meta.url));
const imports = {
  '@lockless/cpu': cpu,
  '@lockless/memcontrol': memcontrol,
  '@lockless/mm-types': mmTypes,
  '@lockless/page': page,
  '@lockless/radix-tree': radixTree,
  '@lockless/rcu': rcu,
  '@lockless/rmap': rmap,
};

interface Mutant {
  /** The bug, with its row of the known races where it has one. */
  readonly bug: string;
  readonly edits: readonly Edit[];
  /** How it shows. */
  readonly as: RegExp;
  readonly options?: Partial<PressureOptions>;
  /** The test that finds it; default: the workload under memory pressure. */
  readonly foundBy?: (api: PagecacheApi) => void;
}

const MUTANTS: readonly Mutant[] = [
  {
    bug: 'the dirty flag is not looked at again after the freeze (A9)',
    edits: [{ file: 'remove-mapping.ts', from: 'if (!(yield* pageDirty(page))) return true;', to: 'return true;' }],
    as: /expected undefined to be/,
    foundBy: (api) => dirtiedBeforeFreeze(api, cpu.GFP_KERNEL),
  },
  {
    bug: 'PG_lru of a page that is being freed is cleared (46453a6e19)',
    edits: [
      { file: 'vmscan-isolate.ts', from: '  if (!referenceFirst()) yield*', to: '  yield*' },
      { file: 'vmscan-isolate.ts', from: '  if (referenceFirst()) yield* clearPageLru(page);\n', to: '' },
    ],
    as: /VM_BUG|invariant|bad-page|BUG/,
    options: { cpus: 8, truncation: true, rounds: 80, runLength: 3 },
  },
  {
    bug: 'a truncated page is freed because its count was 1 when we looked (A12)',
    edits: [{ file: 'vmscan-page-list.ts', from: 'if (!putTestzero()) {', to: 'if (true) {' }],
    as: /bad page: .* page_count 1/,
    foundBy: (api) => staleLookupOfOrphan(api, cpu.GFP_KERNEL),
  },
  {
    bug: 'a page under writeback is taken out of the cache',
    edits: [
      {
        file: 'vmscan-page-list.ts',
        from: "    if (!sync || !(yield* mayWrite(page, sc))) return 'keep';\n    yield* waitOnPageWriteback(page);\n",
        to: '',
      },
    ],
    as: /VM_BUG|invariant|bad-page|BUG|broken-promise/,
  },
  {
    bug: 'isolated pages are forgotten instead of put back',
    edits: [{ file: 'vmscan-isolate.ts', from: '    yield* releasePages(pages);\n', to: '' }],
    as: /broken-promise|references are conserved|invariant|deadlock/,
  },
  {
    bug: 'nobody is told that an isolation has ended',
    edits: [
      {
        file: 'vmscan-isolate.ts',
        from: '  if (yield* waitqueueActive(isolationWait)) yield* wakeUpAll(isolationWait);\n',
        to: '',
      },
    ],
    as: /deadlock/,
    options: { cpus: 8, pages: 56, filePages: 120, rounds: 80, runLength: 12 },
  },
];

function firstFailure(api: PagecacheApi, options: Partial<PressureOptions>): string {
  for (let seed = 1; seed <= 25; seed++) {
    try {
      const { wrong } = runPressure(api, { cpus: 4, model: 'sc', seed, runLength: 5, ...options });
      if (wrong !== null) return wrong;
    } catch (error) {
      return String(error);
    }
  }
  return 'nothing found';
}

function failureOf(test: () => void): string {
  try {
    test();
    return 'nothing found';
  } catch (error) {
    return String(error);
  }
}

describe('planted bugs of reclaim are found', () => {
  it.each(MUTANTS)('$bug', ({ edits, as, foundBy, options = {} }) => {
    const mutant = loadMutant<PagecacheApi>(source, edits, imports);
    expect(foundBy === undefined ? firstFailure(mutant, options) : failureOf(() => foundBy(mutant))).toMatch(as);
  });

  it('page_count() instead of page_freeze_refs(), by its boot option', () => {
    const options = { without: ['removeMapping.freezeRefs'] };
    expect(firstFailure(shipped, { options, cpus: 8, runLength: 5, rounds: 80 })).toMatch(
      /VM_BUG|invariant|bad-page|BUG|broken-promise/,
    );
  });
});
