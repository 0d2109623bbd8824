// SPDX-License-Identifier: GPL-2.0-only
import { waitqueueActive } from '@lockless/cpu/native';
import { NativeMachine } from '@lockless/native';
import { pageWaitqueue, trylockPage, unlockPage } from '@lockless/page/native';
import { findGetPage } from '@lockless/pagecache/native';
import { expect, it } from 'vitest';
import { wordsOfCache } from '../src/node.js';
import { newCache, patterned, temporary } from './temporary.js';

it('a blocking wait for a page that ends in an error leaves no task behind, and none on the queue', async () => {
  const budget = 1 << 20;
  // The machine refuses to put this thread to sleep, which the cache would.
  const machine = NativeMachine.create({ words: wordsOfCache({ budget }), threads: 8, mayBlock: false });
  const cache = newCache({ budget, machine, mayBlock: true });
  const file = await cache.open(temporary(patterned(4096)), 'r+');
  await file.read(new Uint8Array(4096), 0, 4096, 0);
  const page = findGetPage(file.mapping, 0) as Exclude<ReturnType<typeof findGetPage>, 0>;
  expect(trylockPage(page)).toBe(true);
  const tasks = (): number => machine.cacheStatistics().find(({ name }) => name === 'native_task')?.live ?? 0;
  const write = (): number => file.writeSync(new Uint8Array(10), 0, 10, 0);
  expect(write).toThrow('must not be blocked');
  const after = tasks();
  for (let again = 0; again < 3; again++) expect(write).toThrow('must not be blocked');
  expect(tasks()).toBe(after);
  expect(waitqueueActive(pageWaitqueue(page))).toBe(false);
  unlockPage(page);
  expect(write()).toBe(10);
  await cache.close();
  machine.detach();
});
