// SPDX-License-Identifier: GPL-2.0-only
import { defineWord, type Op, omitGuards, runSequentially, SequentialEngine } from '@lockless/cpu';
import { describe, expect, it } from 'vitest';
import * as rcu from '../src/index.js';
import {
  bootRcuEvents,
  bootUrcu,
  condSynchronizeRcu,
  getStateSynchronizeRcu,
  pollStateSynchronizeRcu,
  type RcuCookie,
  rcuGetGpCookie,
  rcuGpCookieElapsed,
  rcuInit,
  rcuStatistics,
  startPollSynchronizeRcu,
  synchronizeRcu,
} from '../src/index.js';
import { readersAndPoller } from './machine.js';

const cookie = defineWord<RcuCookie>('gp_cookie_under_test');

function* events(): Op<void> {
  bootRcuEvents(true);
}

describe.each([
  { name: 'events', boot: events, needed: 1 },
  { name: 'urcu', boot: () => bootUrcu(2), needed: 2 },
])('a cookie of $name', ({ boot, needed }) => {
  it(`elapses after ${needed} of the grace periods that begin after it`, () => {
    runSequentially(function* () {
      yield* boot();
      yield* synchronizeRcu();
      yield* rcuGetGpCookie(cookie);
      for (let passed = 0; passed <= needed; passed++) {
        expect(yield* rcuGpCookieElapsed(cookie)).toBe(passed >= needed);
        yield* synchronizeRcu();
      }
    });
  });
});

it('cond_synchronize_rcu() waits only if nobody else has', () => {
  runSequentially(function* () {
    yield* bootUrcu(2);
    const state = yield* getStateSynchronizeRcu();
    yield* condSynchronizeRcu(state);
    yield* condSynchronizeRcu(state);
    yield* condSynchronizeRcu(state);
    expect(rcuStatistics().gracePeriods).toBe(2);
  });
});

it('start_poll_synchronize_rcu() brings its grace period about', () => {
  const engine = new SequentialEngine();
  engine.run(events());
  const state = engine.run(startPollSynchronizeRcu());
  // Callbacks are invoked when the task has returned.
  expect(engine.run(pollStateSynchronizeRcu(state))).toBe(true);
});

it('on one CPU who can ask is in no reader', () => {
  runSequentially(function* () {
    yield* rcuInit(1);
    expect(yield* pollStateSynchronizeRcu(yield* getStateSynchronizeRcu())).toBe(true);
  });
});

it('cookies are refused where grace periods have no numbers', () => {
  expect(() =>
    runSequentially(function* () {
      bootRcuEvents();
      yield* getStateSynchronizeRcu();
    }),
  ).toThrow('boot did not ask for numbers');
});

it("the series' stand-in says no each 16th time, and knows its own cookies", () => {
  runSequentially(function* () {
    omitGuards(['rcuGpCookieElapsed.gracePeriod']);
    yield* rcuGetGpCookie(cookie);
    const answers: boolean[] = [];
    for (let i = 0; i < 32; i++) answers.push(yield* rcuGpCookieElapsed(cookie));
    expect(answers.flatMap((answer, i) => (answer ? [] : [i]))).toEqual([15, 31]);
  });
});

const models = ['sc', 'tso', 'weak'] as const;
const flavours = ['classic', 'urcu-mb'] as const;

describe('no reader meets what was freed when a cookie had elapsed', () => {
  it.each(flavours.flatMap((flavour) => models.map((model) => ({ flavour, model }))))('$flavour, $model', (options) => {
    let asked = 0;
    for (let seed = 1; seed <= 4; seed++) {
      const run = readersAndPoller(rcu, { ...options, cpus: 3, seed });
      expect(run.outcome.violation?.report() ?? run.outcome.status).toBe('finished');
      asked += run.asked;
    }
    expect(asked).toBeGreaterThan(0);
  });

  it('but one does when the grace period in progress counts', () => {
    const without = ['getStateSynchronizeRcu.nextGracePeriod'];
    const violated = (seed: number) =>
      readersAndPoller(rcu, { cpus: 3, seed, without }).outcome.violation?.kind === 'use-after-free';
    expect(Array.from({ length: 60 }, (_, seed) => seed).some(violated)).toBe(true);
  });
});
