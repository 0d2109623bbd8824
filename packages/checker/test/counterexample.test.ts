// SPDX-License-Identifier: MIT
import { describe, expect, it } from 'vitest';
import { type CheckOptions, check, formatResult } from '../src/index.js';
import { bugs, guarded } from './bugs.js';

const brokenOf = (kind: string) => {
  const bug = bugs.find((one) => one.kind === kind);
  if (bug === undefined) throw new Error(`no ${kind}`);
  return bug.broken;
};
const text = async (kind: string, width = 100): Promise<string> =>
  `\n${formatResult(await check(brokenOf(kind)), { width })}\n`;

describe('a counterexample reads', () => {
  it('with what each load read, and what forbids it when the barrier is there', async () => {
    const result = await check(guarded, { without: ['publish.smp_wmb'] });
    expect(`\n${formatResult(result)}\n`).toMatchInlineSnapshot(`
      "
      violated: BUG_ON(data != 42)                    message-passing, model lkmm, without publish.smp_wmb
        writer                       reader
        publish
      1   WRITE_ONCE(data): 0 -> 42
      2   WRITE_ONCE(flag): 0 -> 1
                                     consume
      3                                READ_ONCE(flag) = 1
      4                                smp_rmb()
      5                                READ_ONCE(data) = 0 (initial)  <- does not see step 1
      6                                BUG_ON(data != 42)
      BUG in consume, after 1 execution
      with publish.smp_wmb in place it is forbidden by happens-before: 1 -wmb-> 2 -rfe-> 3 -rmb-> 5 -fre->
        1
      replay: 1/writer@publish.WRITE_ONCE#2/reader@consume.READ_ONCE#2~consume.READ_ONCE#2=initial
      "
    `);
  });

  it('with objects by name, and the access that comes too late last', async () => {
    expect(await text('use-after-free')).toMatchInlineSnapshot(`
      "
      violated: use after free: item1.value                                        rcu-removal, model lkmm
        reader                                            updater
        lookup
      1   rcu_dereference(head) = item1
                                                          remove
      2                                                     READ_ONCE(head) = item1
      3                                                     rcu_assign_pointer(head): item1 -> NULL
      4                                                     kmem_cache_free(item1)
      5   READ_ONCE(item1.value) = 1  <- freed in step 4
      use-after-free in lookup, in the first execution
      replay: 1/reader@lookup.rcu_dereference/updater@remove.kmem_cache_free/reader@lookup.READ_ONCE
      "
    `);
  });

  it('with who waits for whom', async () => {
    expect(await text('deadlock')).toMatchInlineSnapshot(`
      "
      violated: a waits in abba for lockB, which b holds since abba; b waits in abba for lockA, which a
        holds since abba
        abba, model lkmm
        a                                      b
                                               abba
      1                                          spin_lock(lockB)
        abba
      2   spin_lock(lockA)
      3   spin_lock(lockB)  <- waits for ever
      4                                          spin_lock(lockA)  <- waits for ever
      deadlock in abba, after 1 execution and 1 blocked one
      replay: 1/b@spinLock.spin_lock/a@spinLock.spin_lock
      "
    `);
  });

  it('with what is read again and again', async () => {
    expect(await text('livelock')).toMatchInlineSnapshot(`
      "
      violated: spinner goes round in waitUntilRaised for ever: flag will not change      spin, model lkmm
        spinner
        waitUntilRaised
      1   READ_ONCE(flag) = 0  <- again and again, for ever
      livelock in waitUntilRaised, in the first execution
      replay: 1/spinner@waitUntilRaised.READ_ONCE
      "
    `);
  });

  it('with what sleeps, by the name of its thread', async () => {
    expect(await text('lost-wakeup')).toMatchInlineSnapshot(`
      "
      violated: sleeper sleeps in waitForFlag, and nobody is left to wake it             sleep, model lkmm
        sleeper                                      waker
        waitForFlag
      1   WRITE_ONCE(sleeper): NULL -> sleeper.task
      2   READ_ONCE(flag) = 0
                                                     raiseFlag
      3                                                READ_ONCE(sleeper) = sleeper.task
      4                                                WRITE_ONCE(flag): 0 -> 1
      5                                                wake_up_process(sleeper.task), which is awake
        waitForFlag > setCurrentState
      6   smp_store_mb(sleeper.task.state): 0 -> 2
        waitForFlag
      7   schedule()  <- sleeps for ever
      lost-wakeup in waitForFlag, after 1 execution and 2 blocked ones
      replay: 1/sleeper@waitForFlag.READ_ONCE/waker@raiseFlag.wake_up_process:2/sleeper@schedule.schedule:2
      "
    `);
  });

  it('in the columns that a terminal has', async () => {
    const wide = await text('lost-wakeup', 200);
    const narrow = await text('lost-wakeup', 72);
    for (const line of narrow.split('\n').filter((one) => !one.startsWith('replay: ')))
      expect(line.length).toBeLessThan(73);
    const letters = (output: string): string[] => [...output.replaceAll(/\s/g, '')].sort();
    expect(letters(narrow)).toEqual(letters(wide));
    const tiny = await text('lost-wakeup', 40);
    expect(tiny).toMatch(/^1 sleeper {2} +WRITE_ONCE\(sleeper\)/m);
  });
});

