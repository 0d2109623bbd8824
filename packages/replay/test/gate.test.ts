// SPDX-License-Identifier: GPL-2.0-only
import type { Op } from '@lockless/cpu';
import { Machine } from '@lockless/simulator';
import { describe, expect, it } from 'vitest';
import { Gates } from '../src/gate.js';

const THREADS = 6;
const ACTIONS = 12;

/** Threads that wait for each other at every step: each for its predecessor's same step, the first for everybody's step before. */
function machineOf(gates: Gates, options: { seed: number; model: 'sc' | 'tso' | 'weak'; cpus: number }, quitter = -1) {
  const machine = new Machine({ ...options, runLength: 3 });
  const done = Array.from({ length: THREADS }, () => 0);
  const early: string[] = [];
  machine.boot(gates.init(THREADS));
  function* body(self: number): Op<void> {
    for (let step = 1; step <= ACTIONS; step++) {
      const others = self > 0 ? [self - 1] : Array.from({ length: THREADS }, (_, t) => t).slice(1);
      for (const other of others) {
        const count = self > 0 ? step : step - 1;
        yield* gates.waitFor(other, count);
        if (done[other] < count && other !== quitter) early.push(`${self} went on at step ${step} before ${other}`);
      }
      if (self === quitter && step === 5) break;
      done[self] += 1;
      yield* gates.finishOne(self);
    }
    yield* gates.leave(self);
  }
  for (let t = 0; t < THREADS; t++) machine.spawn(`thread/${t}`, () => body(t));
  machine.spawn('end', function* () {
    for (let t = 0; t < THREADS; t++) yield* gates.waitForEnd(t);
  });
  return { machine, done, early };
}

const MODELS = ['sc', 'tso', 'weak'] as const;

describe('Gates', () => {
  it.each(MODELS)('%s: nobody goes on too early and nobody sleeps for ever', (model) => {
    for (let seed = 1; seed <= 15; seed++) {
      const { machine, done, early } = machineOf(new Gates(), { seed, model, cpus: 1 + (seed % 4) });
      expect(machine.run()).toMatchObject({ status: 'finished', violation: null });
      expect(early).toEqual([]);
      expect(done).toEqual(done.map(() => ACTIONS));
    }
  });

  it('a thread that leaves keeps nobody waiting', () => {
    for (let seed = 1; seed <= 15; seed++) {
      const { machine, done, early } = machineOf(new Gates(), { seed, model: 'weak', cpus: 3 }, 2);
      expect(machine.run().status).toBe('finished');
      expect(early).toEqual([]);
      expect(done).toEqual(done.map((_, t) => (t === 2 ? 4 : ACTIONS)));
    }
  });

  it('without the wake-up when a thread leaves, some sleep for ever and the machine says so', () => {
    class Silent extends Gates {
      override *leave(): Op<void> {
        return;
      }
    }
    expect(machineOf(new Silent(), { seed: 1, model: 'sc', cpus: 2 }).machine.run().status).toBe('deadlock');
  });
});
