// SPDX-License-Identifier: GPL-2.0-only
import { NULL, type Op, type Ptr, poke, SequentialEngine, STATIC_WORDS } from '@lockless/cpu';
import { boot, buildMm, mmput, PROT_READ, PROT_WRITE, SIGBUS, userRead, userWrite } from '@lockless/mm';
import { EBUSY, ENXIO, type MmStruct, type Page, taskMm } from '@lockless/mm-types';
import { allocPage, frameInvariant, lruAddDrain, lruInvariant, pageToPfn } from '@lockless/page';
import { describe, expect, it } from 'vitest';
import { badPages, hwpoisonInject, memoryFailure, softOfflinePage, unpoisonMemory } from '../src/index.js';

interface Process {
  readonly mm: Ptr<MmStruct>;
  readonly run: <T>(op: Op<T>) => T;
}

/** A process with four pages of anonymous memory, written: version 1 to 4. */
function process(): Process {
  const engine = new SequentialEngine({ words: STATIC_WORDS + (1 << 19) });
  const run = <T>(op: Op<T>): T => engine.run(op);
  const mm = run(
    (function* () {
      yield* boot({ cpus: 1, memoryPages: 512, minFreeKbytes: 64 });
      const area = {
        start: 2000,
        end: 2004,
        prot: PROT_READ | PROT_WRITE,
        shared: false,
        file: NULL,
        pgoff: 0,
      } as const;
      const made = (yield* buildMm({ segments: [area], brk: 0x1000, mmapBase: 0x7000, pid: 1 })) as Ptr<MmStruct>;
      poke(taskMm(engine.cpu.current as never), made);
      for (let i = 0; i < 4; i++) yield* userWrite(2000 + i, { identity: -1 - i, version: i + 1 });
      yield* lruAddDrain();
      return made;
    })(),
  );
  return { mm, run };
}

function* frameOf(address: number): Op<number> {
  return pageToPfn((yield* userRead(address)).page as Ptr<Page>);
}

function* allSound(): Op<(string | null)[]> {
  yield* lruAddDrain();
  return [frameInvariant(), lruInvariant()];
}

describe('a frame fails', () => {
  it('that a process uses: who comes to it gets a signal, its other pages are there, nobody gets the frame again', () => {
    const { mm, run } = process();
    const killed: Ptr<MmStruct>[] = [];
    const pfn = run(frameOf(2001));
    const failed = memoryFailure(pfn, 0, function* (whom) {
      killed.push(whom);
    });
    expect(run(failed)).toBe(0);
    expect(killed).toEqual([mm]);
    expect(run(userRead(2001)).error).toBe(SIGBUS);
    expect(run(userRead(2002)).content.version).toBe(3);
    expect(run(memoryFailure(pfn))).toBe(0);
    expect(run(badPages() as unknown as Op<number>)).toBe(1);
    expect(run(allSound())).toEqual([null, null]);
    run(mmput(mm));
    run(
      (function* () {
        for (let page = yield* allocPage(0); page !== NULL; page = yield* allocPage(0))
          expect(pageToPfn(page)).not.toBe(pfn);
      })(),
    );
  });

  it('that the kernel uses, or that is not there: nothing can be done', () => {
    const { run } = process();
    const owned = run(allocPage(0)) as Ptr<Page>;
    const pfn = run(
      (function* () {
        return pageToPfn(owned);
      })(),
    );
    expect(run(memoryFailure(pfn))).toBe(-EBUSY);
    expect(run(memoryFailure(100_000))).toBe(-ENXIO);
    expect(run(hwpoisonInject(100_000))).toBe(-ENXIO);
    expect(run(hwpoisonInject(pfn))).toBe(0);
  });

  it('by injection, and is put back into use', () => {
    const { mm, run } = process();
    const pfn = run(frameOf(2003));
    expect(run(hwpoisonInject(pfn))).toBe(0);
    expect(run(unpoisonMemory(pfn))).toBe(0);
    expect(run(badPages() as unknown as Op<number>)).toBe(0);
    run(mmput(mm));
    const frames = run(
      (function* () {
        const got: number[] = [];
        for (let page = yield* allocPage(0); page !== NULL; page = yield* allocPage(0)) got.push(pageToPfn(page));
        return got;
      })(),
    );
    expect(frames).toContain(pfn);
  });
});

describe('a frame is expected to fail', () => {
  it('soft_offline_page: its content is elsewhere, the process does not notice, and the frame is not used again', () => {
    const { mm, run } = process();
    const pfn = run(frameOf(2000));
    expect(run(softOfflinePage(pfn))).toBe(0);
    expect(run(userRead(2000)).content).toEqual({ identity: -1, version: 1 });
    expect(run(badPages() as unknown as Op<number>)).toBe(1);
    expect(run(softOfflinePage(run(frameOf(2001))))).toBe(0);
    run(mmput(mm));
    run(
      (function* () {
        for (let page = yield* allocPage(0); page !== NULL; page = yield* allocPage(0))
          expect(pageToPfn(page)).not.toBe(pfn);
      })(),
    );
  });
});
