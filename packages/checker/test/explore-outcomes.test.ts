// SPDX-License-Identifier: MIT
import type { Op, SpinLock } from '@lockless/cpu';
import {
  access,
  atomicAddReturn,
  atomicCmpxchg,
  atomicIncNotZero,
  choose,
  code,
  cpuRelax,
  defineWord,
  functionPointer,
  load,
  peek,
  readOnce,
  smpLoadAcquire,
  smpStoreRelease,
  spinLock,
  spinUnlock,
  store,
  testAndSetBitLock,
  writeOnce,
} from '@lockless/cpu';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Explorer, explore } from '../src/explore/explorer.js';
import { interleavings } from '../src/interleavings.js';
import type { Program } from '../src/program.js';
import type { ModelName } from '../src/result.js';
import { graphsOf } from './explore/graphs.js';
import { large, lockWord, marked, programOf, variable, withLocks } from './explore/random-program.js';

const words = [0, 1, 2, 3].map(variable).concat([0, 1].map(lockWord));

/** What came of the executions: what each thread returned, and memory. */
function outcomes(program: Program, model: ModelName, most: number, shareAll = true): Set<string> | null {
  const found = new Set<string>();
  const explorer: Explorer = explore({
    program,
    model,
    shareAll,
    onExecution: (execution): boolean => {
      const results = execution.threads.map(({ result }) => result);
      const memory = execution.runOnFinalMemory(
        (function* (): Op<number[]> {
          return words.map((word) => peek(word));
        })(),
      );
      found.add(`${results.join()} ${memory.join()}`);
      return explorer.counts.executions > most;
    },
    onRestart: () => found.clear(),
  });
  explorer.run();
  return explorer.stopped ? null : found;
}

test('under SC the outcomes are those of all interleavings', () => {
  fc.assert(
    fc.property(fc.oneof(marked, withLocks), (random) => {
      let program = programOf(random);
      const finals: string[] = [];
      program = {
        ...program,
        finally: function* (_: unknown, { results }: { results: Readonly<Record<string, unknown>> }): Op<void> {
          finals.push(`${Object.values(results).join()} ${words.map((word) => peek(word)).join()}`);
        },
      };
      let runs = 0;
      for (const run of interleavings(program)) if (++runs > 3000 || run.end === 'bug') return;
      expect(outcomes(programOf(random), 'sc', 5000)).toEqual(new Set(finals));
    }),
    { numRuns: 40 },
  );
});

test('words that are not shared need no events: the executions are as many, with the same outcomes', () => {
  fc.assert(
    fc.property(large, fc.constantFrom('sc' as const, 'tso' as const, 'lkmm' as const), (random, model) => {
      const program = programOf(random);
      const all = outcomes(program, model, 300);
      if (all === null) return;
      expect(outcomes(program, model, 1e6, false)).toEqual(all);
      const counted = (shareAll: boolean): number => graphsOf(program, model, { shareAll }).counts.executions;
      expect(counted(false)).toBe(counted(true));
    }),
    { numRuns: 100 },
  );
});

const flag = defineWord('outcomes_flag');
const data = defineWord('outcomes_data');
const lock = defineWord<SpinLock>('outcomes_lock');
const nothing = function* (): Op<void> {};
const program = (...threads: (() => Op<unknown>)[]): Program => ({
  name: 'waits',
  setup: nothing,
  threads: Object.fromEntries(threads.map((thread, i) => [`t${i}`, thread])),
});

interface Ending {
  readonly executions: number;
  readonly blocked: number;
  readonly stuck: readonly string[];
  readonly bounded: number;
  readonly results: readonly string[];
}
function endings(tested: Program, model: ModelName): Ending {
  const stuck = new Set<string>();
  const results = new Set<string>();
  const explorer = explore({
    program: tested,
    model,
    maxEvents: 60,
    onExecution: ({ threads }) => void results.add(threads.map(({ result }) => result).join()),
    onBlocked: (_, blocked, forEver) => {
      if (forEver) stuck.add(blocked.map(({ reason, thread }) => `${thread} ${reason}`).join());
    },
    onRestart: () => {
      stuck.clear();
      results.clear();
    },
  });
  explorer.run();
  const { executions, blocked, bounded } = explorer.counts;
  return { executions, blocked, stuck: [...stuck].sort(), bounded, results: [...results].sort() };
}

