// SPDX-License-Identifier: MIT
import type { Op, Ref } from '@lockless/cpu';
import { describe, expect, it } from 'vitest';
import type { MemoryModel } from '../src/index.js';
import { Machine } from '../src/index.js';
import { coherence } from './litmus/coherence.js';
import { cumulativity } from './litmus/cumulativity.js';
import { messagePassing } from './litmus/message-passing.js';
import { storeBuffering } from './litmus/store-buffering.js';
import { own, p, R, type Shape, W, x, y, z } from './litmus/threads.js';

/** Rounds in which an outcome that must appear may do so, and rounds in which one that must not is looked for. */
const CHANCES = 10_000;
const TRIALS = { sc: 50, tso: 200, weak: 600 };

/** Neither the start nor the end of a task, which are full barriers, may stand next to the shape. */
function* linger(own: Ref<number>, thread: Op<void>): Op<void> {
  for (let i = 0; i < 4; i++) yield* R(own);
  yield* thread;
  for (let i = 0; i < 8; i++) yield* R(own);
}

/** Whether the outcome appears. */
function appears(shape: Shape, model: MemoryModel, seed: number): boolean {
  const machine = new Machine({ cpus: 4, model, seed, runLength: 2, timerTick: 1e9 });
  const { words } = machine.heap;
  const rounds = shape.in.includes(model) ? CHANCES : TRIALS[model];
  for (let round = 0; round < rounds; round++) {
    const r: Record<string, number> = {};
    machine.spawn('reset', function* () {
      for (const word of [x, y, z, p]) yield* W(word, 0);
    });
    machine.run();
    for (const [cpu, thread] of shape.threads.entries())
      machine.spawn(`P${cpu}`, () => linger(own(cpu), thread(r)), { cpu });
    const outcome = machine.run();
    expect(outcome.violation?.report() ?? outcome.status).toBe('finished');
    if (shape.weird({ ...r, x: words[x], y: words[y], z: words[z] })) return true;
  }
  return false;
}

const shapes = [...storeBuffering, ...messagePassing, ...coherence, ...cumulativity];

describe.each(['sc', 'tso', 'weak'] as const)('litmus shapes, %s', (model) => {
  it.each(shapes.map((shape) => [shape.name, shape] as const))('%s', (_, shape) => {
    expect(appears(shape, model, 7)).toBe(shape.in.includes(model));
  });
});
