// SPDX-License-Identifier: MIT
import { access, code, defineWord, functionPointer, type Op, type Ref, readOnce, writeOnce } from '@lockless/cpu';
import { describe, expect, it } from 'vitest';
import { interleavings } from '../src/interleavings.js';

const x: Ref<number> = defineWord('x');
const y: Ref<number> = defineWord('y');

describe('interleavings under SC', () => {
  it('are (4 choose 2) of two threads of two accesses, with three outcomes of store buffering', () => {
    const thread = (mine: Ref<number>, other: Ref<number>) =>
      function* (): Op<number> {
        yield* writeOnce(mine, 1);
        return yield* readOnce(other);
      };
    const runs = [
      ...interleavings({ name: 'SB', setup: function* () {}, threads: { a: thread(x, y), b: thread(y, x) } }),
    ];
    expect(runs.length).toBe(6);
    expect(new Set(runs.map((r) => JSON.stringify(r.results))).size).toBe(3);
  });
});

describe('grace periods under SC', () => {
  const LOCK = code('rcu_read_lock');
  const UNLOCK = code('rcu_read_unlock');
  const SYNC = code('synchronize_rcu');
  const CALL = code('call_rcu');
  const setX = functionPointer('set_x', function* (): Op<void> {
    yield* writeOnce(x, 1);
  });
  function* reader(locked: boolean): Op<string> {
    if (locked) yield* access<void>(LOCK, 0);
    const first = yield* readOnce(x);
    const second = yield* readOnce(y);
    if (locked) yield* access<void>(UNLOCK, 0);
    return `${first}${second}`;
  }
  const outcomes = (locked: boolean, updater: () => Op<void>): string[] => {
    const program = { name: 'GP', setup: function* () {}, threads: { reader: () => reader(locked), updater } };
    return [...new Set([...interleavings(program)].map(({ end, results }) => `${end} ${results.reader}`))].sort();
  };
  function* synchronize(): Op<void> {
    yield* writeOnce(y, 1);
    yield* access<void>(SYNC, 0);
    yield* writeOnce(x, 1);
  }
  function* call(): Op<void> {
    yield* writeOnce(y, 1);
    yield* access<void>(CALL, x, setX);
  }

  it('wait for the readers that are inside, and for no other', () => {
    for (const updater of [synchronize, call]) {
      expect(outcomes(true, updater)).toEqual(['complete 00', 'complete 01', 'complete 11']);
    }
    expect(outcomes(false, synchronize)).toEqual(['complete 00', 'complete 01', 'complete 11']);
  });

  it('never end before a reader that began before them', () => {
    function* unpublish(): Op<void> {
      yield* writeOnce(x, 1);
      yield* access<void>(SYNC, 0);
      yield* writeOnce(y, 1);
    }
    expect(outcomes(true, unpublish)).toEqual(['complete 00', 'complete 10', 'complete 11']);
    expect(outcomes(false, unpublish)).toEqual(['complete 00', 'complete 01', 'complete 10', 'complete 11']);
  });
});
