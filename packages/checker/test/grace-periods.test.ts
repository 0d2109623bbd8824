// SPDX-License-Identifier: MIT
import {
  type Access,
  access,
  bugOn,
  code,
  defineWord,
  type Op,
  type Ref,
  readOnce,
  schedule,
  setCurrentState,
  TASK_UNINTERRUPTIBLE,
  writeOnce,
} from '@lockless/cpu';
import { describe, expect, it } from 'vitest';
import { check } from '../src/check.js';
import type { Program } from '../src/program.js';

const x: Ref<number> = defineWord('gp_x');
const done: Ref<number> = defineWord('gp_done');
const old: Ref<number> = defineWord('gp_old');

const readLock = (): Access<void> => access(code('rcu_read_lock'), 0);
const readUnlock = (): Access<void> => access(code('rcu_read_unlock'), 0);
const synchronizeRcu = (): Access<void> => access(code('synchronize_rcu'), 0);

/** The reader says that it has seen the old value, and that it is done, in one section. */
const program = (grace: boolean): Program => ({
  name: 'assertion-after-grace-period',
  setup: function* () {},
  threads: {
    *reader(): Op<void> {
      yield* readLock();
      if ((yield* readOnce(x)) === 0) yield* writeOnce(old, 1);
      yield* writeOnce(done, 1);
      yield* readUnlock();
    },
    *updater(): Op<void> {
      yield* writeOnce(x, 1);
      if (grace) yield* synchronizeRcu();
      const late = (yield* readOnce(done)) === 0;
      bugOn(late && (yield* readOnce(old)) === 1, 'a reader of the old value is not done');
    },
  },
});

describe.each(['sc', 'tso', 'lkmm'] as const)('%s: an assertion behind a grace period', (model) => {
  it('is not looked at before readers have ended that it may concern', async () => {
    expect((await check(program(true), { model })).verdict).toBe('holds');
  });

  it('fails without it', async () => {
    expect((await check(program(false), { model })).violation?.message).toContain('a reader of the old value');
  });
});

it('code that looks at the end and sleeps there for ever is reported', async () => {
  const sleeps: Program = {
    name: 'sleeps-at-the-end',
    setup: function* () {},
    threads: { *nobody() {} },
    finally: function* () {
      yield* setCurrentState(TASK_UNINTERRUPTIBLE);
      yield* schedule();
    },
  };
  expect((await check(sleeps)).violation).toMatchObject({ kind: 'deadlock', at: 'finally' });
});