describe('what is left out', () => {
  const failure = async (options: CheckOptions): Promise<unknown> =>
    check(guarded, options).then(
      () => null,
      (error: unknown) => error,
    );

  it.each([
    ['publish', "'publish' is neither a guard nor an ordering site, <function>.<primitive>"],
    [
      'publish.smp_wm',
      "neither a guard nor an ordering site, <function>.<primitive> (primitives like 'smp_wm': smp_wmb",
    ],
    [
      'publish.smp_rmb',
      "'publish.smp_rmb' is no guard, and no ordering site that an execution of the program came to; did you mean 'publish.smp_wmb'",
    ],
    ['publish.smp_wmb#2', "'publish.smp_wmb#2' is no guard, and no ordering site"],
    ['publish.WRITE_ONCE', "'publish.WRITE_ONCE' cannot be left out: WRITE_ONCE has no ordering"],
    ['publish.spin_lock', "'publish.spin_lock' cannot be left out"],
  ])('%s: an error', async (name, message) => {
    for (const model of ['lkmm', 'sc'] as const)
      expect(await failure({ without: [name], model })).toMatchObject({
        name: 'CheckError',
        code: 'unknown-site',
        message: expect.stringContaining(message),
      });
  });

  it('is known under models that do not need it', async () => {
    for (const model of ['sc', 'tso'] as const) {
      const without = ['publish.smp_wmb', 'consume.smp_rmb#1'];
      expect(await check(guarded, { model, without })).toMatchObject({ verdict: 'holds', without });
    }
  });
});

it('all goes on after the first violation, and collects one of each', async () => {
  const result = await check(brokenOf('double-free'), { all: true });
  const kinds = result.violations?.map(({ kind, at }) => `${kind} in ${at}`);
  expect(kinds).toEqual(['double-free in drop']);
  expect(result.executions).toBeGreaterThanOrEqual((await check(brokenOf('double-free'))).executions);
});

it('stops when it is asked to', async () => {
  const signal = AbortSignal.abort();
  const { fixed } = bugs[0];
  expect((await check(fixed, { signal })).verdict).toMatch(/holds|bounded/);
});

describe('a malformed program is refused', () => {
  const nothing = function* () {};
  it.each<[string, unknown, string]>([
    ['null', null, 'a program has a name'],
    ['no setup', { name: 'x', threads: { a: nothing } }, "a program has a function 'setup'; x has none"],
    ['no threads', { name: 'x', setup: nothing, threads: {} }, 'a program has threads; x has none'],
    [
      'a thread that is none',
      { name: 'x', setup: nothing, threads: { a: 1 } },
      "a function for each thread; 'a' of x is none",
    ],
  ])('%s', async (_, program, message) => {
    await expect(check(program as never)).rejects.toThrow(message);
  });
});
