// SPDX-License-Identifier: GPL-2.0-only
import type { KernelBug, Op, Ptr } from '@lockless/cpu';
import { configureKernel, rcuReadAcquire, rcuReadRelease, SequentialEngine } from '@lockless/cpu';
import type { Page } from '@lockless/mm-types';
import { expect, it } from 'vitest';
import {
  allocPage,
  freeAreaInit,
  getPageUnlessZero,
  getPageUnlessZeroExempt,
  pageCacheGetSpeculative,
  pageCount,
} from '../src/index.js';

/** Runs with a page of its own. */
function withPage<T>(proveRcu: boolean, body: (page: Ptr<Page>) => Op<T>): T {
  return new SequentialEngine().run(
    (function* () {
      configureKernel({ proveRcu });
      yield* freeAreaInit({ pages: 16, nrCpus: 1, minFreeKbytes: 0 });
      return yield* body((yield* allocPage(0)) as Ptr<Page>);
    })(),
  );
}

function* careless(page: Ptr<Page>): Op<boolean> {
  return yield* getPageUnlessZero(page);
}

it('names the caller of get_page_unless_zero() who is no RCU reader', () => {
  let bug: KernelBug | null = null;
  try {
    withPage(true, careless);
  } catch (thrown) {
    bug = thrown as KernelBug;
  }
  expect(bug?.kind).toBe('no-rcu-reader');
  expect(bug?.stack).toMatch(/\n\s+at careless\b/);
  expect(bug?.stack).not.toMatch(/at getPageUnlessZero\b/);
});

it('asks speculative references too', () => {
  expect(() => withPage(true, pageCacheGetSpeculative)).toThrow(/outside of rcu_read_lock/);
});

it('lets readers, and those who are excused by name; and does not ask if it is not built to', () => {
  const reader = function* (page: Ptr<Page>): Op<number> {
    rcuReadAcquire();
    expect(yield* getPageUnlessZero(page)).toBe(true);
    rcuReadRelease();
    expect(yield* getPageUnlessZeroExempt(page, 'isolateLruPage')).toBe(true);
    return yield* pageCount(page);
  };
  expect(withPage(true, reader)).toBe(3);
  expect(withPage(false, careless)).toBe(true);
});
