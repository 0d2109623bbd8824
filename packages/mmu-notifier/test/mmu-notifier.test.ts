// SPDX-License-Identifier: GPL-2.0-only
import type { FunctionPointer, Op, Ptr } from '@lockless/cpu';
import { defineStatic, functionPointer, poke, SequentialEngine, store, TaskStruct } from '@lockless/cpu';
import { EINTR, ENOMEM, MmStruct } from '@lockless/mm-types';
import { describe, expect, it } from 'vitest';
import {
  MmuNotifier,
  type MmuNotifierOps,
  mmuNotifierClearFlushYoung,
  mmuNotifierInvalidatePage,
  mmuNotifierInvalidateRangeEnd,
  mmuNotifierInvalidateRangeStart,
  mmuNotifierRegister,
  mmuNotifierRelease,
  mmuNotifierUnregister,
} from '../src/index.js';
import { Machine, makeSpace } from './address-space.js';

const calls: string[] = [];
const opsOf = (who: string, young: boolean): FunctionPointer<MmuNotifierOps> =>
  functionPointer<MmuNotifierOps>(who, {
    name: who,
    *release() {
      calls.push(`${who} release`);
    },
    *clearFlushYoung(_notifier, _mm, address) {
      calls.push(`${who} young ${address}`);
      return young;
    },
    *invalidatePage(_notifier, _mm, address) {
      calls.push(`${who} page ${address}`);
    },
    *invalidateRangeStart(_notifier, _mm, start, end) {
      calls.push(`${who} start ${start} ${end}`);
    },
    *invalidateRangeEnd(_notifier, _mm, start, end) {
      calls.push(`${who} end ${start} ${end}`);
    },
  });

const first: Ptr<MmuNotifier> = defineStatic(MmuNotifier, 'first_notifier');
const second: Ptr<MmuNotifier> = defineStatic(MmuNotifier, 'second_notifier');
const silent: Ptr<MmuNotifier> = defineStatic(MmuNotifier, 'silent_notifier');
const FIRST = opsOf('first', false);
const SECOND = opsOf('second', true);
const SILENT = functionPointer<MmuNotifierOps>('silent', { name: 'silent' });

function* hooks(mm: Ptr<MmStruct>): Op<boolean> {
  yield* mmuNotifierInvalidateRangeStart(mm, 3, 5);
  yield* mmuNotifierInvalidatePage(mm, 4);
  const young = yield* mmuNotifierClearFlushYoung(mm, 4);
  yield* mmuNotifierInvalidateRangeEnd(mm, 3, 5);
  return young;
}

function boot(): { machine: Machine; mm: Ptr<MmStruct> } {
  calls.length = 0;
  const machine = new Machine();
  const { mm } = machine.space([{ anonVma: 0, file: 0 }, { file: 0 }]);
  machine.run(
    (function* (): Op<void> {
      yield* store(MmuNotifier.ops(first), FIRST);
      yield* store(MmuNotifier.ops(second), SECOND);
      yield* store(MmuNotifier.ops(silent), SILENT);
    })(),
  );
  return { machine, mm };
}

describe('mmu notifiers', () => {
  it('cost one load a call while none is registered', () => {
    const { machine, mm } = boot();
    expect(machine.record(hooks(mm))).toBe(false);
    machine.record(hooks(mm));
    expect(machine.trace).toEqual(
      Array.from({ length: 4 }, () => ({ name: 'READ_ONCE', address: MmStruct.mmuNotifierMm(mm) })),
    );
    machine.record(mmuNotifierRelease(mm));
    expect(machine.trace).toHaveLength(1);
  });

  it('are all told, and asked; one without a method is passed over', () => {
    const { machine, mm } = boot();
    for (const notifier of [silent, first, second]) expect(machine.run(mmuNotifierRegister(notifier, mm))).toBe(0);
    expect(machine.run(hooks(mm))).toBe(true);
    const both = (what: string): string[] => [`second ${what}`, `first ${what}`];
    expect(calls).toEqual([...both('start 3 5'), ...both('page 4'), ...both('young 4'), ...both('end 3 5')]);
  });

  it('are told no more after unregistering, which releases them', () => {
    const { machine, mm } = boot();
    for (const notifier of [first, second]) machine.run(mmuNotifierRegister(notifier, mm));
    expect(machine.engine.words[MmStruct.mmCount(mm)]).toBe(3);
    machine.run(mmuNotifierUnregister(first, mm));
    machine.run(mmuNotifierInvalidatePage(mm, 9));
    machine.run(mmuNotifierUnregister(second, mm));
    machine.run(mmuNotifierInvalidatePage(mm, 9));
    expect(calls).toEqual(['first release', 'second page 9', 'second release']);
    expect(machine.engine.words[MmStruct.mmCount(mm)]).toBe(1);
  });

  it('are released when the mm goes; unregistering later does not release again', () => {
    const { machine, mm } = boot();
    for (const notifier of [first, second]) machine.run(mmuNotifierRegister(notifier, mm));
    machine.run(mmuNotifierRelease(mm));
    expect(calls).toEqual(['second release', 'first release']);
    machine.run(mmuNotifierUnregister(first, mm));
    machine.run(mmuNotifierUnregister(second, mm));
    expect(calls).toHaveLength(2);
    expect(machine.engine.words[MmStruct.mmCount(mm)]).toBe(1);
  });

  it('can be registered again', () => {
    const { machine, mm } = boot();
    machine.run(mmuNotifierRegister(first, mm));
    machine.run(mmuNotifierUnregister(first, mm));
    machine.run(mmuNotifierRegister(first, mm));
    machine.run(mmuNotifierInvalidatePage(mm, 9));
    expect(calls).toEqual(['first release', 'first page 9']);
  });

  it('are not registered when a signal is pending, and nothing is left', () => {
    const { machine, mm } = boot();
    const live = machine.engine.heap.live.reduce((sum, count) => sum + (count ?? 0), 0);
    const signal = TaskStruct.signalPending(machine.engine.cpu.current as Ptr<TaskStruct>);
    machine.engine.words[signal] = 1;
    expect(machine.run(mmuNotifierRegister(first, mm))).toBe(-EINTR);
    machine.engine.words[signal] = 0;
    expect(machine.engine.heap.live.reduce((sum, count) => sum + (count ?? 0), 0)).toBe(live);
    expect(machine.engine.words[MmStruct.mmCount(mm)]).toBe(1);
    expect(machine.run(mmuNotifierRegister(first, mm))).toBe(0);
  });

  it('are not registered without memory', () => {
    let fail = false;
    const engine = new SequentialEngine({ failAllocation: () => fail });
    const { mm } = engine.run(makeSpace([]));
    fail = true;
    expect(engine.run(mmuNotifierRegister(first, mm))).toBe(-ENOMEM);
  });

  it('cannot be registered with an mm that nobody uses', () => {
    const { machine, mm } = boot();
    const unused = function* (): Op<void> {
      poke(MmStruct.mmUsers(mm), 0);
    };
    machine.run(unused());
    expect(() => machine.run(mmuNotifierRegister(first, mm))).toThrow('no users');
  });
});
