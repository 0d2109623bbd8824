// SPDX-License-Identifier: GPL-2.0-only
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SharedMap } from '../src/index.js';
import { COUNTER, KEYS } from './threads/jobs.mjs';
import { verify } from './threads/value.mjs';
import { controlWords, effort, pause, start, type Thread } from './threads.js';

let map: SharedMap;
let control: Int32Array;

/** What the slowest of three threads has done. */
const least = (): number => Math.min(...[1, 2, 3].map((thread) => Atomics.load(control, thread)));

/** All threads end, and then nothing is left in the map, and nothing anywhere else. */
async function finish(threads: readonly Thread[]): Promise<void> {
  Atomics.store(control, 0, 1);
  await Promise.all(threads.map(({ ended }) => ended));
  for (const [key, value] of map) if (key < KEYS) verify(key, value);
  expect(map.size).toBe([...map.keys()].length);
  const { deaths } = map.statistics();
  map.clear();
  const { size, valueChunks, nodes, waitingForReaders } = map.statistics();
  expect([size, waitingForReaders]).toEqual([0, 0]);
  // A value in hand between two stores: lost with a thread that was killed right then. No node is.
  expect(valueChunks).toBeLessThanOrEqual(deaths === 0 ? 0 : deaths * 2);
  // Each thread slot keeps nodes at hand.
  expect(nodes).toBeLessThanOrEqual(8 * 11);
}

/** `LOCKLESS_LONG=1`: also where RCU readers say nothing. */
const flavours = process.env.LOCKLESS_LONG === undefined ? (['mb'] as const) : (['mb', 'qsbr'] as const);

describe.each(flavours)('rcu %s', (rcu) => {
  beforeEach(() => {
    map = SharedMap.create({ bytes: 1 << 25, threads: 8, rcu });
    control = controlWords();
  });
  afterEach(() => map.detach());

  describe('several threads', () => {
    it('never see a torn value, nor one of another key, while others set, replace and delete', async () => {
      const threads = [
        start(map, 'read', control, 0),
        start(map, 'write', control, 1),
        start(map, 'write', control, 2),
      ];
      await Promise.all(threads.map((thread) => thread.message()));
      for (const end = Date.now() + 700 * effort; Date.now() < end || least() < 1000; ) await pause(10);
      await finish(threads);
    });

    it('count to the sum of what each has counted', async () => {
      const threads = [start(map, 'count', control, 0), start(map, 'count', control, 1)];
      await Promise.all(threads.map((thread) => thread.message()));
      for (const end = Date.now() + 300 * effort; Date.now() < end || least() < 100; await pause(1)) {
        map.add(COUNTER, 1);
        Atomics.add(control, 3, 1);
      }
      Atomics.store(control, 0, 1);
      await Promise.all(threads.map(({ ended }) => ended));
      expect(map.get(COUNTER)).toBe(control[1] + control[2] + control[3]);
      await finish([]);
    });
  });

  describe('threads that are killed', () => {
    it('inside a reader hold up nothing: grace periods go on, what they looked at is freed', async () => {
      const victim = start(map, 'stayInReader', control);
      await victim.message();
      await victim.message();
      for (let i = 0; i < 10; i++) map.set(COUNTER, `value ${i}`);
      expect(map.statistics().waitingForReaders).toBeGreaterThan(0);
      await victim.worker.terminate();
      expect(map.reclaim()).toBe(true);
      expect(map.statistics()).toMatchObject({ waitingForReaders: 0, deaths: 1, valueChunks: 1 });
      await finish([]);
    });

    it('anywhere leave the map to the others, whole', async () => {
      const steady = [start(map, 'read', control, 0), start(map, 'count', control, 1)];
      await Promise.all(steady.map((thread) => thread.message()));
      const kills = rcu === 'mb' ? 10 * effort : 10;
      for (let kill = 0; kill < kills; kill++) {
        const victim = start(map, kill % 4 === 0 ? 'read' : 'write', control, 2);
        await victim.message();
        await pause((kill * 5) % 13);
        await victim.worker.terminate();
      }
      Atomics.store(control, 0, 1);
      await Promise.all(steady.map(({ ended }) => ended));
      expect(map.get(COUNTER)).toBe(control[2]);
      expect(map.statistics().deaths).toBe(kills);
      await finish([]);
    });
  });
});
