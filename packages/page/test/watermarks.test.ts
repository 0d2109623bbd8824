// SPDX-License-Identifier: GPL-2.0-only
import type { Ptr } from '@lockless/cpu';
import {
  current,
  functionPointer,
  GFP_ATOMIC,
  GFP_KERNEL,
  GFP_NOFAIL,
  GFP_NOMEMALLOC,
  GFP_NORETRY,
  load,
  NULL,
  PF_MEMALLOC,
  setFaultInjector,
  store,
  TaskStruct,
} from '@lockless/cpu';
import type { Page } from '@lockless/mm-types';
import { afterEach, describe, expect, it } from 'vitest';
import {
  allocPage,
  allocPages,
  freePages,
  pageToPfn,
  pfnToPage,
  putPage,
  setPageAllocHooks,
  type TryToFreePages,
  vmEvents,
  type WakeupKswapd,
} from '../src/index.js';
import { bootOneCpu, freePagesExactly, must, type OneCpu, takeAll } from './sequential.js';

/** Reclaim that the test controls; `freed` is called with the number of the call. */
let reclaimCalls: { order: number; gfp: number; taskFlags: number }[] = [];
let kswapdCalls = 0;
let onReclaim: (call: number) => Ptr<Page>[] = () => [];
const tryToFreePages = functionPointer<TryToFreePages>('test_try_to_free_pages', function* (order, gfp) {
  reclaimCalls.push({ order, gfp, taskFlags: yield* load(TaskStruct.flags(current())) });
  const pages = onReclaim(reclaimCalls.length);
  for (const page of pages) yield* putPage(page);
  return pages.length;
});
const wakeupKswapd = functionPointer<WakeupKswapd>('test_wakeup_kswapd', function* () {
  kswapdCalls++;
});

/** 100 frames; watermarks 16, 20, 24. */
function bootWithReclaim(): OneCpu {
  reclaimCalls = [];
  kswapdCalls = 0;
  onReclaim = () => [];
  const machine = bootOneCpu({ pages: 100, minFreeKbytes: 64 });
  machine.look(() => setPageAllocHooks({ tryToFreePages, wakeupKswapd }));
  return machine;
}

/** The counter that decides lags by up to 2 pages, and the page that crosses the mark has been taken. */
function within(value: number, mark: number): void {
  expect(value).toBeGreaterThanOrEqual(mark - 3);
  expect(value).toBeLessThanOrEqual(mark + 2);
}

describe('watermarks', () => {
  afterEach(() => void setFaultInjector(null));

  it('kswapd is woken at the low one, the caller reclaims at the minimum', () => {
    const machine = bootWithReclaim();
    while (kswapdCalls === 0) must(machine.run(allocPage(GFP_KERNEL)));
    within(freePagesExactly(machine), 20);
    expect(reclaimCalls).toEqual([]);
    machine.run(() => takeAll(GFP_KERNEL | GFP_NORETRY));
    within(freePagesExactly(machine), 16);
    expect(reclaimCalls).toHaveLength(1);
  });

  it('an allocation that cannot wait goes below it, and never reclaims', () => {
    const machine = bootWithReclaim();
    machine.run(() => takeAll(GFP_ATOMIC));
    within(freePagesExactly(machine), 6); // (16 / 2) * 3 / 4
    expect(reclaimCalls).toEqual([]);
  });

  it('who frees memory gets the last page, unless he asks not to', () => {
    const machine = bootWithReclaim();
    const setFlags = (flags: number): void =>
      machine.run(function* () {
        yield* store(TaskStruct.flags(current()), flags);
      });
    setFlags(PF_MEMALLOC);
    machine.run(() => takeAll(GFP_KERNEL | GFP_NOMEMALLOC));
    within(freePagesExactly(machine), 16);
    machine.run(() => takeAll(GFP_KERNEL));
    expect(freePagesExactly(machine)).toBe(0);
    expect(reclaimCalls).toEqual([]);
    setFlags(0);
  });

  it('reclaim that frees something lets the allocation succeed; PF_MEMALLOC is set meanwhile', () => {
    const machine = bootWithReclaim();
    const pages = machine.run(() => takeAll(GFP_KERNEL | GFP_NORETRY));
    reclaimCalls = [];
    onReclaim = () => pages.splice(0, 8);
    const page = machine.run(allocPage(GFP_KERNEL));
    expect(page).not.toBe(NULL);
    expect(reclaimCalls.length).toBeGreaterThanOrEqual(1);
    expect(reclaimCalls[0]).toEqual({ order: 0, gfp: GFP_KERNEL, taskFlags: PF_MEMALLOC });
    expect(machine.engine.words[TaskStruct.flags(machine.engine.cpu.current as Ptr<TaskStruct>)]).toBe(0);
  });

  it('gives up after 16 rounds without progress; __GFP_NOFAIL never does', () => {
    const machine = bootWithReclaim();
    const pages = machine.run(() => takeAll(GFP_KERNEL | GFP_NORETRY));
    reclaimCalls = [];
    expect(machine.run(allocPage(GFP_KERNEL))).toBe(NULL);
    expect(reclaimCalls).toHaveLength(16);
    reclaimCalls = [];
    onReclaim = (call) => (call < 40 ? [] : pages.splice(0, 10));
    expect(machine.run(allocPage(GFP_KERNEL | GFP_NOFAIL))).not.toBe(NULL);
    expect(reclaimCalls.length).toBeGreaterThanOrEqual(40);
  });

  it('an injected failure is one for everybody but __GFP_NOFAIL', () => {
    const machine = bootWithReclaim();
    setFaultInjector((kind) => kind === 'enomem');
    expect(machine.run(allocPage(GFP_KERNEL))).toBe(NULL);
    expect(machine.run(allocPage(GFP_KERNEL | GFP_NOFAIL))).not.toBe(NULL);
  });

  it('counts what it gives and takes', () => {
    const machine = bootWithReclaim();
    const page = must(machine.run(allocPage(GFP_KERNEL)));
    machine.run(freePages(must(machine.run(allocPages(GFP_KERNEL, 2))), 2));
    machine.run(putPage(page));
    const { pgalloc, pgfree } = machine.look(vmEvents);
    expect({ pgalloc, pgfree }).toEqual({ pgalloc: 5, pgfree: 5 });
    expect(machine.look(() => pageToPfn(pfnToPage(7)))).toBe(7);
  });
});
