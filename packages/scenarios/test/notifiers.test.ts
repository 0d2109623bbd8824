// SPDX-License-Identifier: GPL-2.0-only
import { check } from '@lockless/checker';
import { expect, it } from 'vitest';
import { notifierScenarios } from '../src/notifiers/index.js';
import { claimsHold } from './family.js';

claimsHold(notifierScenarios);

it('E5: without the mutex two takers may also wait for each other', async () => {
  const takers = notifierScenarios.find(({ name }) => name === 'two-takers');
  if (takers === undefined) throw new Error('no such scenario');
  const { violations } = await check(takers, { without: ['mmTakeAllLocks.mutex'], all: true });
  expect(violations?.map(({ kind, at }) => `${kind} in ${at}`)).toContain('deadlock in vmLockAnonVma');
});
