// SPDX-License-Identifier: GPL-2.0-only
import { KernelBug, NULL } from '@lockless/cpu';
import {
  isMigrationEntry,
  isSwapPte,
  isWriteMigrationEntry,
  MAX_SWAPFILES,
  makeMigrationEntry,
  migrationEntryToPage,
  nonSwapEntry,
  pteFile,
  pteNone,
  ptePresent,
  pteToSwpEntry,
  type SwpEntry,
  swpEntry,
  swpEntryToPte,
  swpOffset,
  swpType,
} from '@lockless/rmap';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { getSwapPage, swapDuplicate, swapFree, vmSwapFull } from '../src/index.js';
import { at, boot, freshPage, PLACES, run, users } from './swap-system.js';

beforeEach(() => boot(64));

describe('entries', () => {
  it('survive a page table, in which they look like nothing else', () => {
    const type = fc.integer({ min: 0, max: MAX_SWAPFILES + 2 });
    fc.assert(
      fc.property(type, fc.integer({ min: 1, max: 2 ** 20 - 1 }), (t, offset) => {
        const entry = swpEntry(t, offset);
        const pte = swpEntryToPte(entry);
        expect([ptePresent(pte), pteNone(pte), pteFile(pte), isSwapPte(pte)]).toEqual([false, false, false, true]);
        expect(pteToSwpEntry(pte)).toBe(entry);
        expect([swpType(entry), swpOffset(entry)]).toEqual([t, offset]);
        expect(nonSwapEntry(entry)).toBe(t >= MAX_SWAPFILES);
        expect(isMigrationEntry(entry)).toBe(t > MAX_SWAPFILES);
      }),
    );
  });

  it('of a migration name the frame, and whether it was writable', () => {
    const page = freshPage();
    for (const write of [false, true]) {
      const entry = at(() => makeMigrationEntry(page, write));
      expect(at(() => migrationEntryToPage(entry))).toBe(page);
      expect(isWriteMigrationEntry(entry)).toBe(write);
      expect(run(swapDuplicate(entry))).toBe(true);
    }
  });
});

describe('the swap map', () => {
  it('behaves as a list of counters', () => {
    const command = fc.oneof(
      fc.constant({ what: 'get' as const }),
      fc.record({ what: fc.constantFrom('free' as const, 'duplicate' as const), which: fc.nat(PLACES - 1) }),
    );
    fc.assert(
      fc.property(fc.array(command, { maxLength: 40 }), (commands) => {
        boot(16);
        const model = new Array<number>(PLACES).fill(0);
        let next = 0;
        const entryOf = (which: number): SwpEntry => swpEntry(0, which + 1);
        for (const step of commands) {
          if (step.what === 'get') {
            // The first free one behind the last that was given out, from the start again after the end.
            const behind = model.indexOf(0, next);
            const first = behind < 0 ? model.indexOf(0) : behind;
            expect(run(getSwapPage())).toBe(first < 0 ? NULL : entryOf(first));
            if (first < 0) continue;
            model[first] = 1;
            next = first + 1;
          } else if (step.what === 'duplicate') {
            expect(run(swapDuplicate(entryOf(step.which)))).toBe(model[step.which] > 0);
            if (model[step.which] > 0) model[step.which]++;
          } else if (model[step.which] > 0) {
            run(swapFree(entryOf(step.which)));
            model[step.which]--;
          } else {
            expect(() => run(swapFree(entryOf(step.which)))).toThrow(KernelBug);
            return;
          }
          expect(model.map((_, which) => users(entryOf(which)))).toEqual(model);
          expect(run(vmSwapFull())).toBe(model.filter((n) => n > 0).length > PLACES / 2);
        }
      }),
      { numRuns: 60 },
    );
  });

  it.each([
    ['beyond the end', 0, PLACES + 1],
    ['of no area', 3, 1],
  ])('refuses a place %s', (_what, type, offset) => {
    expect(() => run(swapFree(swpEntry(type, offset)))).toThrow('bad swap entry');
  });
});
