// SPDX-License-Identifier: GPL-2.0-only
import { fileURLToPath } from 'node:url';
import * as cpu from '@lockless/cpu';
import * as mmTypes from '@lockless/mm-types';
import { type Edit, loadMutant } from '@lockless/mutant';
import type { MemoryModel } from '@lockless/simulator';
import { describe, expect, it } from 'vitest';
import { allocatorStress } from './allocator-stress.js';
import { lruStress } from './lru-stress.js';
import { type Options, type PageApi, wrongIn } from './machine.js';
import { pageLockStress } from './page-lock-stress.js';
import { speculation } from './speculation.js';

const source = fileURLToPath(new URL('../src', import.meta.url));
const imports = { '@lockless/cpu': cpu, '@lockless/mm-types': mmTypes };

interface Mutant {
  /** The bug, with its row of the known races where it has one. */
  readonly bug: string;
  readonly edits: readonly Edit[];
  /** The run that finds it. */
  readonly foundBy: (api: PageApi, options: Options) => string | null;
  /** How it shows. */
  readonly as: RegExp;
  /** The weakest need: on a stronger model the bug is none. */
  readonly model: MemoryModel;
  readonly cpus?: number;
  readonly runLength?: number;
}

const speculate = (api: PageApi, options: Options): string | null => wrongIn(speculation(api, options).outcome);
const allocate = (api: PageApi, options: Options): string | null => wrongIn(allocatorStress(api, options));
const lists = (api: PageApi, options: Options): string | null => wrongIn(lruStress(api, options));
const lock = (api: PageApi, options: Options): string | null => wrongIn(pageLockStress(api, options));

const MUTANTS: readonly Mutant[] = [
  {
    bug: 'a speculative reference on a free page (A6)',
    edits: [
      {
        file: 'page-ref.ts',
        from: 'export function getPageUnlessZero(page: Ptr<Page>): Access<boolean> {\n  assertRcuReader(getPageUnlessZero);\n  return atomicIncNotZero(Page._count(page));\n}',
        to: 'export function* getPageUnlessZero(page: Ptr<Page>) { yield* atomicInc(Page._count(page)); return true; }',
      },
    ],
    foundBy: speculate,
    as: /VM_BUG|bad-page|broken-promise|BUG/,
    model: 'sc',
  },
  {
    bug: 'the count is looked at, then zeroed, instead of frozen (A16)',
    edits: [
      {
        file: 'page-ref.ts',
        from: 'return (yield* atomicCmpxchg(Page._count(page), count, 0)) === count;',
        to: 'if ((yield* atomicRead(Page._count(page))) !== count) return false; yield* atomicSet(Page._count(page), 0); return true;',
      },
    ],
    foundBy: speculate,
    as: /VM_BUG|bad-page|broken-promise|BUG|invariant/,
    model: 'sc',
  },
  {
    bug: 'unfreeze is not a release (A11)',
    edits: [
      {
        file: 'page-ref.ts',
        from: 'yield* smpStoreRelease(Page._count(page), count);',
        to: 'yield* atomicSet(Page._count(page), count);',
      },
    ],
    foundBy: speculate,
    as: /broken-promise/,
    model: 'weak',
  },
  {
    bug: 'the per-CPU list is touched with interrupts on',
    edits: [
      {
        file: 'page-alloc.ts',
        from: '  yield* freePagesCheck(page);\n  const flags = localIrqSave();',
        to: '  yield* freePagesCheck(page);',
      },
      {
        file: 'page-alloc.ts',
        from: 'drainPcp(pcp, peek(Zone.pcpBatch(zone)));\n  localIrqRestore(flags);',
        to: 'drainPcp(pcp, peek(Zone.pcpBatch(zone)));',
      },
    ],
    foundBy: allocate,
    as: /irq-unsafe-lock|broken-promise|bad-page|invariant|does not come back/,
    model: 'sc',
  },
  {
    bug: 'free_pages_bulk without zone->lock',
    edits: [
      {
        file: 'page-buddy.ts',
        from: '  yield* spinLock(Zone.lock(zone));\n  yield* freedSome();\n  for (',
        to: '  yield* freedSome();\n  for (',
      },
      {
        file: 'page-buddy.ts',
        from: '    yield* freeOnePage(page, 0);\n  }\n  yield* spinUnlock(Zone.lock(zone));',
        to: '    yield* freeOnePage(page, 0);\n  }',
      },
    ],
    foundBy: allocate,
    as: /broken-promise|bad-page|invariant|BUG|null-dereference|does not come back/,
    model: 'sc',
    cpus: 8,
  },
  {
    bug: 'a page that is freed leaves the LRU without lru_lock',
    edits: [
      {
        file: 'page-free.ts',
        from: '    const flags = yield* spinLockIrqsave(lruLock);\n    yield* takeOffLru(page);\n    yield* spinUnlockIrqrestore(lruLock, flags);',
        to: '    yield* takeOffLru(page);',
      },
    ],
    foundBy: lists,
    as: /invariant|VM_BUG|bad-page|does not come back|null-dereference/,
    model: 'sc',
    cpus: 8,
  },
  {
    bug: 'pagevecs are touched with preemption on',
    edits: [
      {
        file: 'swap.ts',
        from: '  yield* getPage(page);\n  if (staysOnCpu()) preemptDisable();',
        to: '  yield* getPage(page);',
      },
      {
        file: 'swap.ts',
        from: 'yield* pagevecTakeAll(pagevec), lru);\n  if (staysOnCpu()) preemptEnable();',
        to: 'yield* pagevecTakeAll(pagevec), lru);',
      },
    ],
    foundBy: (api, options) => lists(api, { ...options, rounds: 60, timerTick: 300, timeSlice: 300 }),
    as: /invariant|VM_BUG|bad-page/,
    model: 'sc',
    cpus: 2,
  },
  {
    bug: 'unlock_page clears the bit by an operation that orders nothing',
    edits: [
      {
        file: 'page-lock.ts',
        from: "  yield* smpMbBeforeAtomic();\n  bugOn(!(yield* testAndClearBit(PG_LOCKED, Page.flags(page))), 'unlock_page: !PageLocked(page)');\n  yield* smpMbAfterAtomic();",
        to: '  yield* clearPageLocked(page);',
      },
      {
        file: 'page-lock.ts',
        from: "import { pageLocked, pageWriteback } from './page-flags.js';",
        to: "import { clearPageLocked, pageLocked, pageWriteback } from './page-flags.js';",
      },
    ],
    foundBy: lock,
    as: /broken-promise|deadlock/,
    model: 'weak',
  },
  {
    bug: 'unlock_page wakes nobody',
    edits: [{ file: 'page-lock.ts', from: '  yield* wakeUpPage(page, PG_LOCKED);\n', to: '' }],
    foundBy: lock,
    as: /deadlock/,
    model: 'sc',
  },
];

describe('planted bugs are found', () => {
  it.each(MUTANTS)('$bug', ({ edits, foundBy, as, model, cpus = 4, runLength = 4 }) => {
    const api = loadMutant<PageApi>(source, edits, imports);
    const reports: string[] = [];
    for (let seed = 1; seed <= 40 && reports.length === 0; seed++) {
      let wrong: string | null;
      try {
        wrong = foundBy(api, { cpus, model, seed, runLength });
      } catch (error) {
        wrong = String(error);
      }
      if (wrong !== null) reports.push(wrong);
    }
    expect(reports[0] ?? 'nothing found').toMatch(as);
  });
});