describe.each(['sc', 'tso', 'lkmm'] as const)('waits under %s', (model) => {
  const publish = function* (): Op<void> {
    yield* writeOnce(data, 1);
    yield* smpStoreRelease(flag, 1);
  };
  const spin = (relax: boolean) =>
    function* (): Op<number> {
      while ((yield* smpLoadAcquire(flag)) === 0) if (relax) yield* cpuRelax();
      return yield* readOnce(data);
    };

  test.each([true, false])('a spin ends when somebody stores; with cpu_relax(): %s', (relax) => {
    expect(endings(program(publish, spin(relax)), model)).toMatchObject({ executions: 1, stuck: [], results: [',1'] });
  });

  test('a spin that nobody ends is stuck', () => {
    expect(endings(program(nothing, spin(true)), model)).toMatchObject({
      executions: 0,
      blocked: 1,
      stuck: ['1 spin'],
    });
  });

  test('a loop that counts is not cut', () => {
    const tries = function* (): Op<number> {
      let seen = 0;
      for (let i = 0; i < 3; i++) seen += yield* readOnce(flag);
      return seen;
    };
    expect(endings(program(publish, tries), model).results).toEqual([',0', ',1', ',2', ',3']);
  });

  test('a retry loop over two words, and one over a failing cmpxchg', () => {
    const consistent = function* (): Op<number> {
      for (;;) {
        const before = yield* smpLoadAcquire(flag);
        const value = yield* readOnce(data);
        if (before === value) return value;
      }
    };
    expect(endings(program(publish, consistent), model).results).toEqual([',0', ',1']);
    const take = function* (): Op<number> {
      while ((yield* atomicCmpxchg(flag, 1, 2)) !== 1);
      return yield* readOnce(data);
    };
    expect(endings(program(publish, take), model)).toMatchObject({ executions: 1, stuck: [], results: [',1'] });
  });

  test('a bit that is spun on', () => {
    const critical = function* (): Op<number> {
      while (yield* testAndSetBitLock(0, flag)) yield* cpuRelax();
      const old = yield* load(data);
      yield* store(data, old + 1);
      yield* smpStoreRelease(flag, 0);
      return old;
    };
    expect(endings(program(critical, critical), model)).toMatchObject({
      executions: 2,
      stuck: [],
      results: ['0,1', '1,0'],
    });
  });

  test('locks: as many executions as orders, and the deadlock of two that are taken crosswise', () => {
    const critical = function* (): Op<number> {
      yield* spinLock(lock);
      const old = yield* load(data);
      yield* store(data, old + 1);
      yield* spinUnlock(lock);
      return old;
    };
    const three = endings(program(critical, critical, critical), model);
    expect(three).toMatchObject({ executions: 6, blocked: 0 });
    const crosswise = (a: number, b: number) =>
      function* (): Op<void> {
        yield* spinLock(lockWord(a) as never);
        yield* spinLock(lockWord(b) as never);
        yield* spinUnlock(lockWord(b) as never);
        yield* spinUnlock(lockWord(a) as never);
      };
    expect(endings(program(crosswise(0, 1), crosswise(1, 0)), model)).toMatchObject({
      executions: 2,
      blocked: 1,
      stuck: ['0 lock,1 lock'],
    });
  });

  test('a lock that is never given back is overtaken', () => {
    const keep = function* (): Op<number> {
      yield* spinLock(lock);
      return yield* readOnce(data);
    };
    const use = function* (): Op<void> {
      yield* spinLock(lock);
      yield* writeOnce(data, 1);
      yield* spinUnlock(lock);
    };
    expect(endings(program(keep, use), model)).toMatchObject({ executions: 1, stuck: ['1 lock'], results: ['1,'] });
  });

  test('a choice is each of its numbers once; too many events are a bound', () => {
    const chooser = function* (): Op<number> {
      return (yield* choose(3)) * 10 + (yield* readOnce(flag));
    };
    const writer = function* (): Op<void> {
      yield* writeOnce(flag, 1);
    };
    expect(endings(program(chooser, writer), model)).toMatchObject({ executions: 6 });
    const forEver = function* (): Op<void> {
      for (;;) yield* atomicAddReturn(1, flag);
    };
    expect(endings(program(forEver, writer), model).bounded).toBeGreaterThan(0);
    const speculative = function* (): Op<boolean> {
      return yield* atomicIncNotZero(flag);
    };
    expect(endings(program(speculative, writer), model).results).toEqual(['false,', 'true,']);
  });

  test('a reader that waits for what comes after the grace period that waits for it', () => {
    const reader = function* (): Op<number> {
      yield* access<void>(code('rcu_read_lock'), 0);
      const seen = yield* readOnce(data);
      while ((yield* readOnce(flag)) === 0) yield* cpuRelax();
      yield* access<void>(code('rcu_read_unlock'), 0);
      return seen;
    };
    const updater = function* (): Op<void> {
      yield* writeOnce(data, 1);
      yield* access<void>(code('synchronize_rcu'), 0);
      yield* writeOnce(flag, 1);
    };
    expect(endings(program(reader, updater), model)).toMatchObject({
      stuck: ['0 spin,1 grace-period'],
      results: ['1,'],
    });
  });

  test('call_rcu() calls back after the readers that were there', () => {
    const callback = functionPointer('outcomes_callback', function* (): Op<void> {
      yield* writeOnce(flag, 1);
    });
    const reader = function* (): Op<string> {
      yield* access<void>(code('rcu_read_lock'), 0);
      const before = yield* readOnce(data);
      const after = yield* readOnce(flag);
      yield* access<void>(code('rcu_read_unlock'), 0);
      return `${before}${after}`;
    };
    const updater = function* (): Op<void> {
      yield* writeOnce(data, 1);
      yield* access<void>(code('call_rcu'), 1000, callback);
    };
    // Not 01: a reader that does not see the data yet is one that the grace period waits for.
    expect(endings(program(reader, updater), model)).toMatchObject({
      executions: 3,
      stuck: [],
      results: ['00,,', '10,,', '11,,'],
    });
  });
});
