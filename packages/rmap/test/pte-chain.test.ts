// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr, Ref } from '@lockless/cpu';
import { GFP_KERNEL, peek } from '@lockless/cpu';
import { NRPTE, Page } from '@lockless/mm-types';
import { chainedEntries, pageMapcount, usePteUnion } from '@lockless/page';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type * as rmap from '../src/index.js';
import {
  chainAdd,
  chainHas,
  chainRemove,
  chainReplace,
  collapseChain,
  type PteChainSpare,
  pteChainAlloc,
  pteChainFree,
  walkChain,
} from '../src/pte-chain.js';
import { run } from './chain-blocks.js';
import { bootMemory, newPage } from './memory.js';

/** An entry's address: the list does not look behind it. */
const entry = (n: number): Ref<rmap.Pte> => (4096 + n) as Ref<rmap.Pte>;

describe('the list of entries against a set', () => {
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.record({ op: fc.constant('add' as const), n: fc.nat({ max: 80 }) }) },
    {
      weight: 2,
      arbitrary: fc.record({ op: fc.constantFrom('remove' as const, 'move' as const), n: fc.nat({ max: 80 }) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        op: fc.constantFrom('collapse' as const, 'drop' as const),
        n: fc.integer({ min: 1, max: 4 }),
      }),
    },
  );

  it('has the same elements, in as few blocks as can be, and gives all of them back', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        run(function* (live) {
          usePteUnion('of-all-pages');
          yield* bootMemory(64);
          const page = yield* newPage();
          const model = new Set<number>();
          for (const { op, n } of steps) {
            yield* perform(page, model, op, n);
            expect(chainedEntries(page)?.toSorted((a, b) => a - b)).toEqual(
              [...model].map(entry).sort((a, b) => a - b),
            );
            expect(yield* pageMapcount(page)).toBe(model.size);
            // One is in this CPU's place, or was never allocated.
            expect(live()).toBeLessThanOrEqual((model.size > 0 ? Math.ceil(model.size / NRPTE) : 0) + 1);
          }
          for (const n of [...model]) yield* chainRemove(page, entry(n));
          expect([peek(Page.pte(page)), live() <= 1]).toEqual([0, true]);
        });
      }),
    );
  });

  function* perform(page: Ptr<Page>, model: Set<number>, op: string, n: number): Op<void> {
    const has = model.has(n);
    switch (op) {
      case 'add': {
        if (has) return;
        const spare: PteChainSpare = { chain: yield* pteChainAlloc(GFP_KERNEL) };
        expect(yield* chainAdd(page, entry(n), spare)).toBe(model.size === 0);
        if (spare.chain !== 0) yield* pteChainFree(spare.chain);
        model.add(n);
        return;
      }
      case 'remove':
        expect(yield* chainHas(page, entry(n))).toBe(has);
        expect(yield* chainRemove(page, entry(n))).toBe(has);
        model.delete(n);
        return;
      case 'move':
        yield* chainReplace(page, entry(n), entry(n + 100));
        if (model.delete(n)) model.add(n + 100);
        return;
      case 'collapse':
        return yield* collapseChain(page);
      case 'drop': {
        // Every n-th of the walk goes; each is visited once.
        const visited: number[] = [];
        yield* walkChain(page, function* (ptep) {
          visited.push(ptep - entry(0));
          if (visited.length % n !== 0) return 'keep';
          model.delete(ptep - entry(0));
          return 'drop';
        });
        expect(new Set(visited).size).toBe(visited.length);
        return;
      }
    }
  }
});
