// SPDX-License-Identifier: MIT
import type { Op, Ptr, Ref, StructOf } from '@lockless/cpu';
import {
  atomicCmpxchg,
  defineWord,
  GFP_KERNEL,
  kmemCacheAlloc,
  kmemCacheCreate,
  kmemCacheFree,
  load,
  NULL,
  readOnce,
  smpLoadAcquire,
  smpMb,
  smpStoreRelease,
  store,
  struct,
  writeOnce,
} from '@lockless/cpu';
import { describe, expect, test } from 'vitest';
import { check } from '../src/check.js';
import type { Program } from '../src/program.js';

const x: Ref<number> = defineWord('vain_x');
const y: Ref<number> = defineWord('vain_y');

function* increment(): Op<number> {
  for (;;) {
    const old = yield* readOnce(x);
    if ((yield* atomicCmpxchg(x, old, old + 1)) === old) return old;
  }
}

const models = ['sc', 'tso', 'lkmm'] as const;

describe.each(models)('%s: a round in vain', (model) => {
  /** What the threads return, in executions that end. */
  async function results(threads: Program['threads']): Promise<string[]> {
    const program: Program = {
      name: 'in vain',
      setup: function* () {},
      threads,
      finally: function* (_, outcome) {
        outcome.reach(Object.values(outcome.results).join());
      },
    };
    const { reached } = await check(program, { model, all: true });
    return Object.keys(reached).sort();
  }

  test('of two loads, the first of which stays as it is, does not hide how others can go on', async () => {
    function* untilZero(): Op<void> {
      do yield* readOnce(x);
      while ((yield* readOnce(x)) !== 0);
    }
    function* storeAndIncrement(): Op<number> {
      yield* writeOnce(x, 1);
      return yield* increment();
    }
    expect(await results({ untilZero, increment, storeAndIncrement })).toEqual([',0,1', ',1,2', ',2,1']);
  });

  test('is not taken from a loop that gives up, and is followed by one that makes the same access', async () => {
    function* patient(): Op<string> {
      let tries = 0;
      while (tries < 2 && (yield* readOnce(y)) === 0) tries++;
      while ((yield* readOnce(y)) === 0);
      return `after ${tries}`;
    }
    function* setter(): Op<void> {
      yield* writeOnce(y, 1);
    }
    expect(await results({ patient, setter })).toEqual(['after 0,', 'after 1,', 'after 2,']);
  });

  test('shows a use after free', async () => {
    function* owner(object: Ptr<Thing>): Op<void> {
      yield* kmemCacheFree(things, object);
      yield* smpStoreRelease(x, 1);
      yield* smpStoreRelease(x, 2);
    }
    /** Looks at the object again and again while x is 1, which is too late. */
    function* visitor(object: Ptr<Thing>): Op<void> {
      for (;;) {
        const phase = yield* smpLoadAcquire(x);
        if (phase === 2) return;
        if (phase === 1) yield* readOnce(Thing.value(object));
      }
    }
    const program: Program<Ptr<Thing>> = {
      name: 'visitor',
      setup: function* () {
        const object = yield* kmemCacheAlloc(things, GFP_KERNEL);
        if (object === NULL) throw new Error('no memory');
        return object;
      },
      threads: { owner, visitor },
    };
    expect((await check(program, { model })).violation?.kind).toBe('use-after-free');
  });
});

test('a round in vain shows a data race', async () => {
  function* writer(): Op<void> {
    yield* writeOnce(x, 1);
    yield* smpMb();
    yield* store(y, 1);
    yield* smpMb();
    yield* writeOnce(x, 2);
  }
  function* reader(): Op<void> {
    for (;;) {
      const phase = yield* smpLoadAcquire(x);
      if (phase === 2) return;
      if (phase === 1) yield* load(y);
    }
  }
  const program: Program = { name: 'racy', setup: function* () {}, threads: { writer, reader }, races: 'report' };
  const { verdict, violation } = await check(program, { model: 'lkmm' });
  expect([verdict, violation?.kind]).toEqual(['violated', 'data-race']);
});

interface Thing {
  value: number;
}
const Thing: StructOf<Thing> = struct<Thing>('vain_thing', { value: 1 });
const things = kmemCacheCreate(Thing);
