// SPDX-License-Identifier: GPL-2.0-only
import { KernelBug, NULL, type Op, SequentialEngine } from '@lockless/cpu';
import { adoptMm, boot, buildMm, PROT_READ, PROT_WRITE, userWrite } from '@lockless/mm';
import type { Rec } from '@lockless/recording';
import { describe, expect, it } from 'vitest';
import { AddressMap } from '../src/address-map.js';
import { AreaMap } from '../src/area-map.js';
import { Contents } from '../src/contents.js';
import { simulate } from '../src/index.js';
import { type Space, UserMemory } from '../src/user-memory.js';
import { expectHolds } from './bundled.js';
import { BRK, CODE, DATA, exec, exit, file, recording, STACK_TOP, sync, thread, touch } from './small.js';

const HEAP = 1000;

/** Runs a program of one thread that has ten anonymous pages. */
function withMemory(program: (memory: UserMemory, space: Space) => Op<void>): void {
  const memory = new UserMemory(new AddressMap([HEAP]), new Contents(), (id) => id + 1);
  const vma = { from: HEAP, to: HEAP + 10, prot: 'rw-', shared: false, kind: 'anon', file: null, index: 0 } as const;
  const space: Space = { id: 0, areas: AreaMap.ofImage([vma], 0), calls: { begun: 0, ended: 0 } };
  new SequentialEngine().run(
    (function* (): Op<void> {
      yield* boot({ cpus: 1, memoryPages: 256 });
      const segment = {
        start: HEAP,
        end: HEAP + 10,
        prot: PROT_READ | PROT_WRITE,
        shared: false,
        file: NULL,
        pgoff: 0,
      };
      const mm = yield* buildMm({ segments: [segment], brk: HEAP + 10, mmapBase: 0x70000, pid: 1 });
      if (mm === NULL) throw new Error('no memory');
      yield* adoptMm(mm);
      yield* program(memory, space);
    })(),
  );
}

describe('UserMemory', () => {
  it('reads back what it wrote, page by page', () => {
    withMemory(function* (memory, space) {
      for (const page of [HEAP, HEAP + 3]) {
        expect((yield* memory.touch(space, page, 'read')).content.identity).toBe(0);
        const { content } = yield* memory.touch(space, page, 'write');
        expect((yield* memory.touch(space, page, 'read')).content).toEqual(content);
      }
    });
  });

  it('data that changed behind its back is lost data', () => {
    const lost = () =>
      withMemory(function* (memory, space) {
        yield* memory.touch(space, HEAP, 'write');
        yield* userWrite(HEAP, { identity: 0x40001234, version: 1 });
        yield* memory.touch(space, HEAP, 'read');
      });
    expect(lost).toThrow(KernelBug);
    expect(lost).toThrow('page 0x3e8 of address space 0 reads as 40001234');
  });

  it('outside of all areas a touch is a signal, not an error of the tool', () => {
    withMemory(function* (memory, space) {
      expect((yield* memory.touch(space, HEAP + 50, 'write')).error).toBe(11);
      expect((yield* memory.touch(space, HEAP, 'exec')).error).toBe(11);
    });
  });
});

/** Threads that read and write the same pages at once, fork and drop what they have: whatever happens first, nothing is called lost. */
function busy(): Rec[] {
  const records: Rec[] = [exec()];
  for (const tid of [2, 3, 4]) records.push(thread(tid, 2));
  const pages = [DATA, DATA + 1, BRK, STACK_TOP - 1, CODE];
  for (let round = 0; round < 12; round++) {
    for (const tid of [1, 2, 3, 4]) {
      const page = pages[(round + tid) % pages.length];
      // All at the same time: no order between them.
      records.push(touch(tid, 10, page, page !== CODE && (round * tid) % 3 === 1 ? 'write' : 'read'));
    }
  }
  const heap: Rec = { kind: 'brk', tid: 1, start: 1, end: 2, address: (BRK + 4) * 4096, result: (BRK + 4) * 4096 };
  const child: Rec = { kind: 'fork', tid: 1, start: 9, end: 40, child: 5, childPid: 5, space: 1, shares: [] };
  const inChild = pages.map((page) => touch(5, 41, page));
  const dropped: Rec = {
    kind: 'madvise',
    tid: 2,
    start: 50,
    end: 51,
    page: BRK,
    length: 4096,
    advice: 'dontneed',
    result: 0,
  };
  const again = [1, 3].map((tid) => touch(tid, 55, BRK));
  return [
    heap,
    ...records,
    child,
    ...inChild,
    exit(5, 45, true),
    sync(1, 46, 47, 'child:5'),
    dropped,
    ...again,
    exit(2, 60),
    exit(3, 60),
    exit(4, 60),
    exit(1, 70),
  ];
}

describe('threads that share their pages', () => {
  it.each(['sc', 'tso', 'weak'] as const)(
    '%s: reads beside writes, forks and drops are judged rightly',
    async (model) => {
      const source = recording(busy(), [file(0, 8)]);
      for (let seed = 1; seed <= 12; seed++) {
        const result = await simulate(source, { model, seed, cpus: 4, memory: { pages: 1024 } });
        expectHolds(result);
        expect(result.operations).toBe(result.operationsTotal);
        expect(result.memory.contents.anonymousReads).toBeGreaterThan(5);
      }
    },
  );
});
